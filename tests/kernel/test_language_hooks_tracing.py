"""Programs of the kernel's own code, written in Python: functions, system calls, security hooks, counters."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import time
from pathlib import Path

import pytest

from beespace.lang import (
    Counter,
    Event,
    Hash,
    Program,
    Ring,
    Struct,
    bpf,
    btf_tracepoint,
    fentry,
    fexit,
    fmod_ret,
    function,
    iterator,
    kprobe,
    kprobe_multi,
    kprobe_session,
    kretprobe,
    kretprobe_multi,
    kretsyscall,
    ksyscall,
    lsm,
    lsm_cgroup,
    perf_event,
    raw_tracepoint,
    syscall,
    tracepoint,
)
from beespace.types import Pid, Text, i32, i64, text, u32, u64

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks", "own_cache")]

LIBC = ctypes.CDLL(None, use_errno=True)


class Seen(Event):
    number: u64
    other: i64
    name: Text = text(64)


def written(path: Path, data: bytes) -> None:
    opened = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(opened, data)
    os.close(opened)


class Writes(Program):
    """vfs_write() of one process, by probes: arguments by position and by name, the result."""

    mine: Pid = 0
    seen = Ring(Seen)
    results = Hash(key=i64, value=u64)

    @kprobe("vfs_write")
    def on_write(self, file, buf, count):
        if bpf.pid() == self.mine:
            self.seen.emit(Seen(number=count, name=file.f_path.dentry.d_name.name))
            self.seen.emit(Seen(number=1, name=bpf.user_text(buf)))

    @kprobe("vfs_write")
    def by_name(self, ctx):
        if bpf.pid() == self.mine:
            self.seen.emit(Seen(number=ctx.count, other=i64(ctx.registers.sp)))

    @kretprobe("vfs_write")
    def on_written(self, result):
        if bpf.pid() == self.mine:
            self.results[result] += 1


def test_kprobes(tmp_path: Path) -> None:
    with Writes(mine=os.getpid()) as probe:
        written(tmp_path / "a-name", b"twelve bytes")
        seen = [(each.number, each.name) for each in probe.seen.events(timeout=0)]
        assert (12, "a-name") in seen and (12, "") in seen
        assert any(number == 1 and name.startswith("twelve bytes") for number, name in seen)
        assert probe.results[12] >= 1


class Many(Program):
    """Functions that a glob names."""

    mine: Pid = 0
    entries = Counter()
    returns = Counter()
    both = Counter()

    @kprobe_multi("vfs_mkd*")
    def on_entry(self, ctx):
        if bpf.pid() == self.mine:
            self.entries += 1

    @kretprobe_multi("vfs_mkd*")
    def on_return(self, ctx):
        if bpf.pid() == self.mine and i32(ctx.result) == 0:
            self.returns += 1


def test_many_functions(tmp_path: Path) -> None:
    with Many(mine=os.getpid()) as probe:
        (tmp_path / "a").mkdir()
        # Twice where one file system lies over another; newer kernels return a pointer.
        assert probe.entries.value in (1, 2)
        assert probe.returns.value <= probe.entries.value


class Session(Program):
    mine: Pid = 0
    both = Counter()

    @kprobe_session("vfs_mkdir")
    def on_call(self, ctx):
        if bpf.pid() == self.mine:
            self.both += 1
            return 0
        return 1


def test_a_session_runs_twice(tmp_path: Path) -> None:
    with Session(mine=os.getpid()) as probe:
        (tmp_path / "a").mkdir()
        assert probe.both.value in (2, 4)  # at entry and return, of each of the file systems


class Calls(Program):
    """System calls by name."""

    mine: Pid = 0
    seen = Ring(Seen)

    @ksyscall("mkdirat")
    def on_mkdir(self, dfd, pathname, mode):
        if bpf.pid() == self.mine:
            self.seen.emit(Seen(number=u64(mode), other=i64(dfd), name=bpf.user_text(pathname)))

    @ksyscall("kill")
    def on_kill(self, ctx):
        if bpf.pid() == self.mine:
            self.seen.emit(Seen(number=u64(u32(ctx.sig)), other=i64(ctx.pid), name="kill"))

    @kretsyscall("kill")
    def on_killed(self, result):
        if bpf.pid() == self.mine:
            self.seen.emit(Seen(other=result, name="killed"))


def test_system_calls(tmp_path: Path) -> None:
    path = bytes(tmp_path / "made")
    with Calls(mine=os.getpid()) as probe:
        assert LIBC.mkdirat(-100, path, 0o750) == 0
        assert LIBC.kill(2**31 - 1, 0) == -1
        made, kill, killed = list(probe.seen.events(timeout=0))
        assert (made.number, made.other, made.name) == (0o750, -100, os.fsdecode(path)[:63])
        assert (kill.number, kill.other) == (0, 2**31 - 1)
        assert (killed.other, killed.name) == (-errno.ESRCH, "killed")


class Functions(Program):
    """The same functions through trampolines: typed arguments and the result."""

    mine: Pid = 0
    seen = Ring(Seen)
    results = Hash(key=i64, value=u64)

    @fentry("vfs_write")
    def on_write(self, file, buf, count):
        if bpf.pid() == self.mine:
            self.seen.emit(Seen(number=count, other=i64(file.f_inode.i_ino), name=file.f_path.dentry.d_name.name))

    @fexit("vfs_write")
    def on_written(self, file, buf, count, pos, result):
        if bpf.pid() == self.mine:
            self.results[result] += count

    @fexit("vfs_write")
    def by_name(self, ctx):
        if bpf.pid() == self.mine and ctx.result == i64(ctx.count):
            self.results[-1] += 1


def test_trampolines(tmp_path: Path) -> None:
    with Functions(mine=os.getpid()) as probe:
        written(tmp_path / "a-name", b"twelve bytes")
        inode = (tmp_path / "a-name").stat().st_ino
        assert (12, inode, "a-name") in [(each.number, each.other, each.name) for each in probe.seen.events(timeout=0)]
        assert probe.results[12] >= 12 and probe.results[-1] >= 1


class Changed(Program):
    """Forbids one process to ask for sessions: a function that allows it gives another result."""

    mine: Pid = 0
    calls = Counter()

    @fmod_ret("security_task_getsid")
    def instead(self, p):
        if bpf.pid() != self.mine:
            return 0
        self.calls += u64(p.tgid != 0)
        return -errno.EACCES


def test_a_result_of_its_own() -> None:
    os.getsid(os.getpid())
    with Changed(mine=os.getpid()) as probe:
        with pytest.raises(PermissionError):
            os.getsid(os.getpid())
        assert probe.calls.value == 1
    os.getsid(os.getpid())


class Policy(Program):
    """Nobody of this process opens a file of a certain name."""

    mine: Pid = 0
    asked = Counter()

    @lsm("file_open")
    def on_open(self, file):
        if bpf.pid() != self.mine:
            return 0
        self.asked += 1
        if file.f_path.dentry.d_name.name == "forbidden":
            return -13
        return 0


def test_a_security_hook(tmp_path: Path) -> None:
    (tmp_path / "forbidden").write_text("no")
    (tmp_path / "allowed").write_text("yes")
    with Policy(mine=os.getpid()) as probe:
        if (
            "bpf" not in Path("/sys/kernel/security/lsm").read_text()
            if Path("/sys/kernel/security/lsm").exists()
            else False
        ):
            pytest.skip("the kernel was not booted with lsm=bpf")
        with pytest.raises(PermissionError):
            (tmp_path / "forbidden").read_text()
        assert (tmp_path / "allowed").read_text() == "yes"
        assert probe.asked.value >= 2
    assert (tmp_path / "forbidden").read_text() == "no"


class OfCgroup(Program):
    """Processes of one cgroup make no sockets of one family."""

    family: i32 = 1
    asked = Counter()

    @lsm_cgroup("socket_create")
    def on_socket(self, family, type, protocol, kern):
        self.asked += 1
        return family != self.family


def test_a_security_hook_of_a_cgroup(cgroup: Path) -> None:
    import socket

    with OfCgroup().start(cgroup=cgroup) as probe:
        child = os.fork()
        if child == 0:
            status = 9
            try:
                (cgroup / "cgroup.procs").write_text(str(os.getpid()))
                socket.socket(socket.AF_INET).close()
                try:
                    socket.socket(socket.AF_UNIX).close()
                except PermissionError:
                    status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        socket.socket(socket.AF_UNIX).close()
        assert probe.asked.value == 2


class Either(Program):
    """One method, by whatever way the kernel has."""

    mine: Pid = 0
    bytes = Counter()
    missing = Counter()

    @fentry("vfs_write").otherwise(kprobe("vfs_write")).otherwise(tracepoint("syscalls:sys_enter_write"))
    def on_write(self, ctx):
        if bpf.pid() == self.mine:
            self.count(1)

    @function
    def count(self, amount: u64):
        self.bytes += amount

    @kprobe("there_is_no_such_function", optional="nothing is missed")
    def on_nothing(self, ctx):
        self.missing += 1


def test_variants(tmp_path: Path) -> None:
    with Either(mine=os.getpid()).start() as probe:
        written(tmp_path / "a", b"abc")
        assert probe.bytes.value >= 1
        (said,) = [line for line in probe.explain().splitlines() if "was taken" in line]
        assert "on_write" in said
        assert len(probe.links) == 1
        assert probe.program("on_write").name.startswith("on_write")
        assert any("runs without on_nothing" in note and "nothing is missed" in note for note in probe.notes)


class Missing(Program):
    """System calls that no kernel has, whose fields nobody could know."""

    exits = Counter()

    @tracepoint("syscalls:sys_enter_there_is_none", optional="none is counted")
    def on_nothing(self, ctx):
        self.exits += 1000

    @tracepoint("syscalls:sys_enter_there_is_none").otherwise(tracepoint("sched:sched_process_exit"))
    def on_exit(self, ctx):
        self.exits += 1


def test_tracepoints_that_the_kernel_does_not_have() -> None:
    with Missing().start() as probe:
        assert subprocess.run(["true"], check=False).returncode == 0
        assert 1 <= probe.exits.value < 1000
        assert any("runs without on_nothing" in note and "none is counted" in note for note in probe.notes)
        assert "sched_process_exit" in probe.explain()


class Renamed(Program):
    """A function that has another name on other kernels, and arguments that are read."""

    mine: Pid = 0
    bytes = Counter()

    @(
        fentry("there_is_no_such_function")
        .otherwise(kprobe("there_is_no_such_function"))
        .otherwise(fentry("vfs_write"))
        .otherwise(tracepoint("syscalls:sys_enter_write"))
    )
    def on_write(self, ctx):
        if bpf.pid() == self.mine:
            self.count(ctx.count)

    @function
    def count(self, amount: u64):
        self.bytes += amount


def test_alternatives_that_the_kernel_does_not_have(tmp_path: Path) -> None:
    with Renamed(mine=os.getpid()).start() as probe:
        written(tmp_path / "a", b"abc")
        assert probe.bytes.value >= 3
        left_out = [line for line in probe.explain().splitlines() if "was left out" in line]
        assert [line.split()[0] for line in left_out] == ["on_write", "on_write__kprobe"]
        assert probe.program("on_write").name.startswith("on_write__")
    assert set(Renamed.spec().programs) == {"on_write__fentry", "on_write__tracepoint"}


class Sampled(Event):
    pid: Pid
    address: u64
    period: u64


class Profiler(Program):
    """Where processes stand, sampled by a clock."""

    samples = Ring(Sampled, size="1 MiB")

    @perf_event("cpu-clock", frequency=500)
    def on_sample(self, ctx):
        self.samples.emit(Sampled(pid=bpf.pid(), address=ctx.regs.ip, period=ctx.sample_period))


def test_perf_events() -> None:
    with Profiler().start() as probe:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            sum(range(1000))
        mine = [each for each in probe.samples.events(timeout=0) if each.pid == os.getpid()]
        assert len(mine) > 5
        assert all(each.address and each.period == 2_000_000 for each in mine)


class Task(Struct):
    pid: Pid
    parent: Pid
    name: Text = text(16)


class Tasks(Program):
    """All tasks and their open files."""

    leaders: u32 = 1
    files = Hash(key=Pid, value=u64)

    @iterator("task")
    def tasks(self, ctx):
        task = ctx.task
        if task is None:
            return
        if self.leaders == 1 and task.pid != task.tgid:
            return
        ctx.write(Task(pid=u32(task.pid), parent=u32(task.real_parent.tgid), name=task.comm))

    @iterator("task_file")
    def open_files(self, task, fd, file):
        if task is not None and file is not None:
            self.files[u32(task.tgid)] += 1


def test_iterators() -> None:
    from beespace.schema.codec import unpack

    with Tasks().start() as probe:
        assert probe.links == ()
        data = probe.iterate("tasks")
        size = Task.layout.size
        assert len(data) % size == 0
        tasks = {each.pid: each for each in (unpack(Task, data[at : at + size]) for at in range(0, len(data), size))}
        assert tasks[os.getpid()].parent == os.getppid()
        assert tasks[os.getpid()].name == Path("/proc/self/comm").read_text().strip()
        assert os.getppid() in tasks or os.getppid() == 1
        before = len(list(Path("/proc/self/fd").iterdir()))
        probe.iterate("open_files")
        assert abs(probe.files[os.getpid()] - before) <= 3


class Request(Struct):
    number: u32
    doubled: u64
    name: Text = text(16)


class ByHand(Program):
    runs = Counter()

    @syscall
    def double(self, request: Request):
        request.doubled = u64(request.number) * 2
        if request.name == "who":
            name = text(16)
            name = bpf.comm()
            request.name = name
            request.number += 1
        return -5

    @syscall
    def run(self, ctx):
        self.runs += 1
        return 7


def test_syscall_programs() -> None:
    with ByHand().start() as probe:
        assert probe.test_run("run").retval == 7
        assert probe.runs.value == 1
        run = probe.test_run("double", context=Request(number=21, doubled=0, name="who"))
        name = Path("/proc/thread-self/comm").read_text().strip()
        assert (run.context.number, run.context.doubled, run.context.name) == (22, 42, name)
        assert run.retval == 2**32 - 5


class Switches(Program):
    """Context switches with typed arguments, by two kinds of tracepoints."""

    mine: Pid = 0
    typed = Counter()
    raw = Counter()

    @btf_tracepoint("sched_switch")
    def on_switch(self, preempt, prev, next):
        if u32(prev.tgid) == self.mine or u32(next.tgid) == self.mine:
            self.typed += 1

    @raw_tracepoint("sched_switch")
    def on_raw_switch(self, ctx):
        if u32(ctx.prev.tgid) == self.mine or u32(ctx.next.tgid) == self.mine:
            self.raw += 1


def test_tracepoints() -> None:
    with Switches(mine=os.getpid()).start() as probe:
        for _ in range(5):
            time.sleep(0.001)
        assert probe.typed.value >= 10 and probe.raw.value >= 10


class Made(Program):
    """Arguments of a system call by their names, at its tracepoint."""

    mine: Pid = 0
    seen = Ring(Seen)

    @tracepoint("syscalls:sys_enter_mkdirat")
    def on_mkdir(self, ctx):
        if bpf.pid() == self.mine:
            self.seen.emit(Seen(number=u64(ctx.mode), other=i64(ctx.dfd), name=bpf.user_text(ctx.pathname)))


def test_arguments_of_system_calls_by_name(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with Made(mine=os.getpid()).start() as probe:
            os.mkdir("made", 0o711, dir_fd=folder)
            (made,) = list(probe.seen.events(timeout=0))
            assert (made.number, made.other, made.name) == (0o711, folder, "made")
    finally:
        os.close(folder)


class Pair(Struct):
    number: u32
    count: u64


class Entries(Program):
    """Entries of a map, walked in the kernel."""

    counts = Hash(key=u32, value=u64)
    sum = Counter()

    @iterator("bpf_map_elem", map="counts")
    def entries(self, ctx):
        key = ctx.key
        value = ctx.value
        if key is None or value is None:
            return
        self.sum += value
        ctx.write(Pair(number=key, count=value))


def test_entries_of_a_map() -> None:
    from beespace.schema.codec import unpack

    with Entries().start() as probe:
        for number in range(5):
            probe.counts[number] = 10 * number
        data, size = probe.iterate("entries"), Pair.layout.size
        pairs = [unpack(Pair, data[at : at + size]) for at in range(0, len(data), size)]
        assert sorted((pair.number, pair.count) for pair in pairs) == [(number, 10 * number) for number in range(5)]
        assert probe.sum.value == 100


def test_an_iterator_over_one_process() -> None:
    from beespace.schema.codec import unpack

    with Tasks().start() as probe:
        (task,) = [unpack(Task, probe.iterate("tasks", pid=os.getpid()))]
        assert task.pid == os.getpid()


class Lines(Program):
    """Tasks as lines of text."""

    walks = Counter()

    @iterator("task")
    def lines(self, ctx):
        task = ctx.task
        if task is None:
            ctx.write("the end\n")
            return
        if ctx.meta.seq_num == 0:
            ctx.write("  pid parent name\n")
        self.walks += 1
        ctx.write(f"{u32(task.tgid):6} {u32(task.real_parent.tgid):6} {task.comm} {task.mm is None}\n")


def test_lines_of_an_iterator() -> None:
    with Lines().start() as probe:
        lines = probe.iterate("lines").decode().splitlines()
    name = Path("/proc/self/comm").read_text().strip()
    assert (lines[0], lines[-1]) == ("  pid parent name", "the end")
    assert f"{os.getpid():6} {os.getppid():6} {name} False" in lines
    assert any(line.split()[2] == "kthreadd" and line.endswith("True") for line in lines[1:-1])
