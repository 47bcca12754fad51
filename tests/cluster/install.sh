#!/bin/sh
# Installs what the machines of tests/cluster need besides what tests/pods needs, and nothing that is already there.
# Kubernetes itself is not installed: tests/cluster/kube_build.py builds it into the cache.  Debian or Ubuntu, as root.
set -eu

"$(dirname "$0")/../pods/install.sh"
need=""
while read -r program package; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || need="$need $package"
done <<'LIST'
iptables iptables
conntrack conntrack
openssl openssl
sysctl procps
mount mount
ethtool ethtool
dpkg-deb dpkg
LIST
# shellcheck disable=SC2086  # a list of package names
"$(dirname "$0")/../../tools/install-missing.sh" tests/cluster $need
