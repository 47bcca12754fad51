"""What every row group needs: the row, fresh processes, clang for the twins, a cgroup of one's own."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from beespace.elf import read
from beespace.spec import ObjectSpec
from beespace.syscall import bpf

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
TWINS = Path(__file__).parent / "twins"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.  ``budget`` is DESIGN.md's, in the same unit; ``at_least`` turns it around.

    ``peer`` says in words what was measured beside it in the same run, and the ratio to that.
    """

    what: str
    value: float
    unit: str
    budget: float | None = None
    at_least: bool = False
    peer: str = ""
    how: str = ""

    @property
    def share(self) -> float | None:
        """How much of the budget is used, or for ``at_least`` how often it is met: measured / budget."""
        return None if self.budget is None else self.value / self.budget


# pip compiles what it installs; here the bytecode of this checkout is kept for as long as the bench runs.
_BYTECODE = TemporaryDirectory(prefix="beespace-bench-")


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with this checkout first on the path and its bytecode kept."""
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": path, "PYTHONPYCACHEPREFIX": _BYTECODE.name, **more}


def wall(command: Sequence[str], **more: str) -> float:
    """Milliseconds from starting ``command`` to its end."""
    began = time.perf_counter()
    subprocess.run(command, env=environment(**more), check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1e3


def cpu(command: Sequence[str], **more: str) -> float:
    """Milliseconds of CPU that ``command`` and its children use; other processes disturb it less than :func:`wall`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall(command, **more)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def cpu_of(pid: int | None) -> float:
    """Seconds of CPU that another process has used (``schedstat`` counts nanoseconds, ``stat`` ticks)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def python(source: str, *arguments: str) -> list[str]:
    """A command that runs ``source`` in a fresh interpreter."""
    return [sys.executable, "-c", source, *arguments]


def answer(source: str, *arguments: str, **more: str) -> float:
    """The number that ``source`` prints in a fresh interpreter."""
    done = subprocess.run(
        python(source, *arguments), env=environment(**more), check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout)


def least(rounds: int, cases: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """The least of each case's results, taken in turns, so that a busy machine is busy for all."""
    found = {name: [measure()] for name, measure in cases.items()}
    for _ in range(rounds - 1):
        for name, measure in cases.items():
            found[name].append(measure())
    return {name: min(values) for name, values in found.items()}


def twin(name: str) -> ObjectSpec:
    """``twins/NAME.bpf.c``, compiled by clang -O2 now."""
    return read(subprocess.run(clang(name), check=True, stdout=subprocess.PIPE).stdout, name)


def clang(name: str) -> list[str]:
    """The command that compiles ``twins/NAME.bpf.c`` to its standard output."""
    include = f"/usr/include/{sysconfig.get_config_var('MULTIARCH')}"
    flags = ["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Werror", f"-I{include}"]
    return ["clang", *flags, "-c", str(TWINS / f"{name}.bpf.c"), "-o", "-"]


@contextmanager
def cgroup(name: str) -> Iterator[Path]:
    """A cgroup v2 of our own, gone with all that still runs in it."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    root = next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)
    if root is None:
        raise OSError("no cgroup v2 is mounted here")
    path = root / f"beespace-bench-{name}-{os.getpid()}"
    path.mkdir()
    try:
        yield path
    finally:
        (path / "cgroup.kill").write_text("1")
        for _ in range(200):
            try:
                path.rmdir()
                break
            except OSError:
                time.sleep(0.05)


def inside(path: Path, command: Sequence[str]) -> subprocess.Popen[str]:
    """``command`` started in the cgroup ``path``, its output in pipes."""
    enter = ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(path)]
    return subprocess.Popen(
        [*enter, *command], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def machine() -> str:
    """What absolute numbers belong to."""
    names = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]  # fmt: skip
    uname, load = os.uname(), os.getloadavg()[0]
    processor = names[0] if names else uname.machine
    python_version = sys.version.partition(" ")[0]
    others = sum(1 for _ in bpf.ids(bpf.prog_get_next_id))  # tracing programs slow everybody's packets down
    return (
        f"{processor}, {os.cpu_count()} cores, Linux {uname.release}, Python {python_version}, load {load:.1f}, "
        f"{others} BPF programs of others"
    )
