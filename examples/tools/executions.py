"""Programs that are executed, with their arguments, parents and results (as execsnoop)."""

from beespace import Event, Hash, Program, Ring, bpf, tracepoint
from beespace.types import Pid, Text, Tid, Uid, array, i32, text, u32, u64

MOST = 20  # arguments that are kept


class Execution(Event):
    pid: Pid
    parent: Pid
    uid: Uid
    result: i32  # 0, or a negative error number
    comm: Text = text(16)
    count: u32
    arguments: list[str] = array(text(64), MOST)


class Executions(Program):
    """Prints every execve(), also those that fail."""

    running = Hash(key=Tid, value=Execution, max_entries=1024)
    executions = Ring(Execution)

    @tracepoint("syscalls:sys_enter_execve")
    def on_enter(self, ctx):
        execution = self.running.get_or_create(bpf.tid())
        if execution is None:
            return
        execution.pid = bpf.pid()
        execution.parent = u32(bpf.task().real_parent.tgid)
        execution.uid = bpf.uid()
        execution.count = 0
        for number in range(MOST):
            address = bpf.user(ctx.argv + number * 8, u64)
            if address == 0:
                break
            execution.arguments[number] = bpf.user_text(address)
            execution.count = number + 1

    @tracepoint("syscalls:sys_exit_execve")
    def on_exit(self, ctx):
        execution = self.running.get(bpf.tid())
        if execution is None:
            return
        execution.result = i32(ctx.ret)
        execution.comm = bpf.comm()
        self.executions.emit(execution)
        del self.running[bpf.tid()]


if __name__ == "__main__":
    with Executions() as probe:
        for event in probe.executions:
            print(f"{event.pid:<8} {event.parent:<8} {event.result:>4} {' '.join(event.arguments[: event.count])}")
