"""The agent under load: `beespace watch` on a cgroup with ten thousand flows."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
from measure import Row, cgroup, environment, inside

DESTINATIONS = 5_000
RATE = 50_000  # datagrams a second; each is a packet of its sender's and one of its receiver's
SECONDS = 10.0
SETTLE = 3.0
TRAFFIC = str(Path(__file__).parent / "traffic.py")


def rows() -> Iterator[Row]:
    with TemporaryDirectory() as folder, cgroup("agent") as place:
        port = _free_port()
        receiver = inside(place, [sys.executable, TRAFFIC, "receive", str(port)])
        assert receiver.stdout is not None
        receiver.stdout.readline()
        sender = inside(place, [sys.executable, TRAFFIC, "send", str(port), str(DESTINATIONS), str(RATE)])
        try:
            stream, store = Path(folder) / "flows.arrow", Path(folder) / "store"
            command = ["watch", "--cgroup", str(place), "-o", "arrow"]
            used = _run(command, stream, lambda: stream.stat().st_size > 0)
            seen = _seen(stream)
            yield from _rows("watch -o arrow", used, seen)
            kept = _run([*command, "--store", str(store)], stream, lambda: any(store.glob("flows/*.parquet")))
            yield from _rows("watch -o arrow --store", kept, _seen(stream))
        finally:
            for process in (sender, receiver):
                process.kill()
                process.communicate()


def _rows(what: str, used: tuple[float, float], seen: tuple[float, float, int]) -> Iterator[Row]:
    share, memory = used
    flows, packets, lost = seen
    how = f"{flows:,.0f} flows an interval, {packets:,.0f} packets/s, {lost:,} lost; {SECONDS:.0f} s of /proc/PID/stat"
    yield Row(f"agent, {what}: CPU of one core", share * 100, "%", 5, how=how)
    yield Row(f"agent, {what}: most memory", memory, "MB", 200, how="VmHWM of the same run")


def _run(arguments: Sequence[str], output: Path, ready: Callable[[], bool]) -> tuple[float, float]:
    """Share of one core over ten seconds, and the most resident megabytes."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "beespace", *arguments],
            env=environment(), stdout=file, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"beespace {' '.join(arguments)} saw nothing")
            time.sleep(0.05)
        time.sleep(SETTLE)
        before, began = _cpu(process.pid), time.monotonic()
        time.sleep(SECONDS)
        share = (_cpu(process.pid) - before) / (time.monotonic() - began)
        memory = _status(process.pid, "VmHWM") * 1024 / 1e6
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=30)[1]
        if process.returncode:
            raise RuntimeError(f"beespace {' '.join(arguments)} ended with {process.returncode}: {errors}")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    return share, memory


def _seen(stream: Path) -> tuple[float, float, int]:
    """Of the middle intervals: flows each, packets a second; rows and packets that were lost altogether."""
    with pa.ipc.open_stream(stream) as reader:
        batches = []
        lost = 0
        for batch, metadata in reader.iter_batches_with_custom_metadata():
            batches.append(batch)
            if metadata is not None:
                lost += sum(json.loads(metadata[b"lost"]).values())
    middle = batches[2:-1]
    flows = sum(batch.num_rows for batch in middle) / len(middle)
    seconds = sum(batch.column("interval_s")[0].as_py() for batch in middle)
    packets = sum(pc.sum(batch.column(name)).as_py() for batch in middle for name in ("tx_packets", "rx_packets"))
    return flows, packets / seconds, lost


def _cpu(pid: int) -> float:
    """Seconds of CPU that all its threads have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("0.0.0.0", 0))
        port: int = one.getsockname()[1]
        return port
