"""Enrichment against the running kernel: real cgroup ids, a really reused pid, a detached mount."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from pace import patience

from beespace.enrich import CgroupTree, Containers, Processes, Who
from beespace.syscall.mounts import parse_mountinfo, widest_mount

pytestmark = pytest.mark.kernel

A = "a1" * 32
UID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A cgroup v2 folder of our own, with whatever is in it at the end removed."""
    mount = widest_mount(parse_mountinfo(Path("/proc/self/mountinfo").read_text()))
    if mount is None:
        pytest.skip("no cgroup v2 hierarchy is mounted")
    folder = Path(mount) / f"beespace-test-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    yield folder
    for path, _, _ in os.walk(folder, topdown=False):
        for _attempt in range(200):
            try:
                Path(path).rmdir()
                break
            except OSError:  # the last process is still being reaped
                time.sleep(0.02)
        else:
            pytest.fail(f"cgroup {path} could not be removed")


def start_in(cgroup: Path, *command: str) -> subprocess.Popen[bytes]:
    script = 'echo $$ >"$0/cgroup.procs" && exec "$@"'
    process = subprocess.Popen(["sh", "-c", script, str(cgroup), *command])
    wait_for_name(process, Path(command[0]).name)
    return process


def wait_for_name(process: subprocess.Popen[bytes], name: str) -> None:
    """Until it is called so: Popen returns when the new program has begun, which has its name a moment later."""
    deadline = time.monotonic() + patience(10)
    while Path(f"/proc/{process.pid}/comm").read_text().strip() != name:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def start_ns(pid: int) -> int:
    """As the kernel would say it: somewhere within the tick that /proc shows."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]) * 10_000_000 + 123_456


def test_cgroup_ids_are_inode_numbers(cgroup: Path) -> None:
    inner = cgroup / f"kubepods/besteffort/pod{UID}/{A}"
    inner.mkdir(parents=True)
    tree = CgroupTree()
    found = tree.get(inner.stat().st_ino)
    assert found is not None
    assert found.path == f"/{cgroup.name}/kubepods/besteffort/pod{UID}/{A}"
    assert (found.membership.container_id, found.membership.pod_uid) == (A, UID)
    tree.close()


def test_a_detached_mount_sees_the_same_tree(cgroup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beespace.enrich.cgroup_tree.widest_mount", lambda _mounts: None)
    tree = CgroupTree()
    try:
        assert str(tree.root).startswith("/proc/self/fd/")
        found = tree.get(cgroup.stat().st_ino)
        assert found is not None and found.path == f"/{cgroup.name}"
    finally:
        tree.close()
    assert tree.root is None


def test_a_removed_cgroup_is_remembered(cgroup: Path) -> None:
    inner = cgroup / A
    inner.mkdir()
    cgroup_id = inner.stat().st_ino
    tree = CgroupTree()
    assert tree.get(cgroup_id) is not None
    inner.rmdir()
    tree.walk()
    found = tree.get(cgroup_id)
    assert found is not None and found.membership.container_id == A and found.valid_to is not None
    inner.mkdir()  # the same name again is another cgroup
    assert inner.stat().st_ino != cgroup_id
    tree.close()


def test_a_process_in_a_container_cgroup(cgroup: Path) -> None:
    inner = cgroup / f"docker/{A}"
    inner.mkdir(parents=True)
    process = start_in(inner, "sleep", "60")
    try:
        known = Processes(trusted=True)
        found = known.get(process.pid, start_ns(process.pid))
        assert found is not None
        assert (found.name, found.container_id, found.parent_pid) == ("sleep", A, os.getpid())
        deadline = time.monotonic() + patience(10)
        while found.args is None:  # it has its name before them
            assert time.monotonic() < deadline
            found = known.get(process.pid, start_ns(process.pid))
            assert found is not None
        assert found.args == ("sleep", "60")
    finally:
        process.kill()
        process.wait()
    known.sweep()
    gone = known.get(process.pid, found.start_ns)
    assert gone is not None and (gone.name, gone.container_id) == ("sleep", A)
    assert gone.valid_to is not None and gone.valid_to >= gone.valid_from


def test_an_execution_is_seen_when_the_kernels_name_changes() -> None:
    process = subprocess.Popen(["sh", "-c", "read line; exec sleep 60"], stdin=subprocess.PIPE)
    try:
        clock = [0.0]
        known = Processes(trusted=True, clock=lambda: clock[0])
        start = start_ns(process.pid)
        wait_for_name(process, "sh")
        known.observe_owner(process.pid, start, 0, "sh")
        assert (found := known.get(process.pid, start)) is not None and found.name == "sh"
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
        wait_for_name(process, "sleep")
        clock[0] = 5.0
        deadline = time.monotonic() + patience(10)
        known.observe_owner(process.pid, start, 0, "sleep")
        # The kernel changes the name first; until there are arguments, there are none, but not those of before.
        while (found := known.get(process.pid, start)) is None or found.args is None:
            assert time.monotonic() < deadline
        assert (found.name, found.args) == ("sleep", ("sleep", "60"))
    finally:
        process.kill()
        process.wait()


# In a PID namespace of its own, so that choosing the next pid disturbs nobody.
REUSE = """
import json, os, subprocess, time
from beespace.enrich import Processes

