"""Files that programs open, and what came of it (as opensnoop)."""

from beespace import Event, Hash, Program, Ring, bpf, tracepoint
from beespace.types import Pid, Text, Tid, i32, text, u32, u64


class Open(Event):
    pid: Pid
    comm: Text = text(16)
    result: i32  # a descriptor, or a negative error number
    path: Text = text(256)


class Opens(Program):
    """Prints every file that is opened."""

    failed_only: u32 = 0  # 1: only what could not be opened
    paths = Hash(key=Tid, value=u64)  # of the call that a thread is in: its path in user memory
    opens = Ring(Open)

    @tracepoint("syscalls:sys_enter_openat")
    def on_enter(self, ctx):
        self.paths[bpf.tid()] = ctx.args[1]

    @tracepoint("syscalls:sys_exit_openat")
    def on_exit(self, ctx):
        path = self.paths.get(bpf.tid())
        if path is None:
            return
        if self.failed_only == 0 or ctx.ret < 0:
            self.opens.emit(Open(pid=bpf.pid(), comm=bpf.comm(), result=i32(ctx.ret), path=bpf.user_text(path)))
        del self.paths[bpf.tid()]


if __name__ == "__main__":
    with Opens() as probe:
        for event in probe.opens:
            print(f"{event.pid:<8} {event.comm:16} {event.result:>4} {event.path}")
