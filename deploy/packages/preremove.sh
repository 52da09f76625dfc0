#!/bin/sh
# Stops the service when the package goes, not when it is upgraded: dpkg says "upgrade", rpm says 1.
set -e
if [ "$1" != upgrade ] && [ "$1" != 1 ] && [ -d /run/systemd/system ]; then
	systemctl disable --now otelcol-custom.service || true
fi
