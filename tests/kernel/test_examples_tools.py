"""Every file in ``examples/tools`` is run, and what it says is held against what the test did."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pace import wait_for
from since import compiled_since

from beespace.session.files import program_of

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("own_cache")]

TOOLS = Path(__file__).parent.parent.parent / "examples" / "tools"


def mine(events: Any, **wanted: Any) -> list[Any]:
    """The events that are there and have these values; others on this machine cause some meanwhile."""
    return [event for event in events if all(getattr(event, name) == value for name, value in wanted.items())]


def allocations(probe: Any, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "import ctypes; m = ctypes.CDLL(None).malloc\nfor _ in range(300): m(100_000)"]
    )
    assert process.wait() == 0
    buckets = {bucket.low: bucket.count for bucket in probe.sizes[process.pid].buckets}
    assert buckets[65_536] >= 300  # 65536 to 131071


def attributes(probe: Any, tmp_path: Path) -> None:
    file = tmp_path / "asked"
    file.write_text("honey")
    file.stat()
    events = [event for event in mine(probe.questions.available(), pid=os.getpid()) if event.path == str(file)]
    assert 5 in {event.size for event in events}  # opening it may ask, too


def block_io(probe: Any, tmp_path: Path) -> None:
    if os.major(tmp_path.stat().st_dev) == 0:
        pytest.skip(f"{tmp_path} is in memory: nothing goes to a disk")
    before = {kind: entry.total for kind, entry in probe.latency.items()}
    done = subprocess.run(
        ["dd", "if=/dev/zero", f"of={tmp_path}/file", "bs=64k", "count=8", "oflag=direct"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    disks = [each.name for each in Path("/sys/block").iterdir() if each.name.startswith(("sd", "vd", "nvme", "xvd"))]
    if done.returncode or not disks:
        pytest.skip(f"no file system on a disk here: {done.stderr}")
    write = 1
    assert probe.latency[write].total - before.get(write, 0) >= 1
    assert 0 < probe.latency[write].mean < 60_000_000


def commands(probe: Any, tmp_path: Path) -> None:
    control, terminal = pty.openpty()
    environment = {"PS1": "", "HISTFILE": "", "TERM": "dumb", "PATH": os.environ["PATH"]}
    command = ["/bin/bash", "--norc", "--noprofile", "-i"]
    shell = subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment, start_new_session=True
    )
    os.close(terminal)
    try:
        os.write(control, b"true bee\nexit\n")
        assert shell.wait(30) == 0
    finally:
        shell.kill()
        os.close(control)
    assert [event.line for event in mine(probe.lines.available(), pid=shell.pid)] == ["true bee", "exit"]


def connection_lives(probe: Any, tmp_path: Path) -> None:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.create_server((address, 0), family=family) as server:
            port = server.getsockname()[1]
            with socket.create_connection((address, port)) as client, server.accept()[0] as connection:
                ours = client.getsockname()[1]
                client.sendall(bytes(1234))
                assert len(connection.recv(1234, socket.MSG_WAITALL)) == 1234
                connection.send(b"ok")
                assert client.recv(2) == b"ok"
                client.shutdown(socket.SHUT_WR)
                assert connection.recv(1) == b""
        lives: list[Any] = []
        for event in probe.lives.events(2):
            lives += mine([event], pid=os.getpid(), local_port=ours, remote_port=port)
            if lives:
                break
        (life,) = lives
        assert (life.local, life.remote) == (address, address)
        # The SYN is one byte more, and so is the FIN.
        assert (life.sent - 1234 in (0, 1, 2), life.received - 2 in (0, 1)) == (True, True)
        assert 0 < life.lasted < 60_000_000_000


def connects(probe: Any, tmp_path: Path) -> None:
    before, failed = probe.latency.total, probe.failed.value
    with socket.create_server(("127.0.0.1", 0)) as server:
        for _ in range(7):
            socket.create_connection(server.getsockname()).close()
        nobody = server.getsockname()
    for _ in range(3):
        with socket.socket() as client:
            assert client.connect_ex(nobody) == errno.ECONNREFUSED
    assert probe.latency.total - before >= 7
    assert probe.failed.value - failed >= 3
    assert probe.latency.percentile(50) < 10_000_000


def drops(probe: Any, tmp_path: Path) -> None:
    def to_nobody() -> int:
        return sum(count for drop, count in probe.drops.items() if drop.protocol == 0x0800)

    before = to_nobody()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        nobody = free.getsockname()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(5):
            sender.sendto(b"nobody listens", nobody)
    assert to_nobody() - before >= 5


def escapes(probe: Any, tmp_path: Path) -> None:
    outside = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    if outside.returncode:
        pytest.skip(f"no namespaces here: {outside.stderr}")
    subprocess.run(["unshare", "--pid", "--fork", "unshare", "--mount", "true"], check=True)
    alarms = list(probe.alarms.available())
    unshared = [alarm for alarm in alarms if alarm.deed.name == "UNSHARE" and alarm.inner_pid == 1]
    assert [alarm.argument for alarm in unshared] == [0x20000]  # CLONE_NEWNS
    mounted = mine(alarms, pid=unshared[0].pid, inner_pid=1)[1:]
    assert {(alarm.deed.name, alarm.path) for alarm in mounted} == {("MOUNT", "/")}


def executions(probe: Any, tmp_path: Path) -> None:
    process = subprocess.Popen(["/bin/echo", "one", "two words", "3" * 100], stdout=subprocess.DEVNULL)
    assert process.wait() == 0
    events = mine(probe.executions.available(), pid=process.pid, result=0)
    assert [event.arguments[: event.count] for event in events] == [["/bin/echo", "one", "two words", "3" * 63]]
    assert [(event.comm, event.parent, event.uid) for event in events] == [("echo", os.getpid(), os.getuid())]


def exits(probe: Any, tmp_path: Path) -> None:
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read(); sys.exit(7)"], stdin=-1)
    process.communicate()
    lived = time.monotonic() - began
    killed = subprocess.Popen(["sleep", "60"])
    killed.kill()
    killed.wait()
    found = list(probe.exits.available())
    (ended,) = mine(found, pid=process.pid)
    assert (ended.parent, ended.status) == (os.getpid(), 7)
    assert 0 < ended.age <= lived * 1e9 + 1e8
    assert [event.status for event in mine(found, pid=killed.pid)] == [-signal.SIGKILL]


def faults(probe: Any, tmp_path: Path) -> None:
    pages = 500
    touching = f"import mmap; m = mmap.mmap(-1, {pages} * 4096)\nfor i in range({pages}): m[i * 4096] = 1"
    naming = "open('/proc/self/comm', 'w').write('bee_faults')"
    subprocess.run([sys.executable, "-c", f"{naming}\n{touching}"], check=True)
    assert probe.faults["bee_faults"] >= pages


def function_latency(probe: Any, tmp_path: Path) -> None:
    before = probe.latency.total
    with Path("/dev/zero").open("rb", buffering=0) as zeroes:
        for _ in range(100):
            zeroes.read(10)
    assert probe.latency.total - before >= 100


def lineage(probe: Any, tmp_path: Path) -> None:
    script = "echo $$; /bin/sh -c 'echo $$; /bin/sleep 0.01 & echo $!; wait; :'; :"
    done = subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True, check=True)
    bash, shell, sleep = map(int, done.stdout.split())
    assert probe.ancestors(bash) == ["bash"]
    assert probe.ancestors(shell) == ["sh", "bash"]
    assert probe.ancestors(sleep) == ["sleep", "sh", "bash"]
    assert probe.family.lost == 0


def leaks(probe: Any, tmp_path: Path) -> None:
    code = "import ctypes\nc = ctypes.CDLL(None)\nc.malloc.restype = ctypes.c_void_p\n"
    code += "c.free.argtypes = [ctypes.c_void_p]\n"
    code += "places = [c.malloc(123457) for _ in range(100)]\nfor place in places[:60]: c.free(place)"
    with type(probe)(least=100_000) as of_large_ones:  # stacks of others may fall into the same slot
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
        assert 40 * 123_457 in [size for _, size in of_large_ones.open.items()]


def locks(probe: Any, tmp_path: Path) -> None:
    code = "import threading, time\nlock = threading.Lock()\ndef work():\n    for _ in range(20):\n"
    code += "        with lock: time.sleep(0.002)\nworkers = [threading.Thread(target=work) for _ in range(4)]\n"
    code += "for worker in workers: worker.start()\nfor worker in workers: worker.join()"
    process = subprocess.Popen([sys.executable, "-c", code])
    assert process.wait() == 0
    waits = [waits for lock, waits in probe.locks.items() if lock.pid == process.pid]
    assert sum(each.count for each in waits) > 10
    assert sum(each.total for each in waits) > 40_000_000
    assert all(0 < each.shortest <= each.longest <= each.total for each in waits)


def maps(probe: Any, tmp_path: Path) -> None:
    probe.iterate("on_map")
    (own,) = [entry for entry in probe.found.values() if (entry.name, entry.value_size) == ("found", 32)]
    assert (own.type, own.max_entries, own.key_size) == (1, 10_240, 4)


def mounts(probe: Any, tmp_path: Path) -> None:
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "bee-source", str(tmp_path)]
    subprocess.run(command, check=True)
    found = mine(probe.mounts.available(), source="bee-source")
    if not found:
        pytest.skip("this mount(8) uses fsmount(), which is another system call")
    assert [(event.target, event.type, event.result, event.comm) for event in found] == [
        (str(tmp_path), "tmpfs", 0, "mount")
    ]


def names(probe: Any, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", "import socket; socket.getaddrinfo('localhost', 80)"], check=True)
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("name.invalid.", 80, flags=socket.AI_NUMERICHOST)
    found = list(probe.lookups.available())
    assert any(event.result == 0 for event in mine(found, name="localhost"))
    (failed,) = mine(found, name="name.invalid.", pid=os.getpid())
    assert failed.result == socket.EAI_NONAME and 0 < failed.took < 60e9


def off_cpu(probe: Any, tmp_path: Path) -> None:
    began = time.monotonic_ns()
    time.sleep(0.4)
    slept = time.monotonic_ns() - began
    mine = {place: time for place, time in probe.times.items() if place.pid == os.getpid()}
    place = max(mine, key=lambda each: mine[each])
    assert 0.39e9 <= mine[place] <= slept
    assert any(symbol.startswith("schedule") for symbol in probe.stacks.symbols(place.kernel))
    assert len(probe.stacks[place.user]) >= 1


def on_cpu(probe: Any, tmp_path: Path) -> None:
    naming = "open('/proc/self/comm', 'w').write('bee_turns')"
    code = f"import time; {naming}\nfor _ in range(50): time.sleep(0.001)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert probe.times["bee_turns"].total >= 50
    assert 0 < probe.times["bee_turns"].sum < 60e6


def open_files(probe: Any, tmp_path: Path) -> None:
    files = [(tmp_path / str(number)).open("w") for number in range(20)]
    try:
        probe.iterate("on_file")
        listed = len(list(Path("/proc/self/fd").iterdir())) - 1  # the one that lists
        assert probe.files[os.getpid()] == listed + 2  # the iterator, and what it is made from
    finally:
        for file in files:
            file.close()


def opens(probe: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(FileNotFoundError):
        (tmp_path / "missing").read_text()
    found = mine(probe.opens.available(), pid=os.getpid())
    results = {event.path: event.result for event in found}
    assert results[str(path)] > 2
    assert results[str(tmp_path / "missing")] == -errno.ENOENT


def output(probe: Any, tmp_path: Path) -> None:
    said = [b"x" * length for length in (1, 7, 4096, 5000)]
    command = ["import os, sys", "sys.stdin.read()", *(f"os.write(2, b'x' * {len(data)})" for data in said)]
    process = subprocess.Popen([sys.executable, "-c", "; ".join(command)], stdin=-1, stderr=-1)
    with type(probe)(process=process.pid) as own:
        assert process.communicate()[1] == b"".join(said)
        found = mine(own.written.available(), descriptor=2)
    assert [(event.size, event.data) for event in found] == [(len(data), data[:4096]) for data in said]


def processes(probe: Any, tmp_path: Path) -> None:
    children = [subprocess.Popen(["sleep", "60"]) for _ in range(5)]
    try:
        probe.test_run("walk")
        assert probe.children[os.getpid()] >= 5
    finally:
        for child in children:
            child.kill()
            child.wait()


def profile(probe: Any, tmp_path: Path) -> None:
    process = subprocess.Popen(["sh", "-c", "while :; do :; done"])
    time.sleep(0.7)
    process.kill()
    process.wait()
    samples = sum(count for place, count in probe.samples.items() if place.pid == process.pid)
    assert 5 <= samples <= 99


def reads(probe: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb", buffering=0) as file:
        for _ in range(40):
            file.write(b"x" * 100)
    with path.open("rb", buffering=0) as file:
        while file.read(100):
            pass
    traffic = probe.traffic[os.getpid()]
    assert traffic.writes >= 40 and traffic.reads >= 41 and traffic.read_bytes >= 4000
    assert "on_write" in probe.explain()


def run_queue(probe: Any, tmp_path: Path) -> None:
    before = probe.waits.total
    for _ in range(20):
        time.sleep(0.001)
    assert probe.waits.total - before >= 20
    assert probe.waits.mean < 10_000_000


def signals(probe: Any, tmp_path: Path) -> None:
    target = subprocess.Popen(["sleep", "60"])
    while Path(f"/proc/{target.pid}/comm").read_text() != "sleep\n":
        time.sleep(0.01)
    target.send_signal(signal.SIGUSR1)
    target.wait()
    (sent,) = mine(probe.signals.available(), target=target.pid, signal=signal.SIGUSR1)
    assert (sent.sender, sent.target_comm) == (os.getpid(), "sleep")


def softirqs(probe: Any, tmp_path: Path) -> None:
    timer = 1
    before = probe.count[timer]
    wait_for(lambda: probe.count[timer] > before, "no timer ran")  # an idle machine may have none for a while
    assert 0 < probe.time[timer] < 60e9


def system_calls_by_cgroup(probe: Any, tmp_path: Path) -> None:
    libc = ctypes.CDLL(None)
    for _ in range(700):
        libc.getppid()
    totals = [sum(table.values()) for table in (probe.calls, probe.getppid, probe.others)]
    assert totals[1] >= 700
    assert totals[2] > 0
    again = [sum(table.values()) for table in (probe.calls, probe.getppid, probe.others)]
    assert totals[1] + totals[2] <= again[0]  # each call went one way or the other
    assert totals[0] <= again[1] + again[2] + 2 * (os.cpu_count() or 1)


def syscalls(probe: Any, tmp_path: Path) -> None:
    getppid = {"x86_64": 110, "aarch64": 173}[os.uname().machine]
    libc = ctypes.CDLL(None)
    for _ in range(1234):
        libc.getppid()
    counts = {call.number: count for call, count in probe.calls.items() if call.pid == os.getpid()}
    assert counts[getppid] == 1234


def tcp_states(probe: Any, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        port = server.getsockname()[1]
        client.connect(("127.0.0.1", port))
        with server.accept()[0]:
            pass
        client.recv(1)
    time.sleep(0.1)
    found = list(probe.changes.available())
    there = [(event.old, event.new) for event in mine(found, remote_port=port)]
    assert there[:3] == [(7, 2), (2, 1), (1, 8)]  # CLOSE, SYN_SENT, ESTABLISHED, CLOSE_WAIT
    assert {event.remote_address for event in mine(found, remote_port=port)} == {"127.0.0.1"}
    assert (7, 10) in [(event.old, event.new) for event in mine(found, port=port)]  # LISTEN


CHECKS: dict[str, Callable[[Any, Path], None]] = {
    check.__name__: check
    for check in (
        allocations,
        attributes,
        block_io,
        commands,
        connection_lives,
        connects,
        drops,
        escapes,
        executions,
        exits,
        faults,
        function_latency,
        lineage,
        leaks,
        locks,
        maps,
        mounts,
        names,
        off_cpu,
        on_cpu,
        open_files,
        opens,
        output,
        processes,
        profile,
        reads,
        run_queue,
        signals,
        softirqs,
        syscalls,
        system_calls_by_cgroup,
        tcp_states,
    )
}

FILES = sorted(TOOLS.glob("*.py"))


SINCE = {
    "drops": "5.17",  # the reason that kfree_skb gives
    "escapes": "6.5",  # how many numbers a process has (b69f0aeb0689)
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.usefixtures("no_leaks")
def test_tool(file: Path, tmp_path: Path) -> None:
    assert file.stem in CHECKS, f"{file.name} has no test: add what it should say to CHECKS"
    program: Any = program_of(file)
    with contextlib.ExitStack() as running:
        with compiled_since(SINCE.get(file.stem)):
            probe = running.enter_context(program())
        CHECKS[file.stem](probe, tmp_path)
