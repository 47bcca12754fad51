"""Processes that end: how long they lived and with what they ended (as exitsnoop)."""

from beespace import Event, Program, Ring, bpf, btf_tracepoint
from beespace.types import Duration, Pid, Text, i32, text, u32


class Exit(Event):
    pid: Pid
    parent: Pid
    comm: Text = text(16)
    status: i32  # of exit(), or minus the signal that ended it
    age: Duration


class Exits(Program):
    """Prints every process that ends."""

    exits = Ring(Exit)

    @btf_tracepoint("sched_process_exit")
    def on_exit(self, task):
        if task.pid != task.tgid:
            return  # one thread of many
        signal = i32(task.exit_code) & 0x7F
        self.exits.emit(
            Exit(
                pid=bpf.pid(),
                parent=u32(task.real_parent.tgid),
                comm=task.comm,
                status=-signal if signal != 0 else i32(task.exit_code) >> 8,
                age=bpf.now() - task.start_boottime,
            )
        )


if __name__ == "__main__":
    with Exits() as probe:
        for event in probe.exits:
            print(f"{event.pid:<8} {event.parent:<8} {event.comm:16} {event.status:>4} {event.age / 1e9:10.3f} s")
