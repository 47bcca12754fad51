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

# shellcheck disable=SC2086  # a list of package names
"$(dirname "$0")/../../tools/install-missing.sh" tests/pods $need
case "$need" in
    # The package enables its daemon for the next boot; a test must not.
    *containerd*) systemctl disable containerd.service 2>/dev/null || rm -f /etc/systemd/system/multi-user.target.wants/containerd.service ;;
esac