def start_of(pid):
    return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[19]) * 10_000_000

def until_it_runs(pid, name):
    while open(f"/proc/{pid}/comm").read() != name + "\\n":
        time.sleep(0.01)

result = {"distrusted": Processes().distrusted}
known = Processes(trusted=True)
first = subprocess.Popen(["sleep", "60"])
until_it_runs(first.pid, "sleep")
start = start_of(first.pid)
result["before"] = known.get(first.pid, start).name
first.kill()
first.wait()
time.sleep(0.05)
for _ in range(20):
    with open("/proc/sys/kernel/ns_last_pid", "w") as file:
        file.write(str(first.pid - 1))
    second = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    if second.pid == first.pid:
        break
    second.stdin.close()
    second.wait()
result["reused"] = second.pid == first.pid
until_it_runs(second.pid, "cat")
fresh = Processes(trusted=True)
result["stranger"] = fresh.get(first.pid, start) is None
result["counted"] = fresh.statistics()["pid_reused"]
known.observe_owner(first.pid, start, 0, "sleep")
result["old"] = known.get(first.pid, start).name
result["new"] = known.get(second.pid, start_of(second.pid)).name
result["old again"] = known.get(first.pid, start).name
result["ended"] = known.get(first.pid, start).valid_to is not None
second.stdin.close()
second.wait()
print(json.dumps(result))
"""


def test_a_pid_that_the_kernel_hands_out_again_lends_no_name() -> None:
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-c", REUSE]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=patience(60), env={**os.environ, "PYTHONPATH": _source()}
    )
    if "ns_last_pid" in done.stderr:
        pytest.skip("this kernel does not let the next pid be chosen (CONFIG_CHECKPOINT_RESTORE)")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert "PID namespace of its own" in result.pop("distrusted")
    assert result == {
        "before": "sleep",
        "reused": True,
        "stranger": True,
        "counted": 1,
        "old": "sleep",
        "new": "cat",
        "old again": "sleep",
        "ended": True,
    }


def _source() -> str:
    import beespace

    assert beespace.__file__ is not None
    return str(Path(beespace.__file__).parent.parent)


def test_who_resolves_ourselves() -> None:
    import numpy as np

    with Who(Processes(trusted=True), CgroupTree(), Containers([])) as who:
        own = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
        found = who.resolve(
            np.array([os.getpid()], np.uint32),
            np.array([start_ns(os.getpid())], np.uint64),
            np.array([1], np.uint64),
            names=["thread"],
        )
        assert found["process_name"].to_pylist() == [own]
        assert found["process_executable"].to_pylist() == [str(Path("/proc/self/exe").readlink())]
