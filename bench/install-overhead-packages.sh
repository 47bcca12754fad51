#!/bin/sh
# What bench/overhead.py compares with and makes load by.  Needs Debian or Ubuntu and root.
set -eu
missing=
for program in wrk nginx bpftrace clang bpftool ip; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || missing="$missing $program"
done
[ -e /usr/include/bpf/libbpf.h ] || missing="$missing libbpf"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "not installed, and not root on Debian to install them:$missing" >&2
    exit 1
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    wrk nginx-light bpftrace clang bpftool libbpf-dev libc6-dev iproute2 >/dev/null
