#!/bin/sh
# Makes the service's user, on Debian and on Red Hat alike. Nothing is started: the backend is not known yet.
set -e
if ! getent passwd otelcol-custom >/dev/null; then
	useradd --system --user-group --no-create-home --home-dir /var/lib/otelcol-custom --shell /usr/sbin/nologin otelcol-custom
fi
chgrp otelcol-custom /etc/otelcol-custom/environment
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# After an upgrade the new binary runs; a service that was stopped stays so.
	systemctl try-restart otelcol-custom.service || true
fi
