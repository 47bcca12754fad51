"""What a process in a container does that may lead out of it: other namespaces, mounts, tracing, kernel modules."""

from enum import IntEnum

from beespace import Event, Program, Ring, bpf, function, tracepoint
from beespace.types import CgroupId, Pid, Text, Timestamp, Uid, text, u32, u64


class Deed(IntEnum):
    SETNS = 1
    UNSHARE = 2
    MOUNT = 3
    PTRACE = 4
    MODULE = 5


class Alarm(Event):
    time: Timestamp
    deed: Deed
    pid: Pid
    inner_pid: Pid  # as the container counts
    uid: Uid
    cgroup: CgroupId
    namespace: u32
    comm: Text = text(16)
    argument: u64
    path: Text = text(128)


class Escapes(Program):
    """Says what processes do whose process namespace is not that of the host."""

    host: u32 = 0xEFFFFFFC  # PROC_PID_INIT_INO
    alarms = Ring(Alarm)

    @tracepoint("syscalls:sys_enter_setns")
    def on_setns(self, ctx):
        self.report(Deed.SETNS, u64(ctx.flags), 0)

    @tracepoint("syscalls:sys_enter_unshare")
    def on_unshare(self, ctx):
        self.report(Deed.UNSHARE, ctx.unshare_flags, 0)

    @tracepoint("syscalls:sys_enter_mount")
    def on_mount(self, ctx):
        self.report(Deed.MOUNT, ctx.flags, ctx.dir_name)

    @tracepoint("syscalls:sys_enter_ptrace")
    def on_ptrace(self, ctx):
        self.report(Deed.PTRACE, u64(ctx.pid), 0)

    @tracepoint("syscalls:sys_enter_finit_module", optional="modules are not seen")
    def on_module(self, ctx):
        self.report(Deed.MODULE, ctx.args[0], ctx.args[1])

    @function
    def report(self, deed: Deed, argument: u64, path: u64):
        pid = bpf.task().thread_pid
        inner = pid.numbers[pid.level]
        namespace = inner.ns.ns.inum
        if namespace == self.host:
            return
        alarm = Alarm(
            time=bpf.now(), deed=deed, pid=bpf.pid(), inner_pid=u32(inner.nr), uid=bpf.uid(), cgroup=bpf.cgroup_id(),
            namespace=namespace, comm=bpf.comm(), argument=argument,
        )  # fmt: skip
        if path != 0:
            alarm.path = bpf.user_text(path)
        self.alarms.emit(alarm)


if __name__ == "__main__":
    with Escapes() as probe:
        for event in probe.alarms:
            print(
                f"{event.deed.name:8} {event.pid} ({event.inner_pid} inside) {event.comm}",
                hex(event.argument),
                event.path,
            )
