#!/bin/sh
# Install what the oracle, kernel, pod and virtual machine tests need.  Needs Debian or Ubuntu and root;
# elsewhere the tests that need a missing program are skipped and name it.
set -eu
programs="clang llvm-readelf bpftool tcpdump tshark ip tc nft dnsmasq ethtool strace ping lz4 zstd"
programs="$programs qemu-system-x86_64 qemu-system-aarch64"
missing=
for program in $programs; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || missing="$missing $program"
done
[ -x /usr/lib/qemu/virtiofsd ] || [ -x /usr/libexec/virtiofsd ] || missing="$missing virtiofsd"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    [ -z "$missing" ] || echo "not installed, and not root on Debian to install them:$missing" >&2
    exit 0
fi
"$(dirname "$0")/../tests/pods/install.sh"
[ -n "$missing" ] || exit 0
apt-get update -qq
# Debian 12 has virtiofsd among QEMU's files; since then it is a package of its own.
virtiofsd=$(apt-cache show virtiofsd >/dev/null 2>&1 && echo virtiofsd || true)
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    clang llvm bpftool libbpf-dev libc6-dev tcpdump tshark iproute2 iputils-ping nftables dnsmasq-base ethtool strace \
    qemu-system-x86 qemu-system-arm qemu-system-common lz4 zstd $virtiofsd >/dev/null
