#!/bin/sh
# Tunes a Linux host for the gateway. Without an argument it prints what differs and changes nothing.
#
#   tune.sh           the settings that differ, with their values now
#   tune.sh apply     set them, and keep them over restarts in /etc/sysctl.d/90-otelcol-custom.conf
#   tune.sh remove    delete that file; the values stay until the next restart
#
# The limit of open files is the service's: the systemd unit sets LimitNOFILE=65536.
set -eu

SETTINGS='
net.core.rmem_max = 134217728
net.core.wmem_max = 134217728
net.ipv4.tcp_rmem = 4096 65536 134217728
net.ipv4.tcp_wmem = 4096 65536 134217728
net.core.netdev_max_backlog = 5000
net.ipv4.tcp_congestion_control = bbr
vm.swappiness = 10
vm.dirty_ratio = 15
vm.dirty_background_ratio = 5
'
ROOT=${ROOT:-} # a test's root directory
FILE=$ROOT/etc/sysctl.d/90-otelcol-custom.conf

# current prints a setting with single blanks, or "unknown" on a kernel without it.
current() {
	path=$ROOT/proc/sys/$(echo "$1" | tr . /)
	if [ -r "$path" ]; then tr -s '[:space:]' ' ' <"$path" | sed 's/ $//'; else echo unknown; fi
}

# each calls a function with the name and the value of every setting.
each() {
	echo "$SETTINGS" | while IFS= read -r line; do
		[ -n "$line" ] || continue
		"$1" "${line%% =*}" "${line#*= }"
	done
}

compare() {
	now=$(current "$1")
	[ "$now" = "$2" ] || echo "$1 = $now, better $2"
}

assign() {
	path=$ROOT/proc/sys/$(echo "$1" | tr . /)
	if ! (echo "$2" >"$path") 2>/dev/null; then
		echo "cannot set $1 to $2: this kernel or container does not allow it" >&2
		[ "$1" != net.ipv4.tcp_congestion_control ] || echo "  load the module first: modprobe tcp_bbr" >&2
	fi
}

case "${1:-show}" in
show)
	each compare
	;;
apply)
	mkdir -p "$ROOT/etc/sysctl.d"
	echo "$SETTINGS" | sed '/^$/d' >"$FILE"
	each assign
	;;
remove)
	rm -f "$FILE"
	;;
*)
	echo "usage: $0 [show | apply | remove]" >&2
	exit 2
	;;
esac
