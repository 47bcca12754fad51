"""The interpreter is the definition of what a program does: it stays as short as one can read in a sitting."""

from __future__ import annotations

from pathlib import Path

from beespace import vm

CORE = ("instructions.py", "arithmetic.py", "memory.py", "run.py")
MOST = 600


def test_the_interpreter_is_short() -> None:
    lines = {name: len((Path(vm.__file__).parent / name).read_text().splitlines()) for name in CORE}
    assert sum(lines.values()) < MOST, lines
