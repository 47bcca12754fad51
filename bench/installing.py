"""What an installation weighs: wheel, import, memory, the first answer of the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import EXAMPLES, ROOT, Row, cpu, environment, least, python, wall

LOADER = "import beespace, beespace.elf, beespace.kernel"
LOADED = """
import json, sys
import beespace
with beespace.open(sys.argv[1]) as loaded:
    loaded.attach()
    lines = open("/proc/self/status").read().splitlines()
    memory = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmRSS", "Rss"))}
    print(json.dumps({**memory, "foreign": [name for name in ("numpy", "pyarrow", "llvmlite") if name in sys.modules]}))
"""
BARE = """
lines = open("/proc/self/status").read().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmRSS")))
"""
BUILD = (
    "import sys; sys.path.insert(0, sys.argv[1]); from exec_counter import ExecCounter; ExecCounter.build(sys.argv[2])"
)


def rows() -> Iterator[Row]:
    yield from _wheel()
    took = least(
        15,
        {
            "loader": lambda: wall(python(LOADER)),
            "bare": lambda: wall(python("pass")),
            "help": lambda: wall([sys.executable, "-m", "beespace", "--help"]),
            "loader CPU": lambda: cpu(python(LOADER)),
            "help CPU": lambda: cpu([sys.executable, "-m", "beespace", "--help"]),
        },
    )
    yield Row(
        "importing the loader", took["loader"], "ms", 60,
        peer=f"{took['loader'] / took['bare']:.1f}x `python -c pass` ({took['bare']:.0f} ms)",
        how=f"`{LOADER}` in a fresh process, interpreter included, least of 15; "
        f"of CPU {took['loader CPU']:.0f} ms",
    )  # fmt: skip
    yield Row(
        "beespace --help", took["help"], "ms", 150,
        peer=f"{took['help'] / took['bare']:.1f}x `python -c pass`",
        how=f"fresh process, least of 15; of CPU {took['help CPU']:.0f} ms",
    )  # fmt: skip
    yield _memory()


def _wheel() -> Iterator[Row]:
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*command, "--wheel-dir", folder, str(ROOT)], check=True, cwd=folder)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            files = archive.infolist()
        unpacked = sum(file.file_size for file in files) / 1e6
        yield Row(
            "core wheel", wheel.stat().st_size / 1e6, "MB", 2,
            how=f"pip wheel --no-deps: {wheel.name}, {len(files)} files, {unpacked:.1f} MB unpacked",
        )  # fmt: skip


def _memory() -> Row:
    with TemporaryDirectory() as folder:
        target = str(Path(folder) / "exec_counter.bpf.o")
        subprocess.run(python(BUILD, str(EXAMPLES), target), env=environment(), check=True)
        found = [json.loads(_output(python(LOADED, target))) for _ in range(3)]
        bare = min(int(_output(python(BARE))) for _ in range(3))
    least_of = min(found, key=lambda memory: int(memory["VmRSS"]))
    foreign = ", ".join(least_of["foreign"]) or "no numpy, pyarrow or llvmlite"
    resident = least_of["VmRSS"] * 1024 / 1e6
    return Row(
        "RSS of a loaded exec counter", resident, "MB", 25,
        peer=f"{least_of['VmRSS'] / bare:.1f}x a bare interpreter ({bare * 1024 / 1e6:.0f} MB)",
        how=f"compiled object opened and attached in a fresh process ({foreign}); of it anonymous "
        f"{least_of['RssAnon'] * 1024 / 1e6:.0f} MB; least of 3",
    )  # fmt: skip


def _output(command: list[str]) -> str:
    return subprocess.run(command, env=environment(), check=True, stdout=subprocess.PIPE, text=True).stdout
