"""Program executions and process ends, one event each.

Arguments are read from the new program's own memory right after the kernel has laid them out, so
they are resident; a longer list is cut, and ``arguments_size`` says how long it was.
"""

from __future__ import annotations

from enum import IntEnum

from beespace.lang import Event, Program, Ring, bpf, btf_tracepoint
from beespace.types import CgroupId, Duration, Pid, Raw, Text, Timestamp, Uid, i32, raw, text, u32, u64

ARGUMENTS_MAX = 512


class What(IntEnum):
    """What happened to the process."""

    EXEC = 1
    EXIT = 2


class Process(Event):
    """A process at an execution or at its end.  Times count from boot; ``start`` identifies it with ``pid``."""

    time: Timestamp
    start: Timestamp
    duration: Duration
    cgroup: CgroupId
    what: u32
    pid: Pid
    parent_pid: Pid
    uid: Uid
    exit_code: i32  # exit status, or -N if signal N ended it
    arguments_size: u32
    name: Text = text(16)
    executable: Text = text(256)
    arguments: Raw = raw(512)


class Execs(Program):
    """Every program that is executed, and every process that ends."""

    processes = Ring(Process, size="8 MiB")

    @btf_tracepoint("sched_process_exec")
    def on_exec(self, task, old_pid, binary):
        memory = task.mm
        start: u64 = memory.arg_start
        size = u32(memory.arg_end - start)
        self.processes.emit(
            Process(
                time=bpf.now(),
                start=task.group_leader.start_boottime,
                duration=0,
                cgroup=bpf.cgroup_id(),
                what=What.EXEC,
                pid=bpf.pid(),
                parent_pid=u32(task.real_parent.tgid),
                uid=bpf.uid(),
                exit_code=0,
                arguments_size=size,
                name=task.comm,
                executable=binary.filename,
                arguments=bpf.user_bytes(start, size),
            )
        )

    @btf_tracepoint("sched_process_exit")
    def on_exit(self, task):
        # The process ends with its last thread; the kernel counts it down before this point.
        if task.signal.live.counter != 0:
            return
        now = bpf.now()
        start: u64 = task.group_leader.start_boottime
        code = u32(task.exit_code)
        signal = code & 0x7F
        exit_code = i32((code >> 8) & 0xFF) if signal == 0 else -i32(signal)
        self.processes.emit(
            Process(
                time=now,
                start=start,
                duration=now - start,
                cgroup=bpf.cgroup_id(),
                what=What.EXIT,
                pid=bpf.pid(),
                parent_pid=u32(task.real_parent.tgid),
                uid=bpf.uid(),
                exit_code=exit_code,
                arguments_size=0,
                name=task.group_leader.comm,
                executable="",
                arguments=b"",
            )
        )
