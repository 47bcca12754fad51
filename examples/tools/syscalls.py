"""System calls, counted by number and process (as syscount)."""

import time

from beespace import Hash, Program, Struct, bpf, tracepoint
from beespace.types import Pid, i64, u64


class Call(Struct):
    number: i64
    pid: Pid
    padding: Pid = 0


class Syscalls(Program):
    """Counts system calls."""

    calls = Hash(key=Call, value=u64)

    @tracepoint("raw_syscalls:sys_enter")
    def on_enter(self, ctx):
        self.calls[Call(number=ctx.id, pid=bpf.pid())] += 1


if __name__ == "__main__":
    with Syscalls() as probe:
        time.sleep(5)
        for call, count in sorted(probe.calls.items(), key=lambda item: -item[1])[:20]:
            print(f"{call.pid:<8} {call.number:<4} {count}")
