"""What a process writes, to its terminal or anywhere else (as ttysnoop): every byte, in records as long as it was."""

import sys

from beespace import Event, Program, Ring, bpf, tracepoint
from beespace.types import Pid, Raw, Timestamp, raw, u32, u64


class Written(Event):
    time: Timestamp
    pid: Pid
    descriptor: u32
    size: u64
    data: Raw = raw(4096, variable=True)  # a record ends where the data end


class Output(Program):
    """Sends what one process gives to write(), at most 4096 bytes of each call."""

    process: Pid = 0  # whose output
    written = Ring(Written, size="4 MiB")

    @tracepoint("syscalls:sys_enter_write")
    def on_write(self, ctx):
        if bpf.pid() == self.process:
            size = u64(ctx.count)
            self.written.emit(Written(
                time=bpf.now(), pid=bpf.pid(), descriptor=u32(ctx.fd), size=size,
                data=bpf.user_bytes(u64(ctx.buf), u32(min(size, 4096))),
            ))  # fmt: skip


if __name__ == "__main__":
    with Output(process=int(sys.argv[1])) as probe:
        for event in probe.written:
            print(f"{event.descriptor}: {event.data.decode(errors='replace')}", end="")
