"""Processes by pid and start time, over a made-up /proc; a pid that was handed out again never lends a name."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from beespace.enrich.process import Process, Processes
from beespace.enrich.procfs import ARGUMENTS_MAX, TICK_NS, distrust, read_process, read_start

A = "a1" * 32
BOOT = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def put(
    proc: Path,
    pid: int,
    start_ns: int,
    *,
    name: str = "python3",
    executable: str | None = "/usr/bin/python3.11",
    args: bytes = b"python3\0-m\0http.server\0",
    cgroup: str = "0::/\n",
    uid: int = 1000,
    parent: int = 7,
) -> None:
    folder = proc / str(pid)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    ticks = start_ns // TICK_NS
    fields = ["S", str(parent), *("0" for _ in range(17)), str(ticks), "0", "0"]
    (folder / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")
    (folder / "status").write_text(f"Name:\t{name}\nUmask:\t0022\nUid:\t{uid}\t0\t0\t0\nGid:\t0\t0\t0\t0\n")
    (folder / "cmdline").write_bytes(args)
    (folder / "cgroup").write_text(cgroup)
    if executable is not None:
        (folder / "exe").symlink_to(executable)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    return tmp_path / "proc"


def processes(proc: Path, clock: Clock | None = None, **options: int) -> Processes:
    return Processes(proc, trusted=True, clock=clock or Clock(), boot_ns=lambda: BOOT, **options)


def test_proc_is_believed_when_the_start_is_the_same_tick(proc: Path) -> None:
    put(proc, 42, 5 * SECOND, cgroup=f"0::/docker/{A}\n")
    found = processes(proc).get(42, 5 * SECOND + TICK_NS - 1)
    assert found == Process(
        pid=42,
        start_ns=5 * SECOND + TICK_NS - 1,
        valid_from=BOOT + 5 * SECOND + TICK_NS - 1,
        parent_pid=7,
        uid=1000,
        name="python3",
        executable="/usr/bin/python3.11",
        args=("python3", "-m", "http.server"),
        cgroup_path=f"/docker/{A}",
        membership=found.membership if found else None,  # type: ignore[arg-type]
    )
    assert found is not None and found.container_id == A


@pytest.mark.parametrize("off", [-1, TICK_NS])
def test_a_reused_pid_lends_no_name(proc: Path, off: int) -> None:
    put(proc, 42, 5 * SECOND)
    known = processes(proc)
    assert known.get(42, 5 * SECOND + off) is None
    assert known.statistics()["pid_reused"] == 1


def test_without_a_start_time_nobody_is_named(proc: Path) -> None:
    put(proc, 42, 5 * SECOND)
    assert processes(proc).get(42, 0) is None


def test_an_owner_that_is_gone_keeps_the_kernels_name(proc: Path) -> None:
    put(proc, 42, 9 * SECOND, name="other")
    known = processes(proc)
    known.observe_owner(42, 5 * SECOND, 33, "curl", 777)
    found = known.get(42, 5 * SECOND)
    assert found is not None
    assert (found.name, found.uid, found.cgroup_id, found.executable) == ("curl", 33, 777, None)
    assert found.valid_to is not None


def test_the_next_owner_of_a_pid_ends_the_one_before(proc: Path) -> None:
    known = processes(proc)
    known.observe_owner(42, 5 * SECOND, 0, "first")
    known.observe_owner(42, 9 * SECOND, 0, "second")
    first, second = known.get(42, 5 * SECOND, look=False), known.get(42, 9 * SECOND, look=False)
    assert first is not None and second is not None
    assert (first.name, first.valid_to) == ("first", BOOT + 9 * SECOND)
    assert (second.name, second.valid_to) == ("second", None)


def test_proc_is_read_once(proc: Path) -> None:
    put(proc, 42, 5 * SECOND)
    known = processes(proc)
    for _ in range(5):
        known.observe_owner(42, 5 * SECOND, 1000, "python3")
        known.get(42, 5 * SECOND)
    assert known.statistics()["proc_reads"] == 1


def test_another_kernel_name_means_another_look_but_not_for_every_thread(proc: Path) -> None:
    clock = Clock()
    put(proc, 42, 5 * SECOND, name="sh", executable="/bin/sh")
    known = processes(proc, clock)
    known.observe_owner(42, 5 * SECOND, 0, "sh")
    assert (found := known.get(42, 5 * SECOND)) and found.executable == "/bin/sh"
    put(proc, 42, 5 * SECOND, name="nginx", executable="/usr/sbin/nginx")
    for thread in range(10):
        known.observe_owner(42, 5 * SECOND, 0, f"worker-{thread}")
        known.get(42, 5 * SECOND)
    assert known.statistics()["proc_reads"] == 1
    clock.now += 5
    known.observe_owner(42, 5 * SECOND, 0, "nginx")
    assert (found := known.get(42, 5 * SECOND)) and (found.name, found.executable) == ("nginx", "/usr/sbin/nginx")


def test_exec_and_exit_of_a_process_too_short_for_proc(proc: Path) -> None:
    known = processes(proc)
    known.observe_exec(
        42,
        5 * SECOND,
        time_ns=5 * SECOND,
        name="true",
        executable="/bin/true",
        args=("true",),
        parent_pid=7,
        uid=0,
        cgroup_id=9,
    )
    known.observe_exit(42, 5 * SECOND, time_ns=5 * SECOND + 20_000_000)
    found = known.get(42, 5 * SECOND + 3)
    assert found == Process(
        pid=42,
        start_ns=5 * SECOND,
        valid_from=BOOT + 5 * SECOND,
        valid_to=BOOT + 5 * SECOND + 20_000_000,
        parent_pid=7,
        uid=0,
        name="true",
        executable="/bin/true",
        args=("true",),
        cgroup_id=9,
    )
    assert known.statistics()["proc_reads"] == 0


def test_an_execution_begins_a_new_version(proc: Path) -> None:
    known = processes(proc)
    known.observe_exec(42, 5 * SECOND, time_ns=5 * SECOND, name="sh", executable="/bin/sh", args=("sh",))
    known.observe_exec(42, 5 * SECOND, time_ns=6 * SECOND, name="curl", executable="/bin/curl", args=("curl", "x"))
    versions = [(row.name, row.executable, row.valid_from - BOOT, row.valid_to) for row in known.changes.take()]
    assert versions == [
        ("sh", "/bin/sh", 5 * SECOND, BOOT + 6 * SECOND),
        ("curl", "/bin/curl", 6 * SECOND, None),
    ]


def test_an_exec_event_that_proc_has_shown_already_changes_nothing(proc: Path) -> None:
    start = 5 * SECOND
    put(proc, 42, start, name="late")
    known = processes(proc)
    known.get(42, start)
    known.observe_exec(42, start, time_ns=start + 1, name="early", executable="/bin/early", args=("early",))
    found = known.get(42, start)
    assert found is not None and (found.name, found.executable) == ("late", "/usr/bin/python3.11")


def test_an_exit_alone_still_names_the_process(proc: Path) -> None:
    known = processes(proc)
    known.observe_exit(42, SECOND, time_ns=3 * SECOND, name="cron", uid=0, parent_pid=1)
    found = known.get(42, SECOND)
    assert found is not None and (found.name, found.valid_to) == ("cron", BOOT + 3 * SECOND)


def test_the_parent_that_made_it_stays(proc: Path) -> None:
    put(proc, 42, 5 * SECOND, parent=1)  # adopted by init since
    known = processes(proc)
    known.observe_exec(42, 5 * SECOND, time_ns=5 * SECOND, name="python3", parent_pid=7)
    assert (found := known.get(42, 5 * SECOND)) and found.parent_pid == 7


def test_memory_is_bounded(proc: Path) -> None:
    known = processes(proc, capacity=100)
    for pid in range(1, 1001):
        known.observe_owner(pid, pid * SECOND, 0, "x")
    statistics = known.statistics()
    assert (statistics["processes"], statistics["forgotten"], statistics["alive"]) == (100, 900, 100)
    assert len(known.changes) == 100 and statistics["changes_dropped"] == 900
    assert known.get(1000, 1000 * SECOND, look=False) is not None
    assert known.get(1, SECOND, look=False) is None


def test_a_sweep_notes_who_ended(proc: Path) -> None:
    put(proc, 42, 5 * SECOND)
    put(proc, 43, 5 * SECOND)
    known = processes(proc)
    known.get(42, 5 * SECOND)
    known.get(43, 5 * SECOND)
    shutil.rmtree(proc / "42")
    put(proc, 43, 8 * SECOND, name="other")
    known.changes.take()
    known.sweep()
    ended = known.changes.take()
    assert {(row.pid, row.name) for row in ended} == {(42, "python3"), (43, "python3")}
    assert all(row.valid_to for row in ended)
    known.sweep()
    assert known.changes.take() == []


def test_where_proc_is_not_ours_only_kernel_facts_count(proc: Path) -> None:
    put(proc, 42, 5 * SECOND, name="somebody-else")
    known = Processes(proc, trusted=False)
    known.observe_owner(42, 5 * SECOND, 0, "curl")
    found = known.get(42, 5 * SECOND)
    assert found is not None and (found.name, found.executable) == ("curl", None)
    known.sweep()
    assert known.statistics()["proc_reads"] == 0
    assert known.get(43, SECOND) is None


def test_what_proc_says_of_kernel_threads_and_odd_names(proc: Path) -> None:
    put(proc, 2, 0, name="a) S 1 (b", executable=None, args=b"", parent=3)
    found = read_process(2, proc)
    assert found is not None
    assert (found.name, found.executable, found.args, found.parent_pid) == ("a) S 1 (b", None, (), 3)


def test_long_arguments_are_cut_and_say_so(proc: Path) -> None:
    put(proc, 2, 0, args=b"echo\0" + b"x" * 10_000 + b"\0")
    found = read_process(2, proc)
    assert found is not None and found.args[1].endswith("x…")
    assert len("\0".join(found.args)) == ARGUMENTS_MAX + 1


def test_a_replaced_program_keeps_its_path(proc: Path) -> None:
    put(proc, 2, 0, executable="/usr/bin/app (deleted)")
    found = read_process(2, proc)
    assert found is not None and found.executable == "/usr/bin/app"


def test_a_process_that_is_not_there(proc: Path) -> None:
    assert read_process(2, proc) is None
    assert read_start(2, proc) is None


def test_ourselves_in_the_real_proc() -> None:
    found = read_process(os.getpid(), Path("/proc"))
    assert found is not None
    assert found.parent_pid == os.getppid() and found.uid == os.getuid()
    assert found.executable is not None and "python" in found.executable
    assert read_start(os.getpid(), Path("/proc")) == found.start_ticks


def namespaces(proc: Path, pid_namespace: str, offsets: str = "monotonic 0 0\nboottime 0 0\n") -> None:
    for who in ("1", "self"):
        (proc / who / "ns").mkdir(parents=True)
        (proc / who / "ns/pid").symlink_to(pid_namespace)
        (proc / who / "timens_offsets").write_text(offsets)


def test_when_proc_is_trusted(proc: Path) -> None:
    namespaces(proc, "pid:[4026531836]")
    assert distrust(proc) is None


def test_a_pid_namespace_of_its_own_is_not(proc: Path) -> None:
    namespaces(proc, "pid:[4026532000]")
    assert "hostPID" in (distrust(proc) or "")
    assert "not readable" in (distrust(proc / "missing") or "")


def test_a_time_namespace_is_not(proc: Path) -> None:
    namespaces(proc, "pid:[4026531836]", "monotonic 0 0\nboottime 86400 0\n")
    assert "time namespace" in (distrust(proc) or "")
