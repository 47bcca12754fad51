"""``beespace watch`` as somebody at a terminal or in a script meets it.

Every process that talks is the test's own and in the test's own cgroup; ``--cgroup`` keeps everybody else out of
``flows``.  The ``execs`` probe sees the whole machine, so rows are picked by pid.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pace import patience, wait_for
from readiness import Readiness
from watching import TALK, WATCH, Place, end, environment, rows_of, said

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("flows_load")]

SUMMARY = re.compile(r"\d+ flows? .*sent .* in .* packets?  received .* packets?  nothing lost  unattributed 0 packets")

# -- the table ----------------------------------------------------------------------------------------------


@pytest.mark.host_only
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_table_into_a_pipe(place: Place, watch: Callable[..., subprocess.Popen[str]], how: signal.Signals) -> None:
    talker, port = place.talker()
    process = watch("--interval", "300ms")
    time.sleep(1)
    output, errors = end(process, how)
    assert errors == ""
    assert "\x1b" not in output
    snapshots = [lines.splitlines() for lines in output.split("\n\n") if lines.startswith("PROCESS")]
    assert len(snapshots) >= 2
    header, *rows, status = snapshots[1]
    assert header.split()[:4] == ["PROCESS", "PID", "LOCAL", "REMOTE"]
    assert [row.split()[1] for row in rows] == [str(talker.pid)] * 2
    assert sorted(f"127.0.0.1:{port}" in row.split()[2] for row in rows) == [False, True]
    assert status.startswith("2 flows  lost 0  ↑ ")
    assert SUMMARY.search(output.splitlines()[-1])
    assert output.splitlines()[-1].count("2 flows") == 1


@pytest.mark.host_only
@pytest.mark.parametrize("columns", [20, 80])
def test_table_on_a_terminal(place: Place, watch: Callable[..., subprocess.Popen[str]], columns: int) -> None:
    talker, _port = place.talker()
    near, far = pty.openpty()
    try:
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 12, columns, 0, 0))
        process = watch("--interval", "300ms", stdout=far, stdin=far, text=False)
        os.close(far)
        far = -1
        screen = read_for(near, 1.5)
        process.send_signal(signal.SIGINT)
        screen += read_for(near, 30)
        assert process.wait(patience(30)) == 0
        said = process.communicate()[1].splitlines()
        assert [line for line in said if not line.startswith(b"beespace: note: ")] == []  # of what a kernel lacks
    finally:
        os.close(near)
        if far >= 0:
            os.close(far)
    text = screen.decode()
    before, entered, rest = text.partition("\x1b[?1049h")
    frames, left, after = rest.partition("\x1b[?1049l")
    assert entered and left, "the alternate screen was not entered and left"
    assert plain(before).strip() == ""
    lines = plain(frames).replace("\r", "").split("\n")
    assert all(len(line) <= columns for line in lines), max(lines, key=len)
    assert any(line.startswith("PROCESS" if columns == 80 else "PROCE…") for line in lines)
    name = Path(f"/proc/{talker.pid}/comm").read_text().strip()
    assert any(line.startswith(name[:4]) for line in lines)  # 20 columns may cut it after the fourth letter
    if columns == 80:
        assert any(str(talker.pid) in line for line in lines)
        assert any("2 flows  lost 0  ↑ " in line for line in lines)
    # Below the screen that was given back: the summary, folded where it must be, and the cursor visible.
    summary = plain(after).replace("\r", "")
    assert all(len(line) <= columns for line in summary.split("\n")), summary
    assert "nothinglost" in re.sub(r"\s", "", summary)
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def read_for(descriptor: int, seconds: float) -> bytes:
    """What comes for so long, or until the other end is closed."""
    data, end = b"", time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if not select.select([descriptor], [], [], left)[0]:
            break
        try:
            piece = os.read(descriptor, 65536)
        except OSError:
            break  # EIO: nobody has the terminal open any more
        data += piece
    return data


def plain(text: str) -> str:
    """``text`` without control sequences; each new picture begins on a line of its own."""
    return re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]", "", text.replace("\x1b[H", "\n"))


@pytest.mark.host_only
def test_no_traffic_at_all(watch: Callable[..., subprocess.Popen[str]]) -> None:
    process = watch()
    with socket.socket() as elsewhere, pytest.raises(ConnectionRefusedError):
        elsewhere.connect(("127.0.0.1", 1))  # what fails in other cgroups is not of this one
    output, errors = end(process)
    assert errors == ""
    assert "0 flows" in output.splitlines()[-1]


# -- other outputs ------------------------------------------------------------------------------------------


@pytest.mark.host_only
def test_json_and_filters(place: Place, watch: Callable[..., subprocess.Popen[str]]) -> None:
    one, port = place.talker()
    other, other_port = place.talker()
    began = time.monotonic()
    everything = watch("-o", "json", "--interval", "500ms")
    by_pid = watch("-o", "json", "--interval", "500ms", "--pid", str(one.pid))
    by_port = watch("-o", "json", "--interval", "500ms", "--port", str(other_port), "--port", "1")
    nothing = watch("-o", "json", "--interval", "500ms", "--pod", "no-such-pod")
    time.sleep(1.2)
    found = {process: end(process) for process in (everything, by_pid, by_port, nothing)}
    took = time.monotonic() - began
    rows = {process: rows_of(output) for process, (output, _errors) in found.items()}
    assert {row["process_pid"] for row in rows[everything]} == {one.pid, other.pid}
    assert {port, other_port} <= {row["local_port"] for row in rows[everything]}
    assert rows[by_pid] and {row["process_pid"] for row in rows[by_pid]} == {one.pid}
    assert rows[by_port] and all(other_port in (row["local_port"], row["remote_port"]) for row in rows[by_port])
    assert {row["role"] for row in rows[by_port]} == {"client", "server"}
    assert found[nothing][0] == ""
    assert all(SUMMARY.search(errors) for _output, errors in list(found.values())[:3])
    row = rows[everything][0]
    from beespace.stream.tables import FLOWS

    assert list(row) == FLOWS.schema.names
    assert isinstance(row["tx_bytes"], int) and 0.3 < row["interval_s"] < took
    assert (row["container_id"], row["pod_name"]) == (None, None)
    ends = [(row["local_address"], row["local_port"]) for row in rows[everything]]
    assert ("127.0.0.1", port) in ends


def test_what_is_sent_last_is_there(place: Place, watch: Callable[..., subprocess.Popen[str]]) -> None:
    """The last, short interval is written before the end: every byte of 40 echoes is in the rows."""
    talker, port = place.talker(TALK)
    process = watch("-o", "json", "--interval", "1h")
    assert talker.stdin is not None and talker.stdout is not None
    talker.stdin.write("40\n")
    talker.stdin.flush()
    assert talker.stdout.readline() == "done\n"
    rows = rows_of(end(process)[0])
    (server,) = (row for row in rows if row["local_port"] == port)
    (client,) = (row for row in rows if row["remote_port"] == port)
    assert (client["role"], server["role"]) == ("client", "server")
    assert client["tx_bytes"] == server["rx_bytes"] == 40 * 100 + 52 * client["tx_packets"]
    assert server["tx_bytes"] == client["rx_bytes"] == 40 * 100 + 52 * server["tx_packets"]
    assert client["tx_packets"] >= 40


@pytest.mark.host_only
def test_arrow_is_readable(place: Place, watch: Callable[..., subprocess.Popen[str]]) -> None:
    talker, _port = place.talker()
    process = watch("-o", "arrow", "--interval", "300ms", "--for", "1s", text=False)
    data, errors = process.communicate(timeout=patience(30))
    assert process.returncode == 0 and SUMMARY.search(errors.decode())
    with pa.ipc.open_stream(data) as reader:
        table = reader.read_all()
    assert set(table.column("process_pid").to_pylist()) == {talker.pid}
    assert table.schema.field("rtt_us").metadata[b"unit"] == b"us"
    assert sum(table.column("tx_bytes").to_pylist()) > 0


@pytest.mark.host_only
def test_for_is_kept(watch: Callable[..., subprocess.Popen[str]]) -> None:
    process = watch("-o", "json", "--for", "1500ms", "--interval", "1s")
    began = time.monotonic()
    assert process.wait(patience(30)) == 0
    assert time.monotonic() - began < patience(5)
    spoken = re.search(r"beespace: ([\d.]+) s: ", process.communicate()[1])
    assert spoken and 1.4 <= float(spoken[1]) <= patience(2.5)


@pytest.mark.host_only
@pytest.mark.parametrize("output", ["json", "table"])
def test_reader_that_goes(place: Place, watch: Callable[..., subprocess.Popen[str]], output: str) -> None:
    """``beespace watch | head -1``: the end, not an error."""
    place.talker()
    process = watch("-o", output, "--interval", "200ms")
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    errors = said(process.stderr.read() if process.stderr else "")
    assert process.wait(patience(30)) == 0
    assert errors == "" or (errors.count("\n") == 1 and SUMMARY.search(errors)), errors


# -- the store ----------------------------------------------------------------------------------------------


@pytest.mark.host_only
def test_query_while_it_runs(place: Place, watch: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    talker, port = place.talker()
    store = tmp_path / "store"
    process = watch("-o", "json", "--interval", "300ms", "--store", str(store))
    sql = (
        "select process_pid, role, count(*) as rows, sum(tx_bytes) as sent from flows "
        f"where {port} in (local_port, remote_port) group by all order by role"
    )
    deadline = time.monotonic() + patience(20)
    while True:
        asked = subprocess.run(
            [sys.executable, "-m", "beespace", "query", "--store", str(store), "-o", "json", sql],
            env=environment(), capture_output=True, text=True,
        )  # fmt: skip
        answer = rows_of(asked.stdout)
        if len(answer) == 2 or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert process.poll() is None, "it should still have been writing"
    assert [(row["process_pid"], row["role"]) for row in answer] == [(talker.pid, "client"), (talker.pid, "server")]
    output, errors = end(process)
    assert "beespace: the store" not in errors
    asked = subprocess.run(
        [sys.executable, "-m", "beespace", "query", "--store", str(store), "-o", "json",
         f"select sum(tx_bytes) as sent, min(process_executable) as executable from flows where local_port = {port}"],
        env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    (told,) = rows_of(asked.stdout)
    shown = [row for row in rows_of(output) if row["local_port"] == port]
    assert told["sent"] == sum(row["tx_bytes"] for row in shown)
    assert told["executable"] == str(Path(sys.executable).resolve())


def intervals(output: Path) -> int:
    """How many are complete in what was written so far."""
    whole, _, _ = output.read_text().rpartition("\n")
    return len({row["time"] for row in rows_of(whole)})


@pytest.mark.host_only
def test_full_disk(place: Place, watch: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    """A tmpfs of 64 KiB, mounted where only the agent sees it: a sentence, and watching goes on."""
    place.talker()
    (tmp_path / "small").mkdir()
    script = f"""
        mount -t tmpfs -o size=64k none {tmp_path}/small &&
        dd if=/dev/zero of={tmp_path}/small/ballast bs=4k count=9 2>/dev/null &&
        exec "$@"
    """
    options = ["--cgroup", str(place.path), "-o", "json", "--interval", "300ms", "--store", f"{tmp_path}/small/store"]
    output = tmp_path / "rows"
    readiness = Readiness()
    with output.open("w") as rows:
        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script, "sh", *WATCH, *options],
            env=environment() | readiness.environment, stdout=rows, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    try:
        readiness.wait(process)
        wait_for(lambda: intervals(output) >= 8, "watching did not go on")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=patience(30))
    finally:
        readiness.close()
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 1, errors
    assert "Traceback" not in errors
    told = [line for line in errors.splitlines() if "no space left on device" in line]
    assert len(told) == 1 and str(tmp_path / "small/store") in told[0]
    assert "help: make room there" in errors


# -- who may --------------------------------------------------------------------------------------------------


def test_not_root(place: Place) -> None:
    """As ``nobody``, who may read every file here so that Python itself starts, and nothing else."""
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all,+dac_read_search",
            "--ambient-caps=-all,+dac_read_search", "--bounding-set=-all,+dac_read_search"]  # fmt: skip
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not installed")
    done = subprocess.run(
        [*drop, *WATCH, "--cgroup", str(place.path), "--for", "1s"], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert re.match(r"beespace: not permitted to .*CAP_(BPF|SYS_ADMIN)", done.stderr, re.DOTALL), done.stderr
    assert "help: " in done.stderr


# -- execs --------------------------------------------------------------------------------------------------


def test_execs(place: Place, watch: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    process = watch("execs", "-o", "json", "--interval", "300ms")
    began = time.time()
    fine = place.start(["sh", "-c", "sleep 0.5; exit 7"])
    killed = place.start(["sleep", "100"])
    many = place.start([shutil.which("true") or "true", "first", *(f"argument-{number:04}" for number in range(200))])
    user = place.start(["true", "a b", ""], cwd=tmp_path)
    for one in (fine, many, user):
        one.wait()
    killed.terminate()
    killed.wait()
    time.sleep(0.5)
    rows = rows_of(end(process)[0])

    def of(one: subprocess.Popen[str]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """What it executed (first the shell that entered the cgroup), and its end."""
        mine = [row for row in rows if row["process_pid"] == one.pid]
        starts = [row for row in mine if row["exit_code"] is None]
        (last,) = (row for row in mine if row["exit_code"] is not None)
        return starts, last

    starts, last = of(fine)
    assert starts[-1]["process_args"] == "sh -c sleep 0.5; exit 7"
    assert starts[-1]["duration_s"] is None
    assert (last["exit_code"], last["process_name"]) == (7, "sh")
    assert 0.5 <= last["duration_s"] < 5
    assert last["process_start_time"] == starts[-1]["process_start_time"]
    assert last["parent_pid"] == starts[-1]["parent_pid"] == os.getpid()
    assert last["process_args"] == starts[-1]["process_args"]
    sleeps = [row for row in rows if row["parent_pid"] == fine.pid and row["process_args"] == "sleep 0.5"]
    assert [row["exit_code"] for row in sleeps] == [None, 0]

    starts, last = of(killed)
    assert starts[-1]["process_args"] == "sleep 100"
    assert Path(starts[-1]["process_executable"]).name == "sleep"
    assert last["exit_code"] == -signal.SIGTERM

    starts, last = of(many)
    line = starts[-1]["process_args"]
    assert line.startswith(f"{shutil.which('true') or 'true'} first argument-0000 argument-0001 ")
    assert line.endswith(" …")
    assert 400 < len(line.encode()) <= 512 + len(" …".encode())
    assert last["exit_code"] == 0

    starts, last = of(user)
    assert starts[-1]["process_args"].startswith("true a b")
    assert starts[-1]["process_uid"] == os.getuid()
    assert starts[-1]["cgroup_id"] == place.path.stat().st_ino
    times = [row["time"] for row in rows if row["process_pid"] == user.pid]
    assert times == sorted(times)
    assert abs(parsed(times[0]) - began) < 10


def parsed(text: str) -> float:
    """RFC 3339 as seconds since 1970."""
    from datetime import UTC, datetime

    return datetime.strptime(text[:26], "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC).timestamp()


def test_execs_and_flows_in_a_table(place: Place, watch: Callable[..., subprocess.Popen[str]]) -> None:
    talker, _port = place.talker()
    process = watch("flows", "execs", "--interval", "300ms")
    done = place.start(["sh", "-c", "exit 3"])
    done.wait()
    time.sleep(1)
    output, errors = end(process)
    assert errors == ""
    assert any(line.split()[1:2] == [str(talker.pid)] for line in output.splitlines())
    mine = [line for line in output.splitlines() if f" {done.pid} " in line]
    assert len(mine) >= 2 and mine[-1].endswith("sh -c exit 3")
    assert "exec events" in output.splitlines()[-1]
