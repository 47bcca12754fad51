"""The loader beside others: from the shell to an attached program, for the same object file."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import TWINS, Row, clang, environment, least, python

OURS = """
import sys
import beespace
with beespace.open(sys.argv[1]) as loaded:
    loaded.attach()
    print("attached", flush=True)
    sys.stdin.read()
"""
PHASES = """
import sys, time
began = time.perf_counter()
import beespace
from beespace.session.objects import read_object
from beespace.kernel import load
imported = time.perf_counter()
spec = read_object(sys.argv[1])
read = time.perf_counter()
with load(spec) as loaded:
    ready = time.perf_counter()
    loaded.attach()
    attached = time.perf_counter()
print(*(1e3 * (b - a) for a, b in zip((began, imported, read, ready), (imported, read, ready, attached))))
"""
# BCC needs the headers of the kernel; those of Debian's will do for what this program reads.
BCC_ROOM = """
mount -t debugfs none /sys/kernel/debug && mount -t tmpfs none /lib/modules &&
mkdir -p /lib/modules/$(uname -r) && ln -s "$1" /lib/modules/$(uname -r)/build &&
ln -s "$2" /lib/modules/$(uname -r)/source && shift 2 && exec "$@"
"""
BPFTOOL = 'mount -t bpf none "$1" && exec bpftool prog loadall "$2" "$1/probe"'


def _attached(command: Sequence[str], cache: str) -> tuple[float, float]:
    """Milliseconds from the start of ``command`` to its line "attached", and its peak memory in MB."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, env=environment(XDG_CACHE_HOME=cache), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stdin is not None
        line = process.stdout.readline()
        took = (time.perf_counter() - began) * 1e3
        memory = _peak(process.pid) if line else 0.0
        process.stdin.close()
        process.wait()
    if line != "attached\n":
        raise RuntimeError(f"{command[0]} did not attach")
    return took, memory


def _peak(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def _bpftool(file: str, mount: str) -> float:
    began = time.perf_counter()
    subprocess.run(["unshare", "-m", "sh", "-c", BPFTOOL, "sh", mount, file], check=True, capture_output=True)
    return (time.perf_counter() - began) * 1e3


def _bcc() -> list[str] | None:
    """The command that runs the BCC twin; None if BCC or headers are not installed."""
    sources = Path("/usr/src")
    headers = [sorted(map(str, sources.glob(f"linux-headers-*-{part}"))) for part in ("amd64", "common")]
    if not all(headers) or not Path("/usr/lib/python3/dist-packages/bcc").is_dir():
        return None
    build, source = (found[-1] for found in headers)
    run = ["/usr/bin/python3", str(TWINS / "hello_bcc.py")]
    return ["unshare", "-m", "sh", "-c", BCC_ROOM, "sh", build, source, *run]


def rows() -> Iterator[Row]:
    with TemporaryDirectory() as folder:
        file, runner = f"{folder}/hello.bpf.o", f"{folder}/hello"
        Path(file).write_bytes(subprocess.run(clang("hello"), check=True, stdout=subprocess.PIPE).stdout)
        subprocess.run(["gcc", "-O2", str(TWINS / "hello.c"), "-o", runner, "-lbpf"], check=True)
        (Path(folder) / "bpf").mkdir()
        commands = {"ours": python(OURS, file), "libbpf": [runner, file]}
        if (bcc := _bcc()) is not None:
            commands["bcc"] = bcc
        for command in commands.values():
            _attached(command, folder)  # fills caches: page cache, bytecode, BTF index
        cases: dict[str, Callable[[], float]] = {
            name: lambda command=command: _attached(command, folder)[0]  # type: ignore[misc]
            for name, command in commands.items()
        }
        if shutil.which("bpftool"):
            cases["bpftool loadall, without attaching,"] = lambda: _bpftool(file, f"{folder}/bpf")
        took = least(9, cases)
        memory = least(3, {name: lambda c=command: _attached(c, folder)[1] for name, command in commands.items()})  # type: ignore[misc]
        phases = [min(each) for each in zip(*(_phases(file, folder) for _ in range(9)), strict=True)]
    others = ", ".join(f"{name} {value:.0f} ms" for name, value in took.items() if name != "ours")
    yield Row(
        "one-program object, shell to attached", took["ours"], "ms", 100,
        peer=f"{took['ours'] / took['libbpf']:.1f}x of libbpf in C; {others}",
        how="bench/twins/hello.bpf.o (raw tracepoint, hash, two CO-RE records), BTF index cached, least of 9",
    )  # fmt: skip
    for name, value in zip(("import", "open", "relocate and load", "attach"), phases, strict=True):
        yield Row(f"  of this: {name}", value, "ms", how="in the process, least of 9")
    beside = ", ".join(f"{name} {value:.1f} MB" for name, value in memory.items() if name != "ours")
    yield Row(
        "  its peak memory (VmHWM)", memory["ours"], "MB", 25,
        peer=f"{memory['ours'] / memory['libbpf']:.1f}x of libbpf in C; {beside}",
        how="at the line \"attached\", least of 3",
    )  # fmt: skip


def _phases(file: str, cache: str) -> list[float]:
    done = subprocess.run(
        python(PHASES, file), env=environment(XDG_CACHE_HOME=cache), check=True, stdout=subprocess.PIPE, text=True
    )
    return [float(number) for number in done.stdout.split()]
