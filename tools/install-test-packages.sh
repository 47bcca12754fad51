#!/bin/sh
# Install what the oracle, kernel and pod tests compare against.  Needs Debian or Ubuntu and root;
# elsewhere the tests that need a missing program are skipped and name it.
set -eu
programs="clang llvm-readelf bpftool tcpdump ip tc ethtool strace"
missing=
for program in $programs; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || missing="$missing $program"
done
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    [ -z "$missing" ] || echo "not installed, and not root on Debian to install them:$missing" >&2
    exit 0
fi
"$(dirname "$0")/../tests/pods/install.sh"
[ -n "$missing" ] || exit 0
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    clang llvm bpftool libbpf-dev libc6-dev tcpdump iproute2 ethtool strace >/dev/null
