#!/bin/sh
# Installs what tests/pods needs, and nothing that is already there: a container runtime (containerd, runc),
# CNI plugins and a static busybox (the only program inside the test images).  Debian or Ubuntu, as root.
# No daemon is started or enabled: the tests run a containerd of their own, with its own root, state and socket.
set -eu

need=""
command -v containerd >/dev/null && command -v ctr >/dev/null || need="$need containerd"
command -v runc >/dev/null || need="$need runc"
command -v ip >/dev/null || need="$need iproute2"
command -v nsenter >/dev/null && command -v unshare >/dev/null && command -v setpriv >/dev/null || need="$need util-linux"
[ -x /usr/lib/cni/bridge ] || [ -x /opt/cni/bin/bridge ] || need="$need containernetworking-plugins"
[ "$(busybox 2>/dev/null | head -c 7)" = BusyBox ] && ! ldd "$(command -v busybox)" >/dev/null 2>&1 || need="$need busybox-static"

if [ -z "$need" ]; then
    echo "tests/pods: everything is installed"
    exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "tests/pods: run as root to install:$need" >&2
    exit 3
fi

# invoke-rc.d and deb-systemd-invoke ask this file whether a package may start its daemon; 101 means no.
if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # a list of package names
apt-get install -y --no-install-recommends $need || { apt-get update && apt-get install -y --no-install-recommends $need; }
case "$need" in
    # The package enables its daemon for the next boot; a test must not.
    *containerd*) systemctl disable containerd.service 2>/dev/null || rm -f /etc/systemd/system/multi-user.target.wants/containerd.service ;;
esac
