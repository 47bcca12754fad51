#!/bin/busybox sh
# The first process of a guest.  Its root becomes the host's, read-only, with a layer of memory above it;
# then the agent takes over.  What differs from guest to guest stands in /settings.
set -e
alias busybox=/bin/busybox
busybox mkdir -p /proc /sys /dev /host /layer /new
busybox mount -t devtmpfs dev /dev
busybox mount -t proc proc /proc
. /settings
for module in $MODULES; do busybox insmod "/modules/$module"; done
busybox mount -t virtiofs -o ro host /host
busybox mount -t tmpfs -o size=75% layer /layer
busybox mkdir /layer/changes /layer/work
busybox mount -t overlay -o lowerdir=/host,upperdir=/layer/changes,workdir=/layer/work root /new

busybox mkdir -p /new/proc /new/sys /new/dev /new/run /new/tmp /new/boot
busybox mount --move /proc /new/proc
busybox mount --move /dev /new/dev
busybox mount -t sysfs sys /new/sys
busybox mount -t tmpfs -o mode=755 run /new/run
busybox mkdir -p /new/dev/pts /new/dev/shm /new/run/lock /new/run/beespace
busybox mount -t devpts -o mode=620,ptmxmode=666 pts /new/dev/pts
busybox mount -t tmpfs -o mode=1777 shm /new/dev/shm
busybox mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
busybox mount -t bpf bpf /new/sys/fs/bpf
busybox mount -t tracefs tracefs /new/sys/kernel/tracing
busybox mount -t securityfs securityfs /new/sys/kernel/security
busybox mount -t debugfs debugfs /new/sys/kernel/debug

# The kernel asks for modules by a program named modprobe; busybox is one, and needs no binary index.
busybox cp /bin/busybox /new/run/beespace/busybox
busybox cp /agent.py /new/run/beespace/agent.py
busybox ln -s busybox /new/run/beespace/modprobe
echo /run/beespace/modprobe > /new/proc/sys/kernel/modprobe
busybox mkdir -p "/new/lib/modules/$RELEASE"
busybox mount -t virtiofs -o ro modules "/new/lib/modules/$RELEASE"
busybox cp /config "/new/boot/config-$RELEASE"
echo "$NAME" > /new/proc/sys/kernel/hostname
busybox ip link set lo up

while read -r tag options place; do
    busybox mkdir -p "/new$place"
    busybox mount -t virtiofs -o "$options" "$tag" "/new$place"
done < /shares
exec /bin/busybox switch_root /new "$PYTHON" -I -S /run/beespace/agent.py
