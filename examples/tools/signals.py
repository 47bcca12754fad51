"""Who sends which signal to whom (as sigsnoop and killsnoop)."""

from beespace import Event, Program, Ring, bpf, tracepoint
from beespace.types import Pid, Text, i32, text, u32


class Signal(Event):
    sender: Pid
    comm: Text = text(16)
    signal: i32
    target: Pid
    target_comm: Text = text(16)


class Signals(Program):
    """Prints every signal that a process is sent."""

    signals = Ring(Signal)

    @tracepoint("signal:signal_generate")
    def on_signal(self, ctx):
        self.signals.emit(
            Signal(sender=bpf.pid(), comm=bpf.comm(), signal=ctx.sig, target=u32(ctx.pid), target_comm=ctx.comm)
        )


if __name__ == "__main__":
    with Signals() as probe:
        for event in probe.signals:
            print(f"{event.sender:<8} {event.comm:16} sends {event.signal:<3} to {event.target} ({event.target_comm})")
