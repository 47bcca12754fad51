"""What is mounted where, and with which result (as mountsnoop)."""

from beespace import Event, Hash, Program, Ring, Struct, bpf, tracepoint
from beespace.types import Pid, Text, Tid, i32, text, u64


class Asked(Struct):
    source: u64
    target: u64
    type: u64
    flags: u64


class Mount(Event):
    pid: Pid
    comm: Text = text(16)
    result: i32
    source: Text = text(64)
    target: Text = text(128)
    type: Text = text(16)


class Mounts(Program):
    """Prints every mount()."""

    asked = Hash(key=Tid, value=Asked)
    mounts = Ring(Mount)

    @tracepoint("syscalls:sys_enter_mount")
    def on_enter(self, ctx):
        self.asked[bpf.tid()] = Asked(source=ctx.args[0], target=ctx.args[1], type=ctx.args[2], flags=ctx.args[3])

    @tracepoint("syscalls:sys_exit_mount")
    def on_exit(self, ctx):
        asked = self.asked.get(bpf.tid())
        if asked is None:
            return
        self.mounts.emit(
            Mount(pid=bpf.pid(), comm=bpf.comm(), result=i32(ctx.ret), source=bpf.user_text(asked.source),
                  target=bpf.user_text(asked.target), type=bpf.user_text(asked.type))
        )  # fmt: skip
        del self.asked[bpf.tid()]


if __name__ == "__main__":
    with Mounts() as probe:
        for event in probe.mounts:
            print(f"{event.pid:<8} {event.comm:16} {event.result:>4} {event.source} on {event.target} ({event.type})")
