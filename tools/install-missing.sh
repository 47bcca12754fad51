#!/bin/sh
# install-missing.sh NAME PACKAGE...: installs Debian or Ubuntu packages for the tests of NAME, as root, and starts none of
# their daemons.  Without packages there is nothing to do.
set -eu

name=$1
shift
if [ $# -eq 0 ]; then
    echo "$name: everything is installed"
    exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "$name: run as root to install: $*" >&2
    exit 3
fi
# invoke-rc.d and deb-systemd-invoke ask this file whether a package may start its daemon; 101 means no.
if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get install -y --no-install-recommends "$@" || { apt-get update && apt-get install -y --no-install-recommends "$@"; }
