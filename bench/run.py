"""Every budget of the design that exists by now: measured, beside its budget and its peer.

    python bench/run.py [GROUP...]

Absolute figures belong to the machine that is named on top; what can be held against something else is measured
in turns with it, in the same run, and the ratio is the result.  Nothing here fails for being slow.
"""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

from measure import Row, machine

from beespace.errors import BeespaceError

# One module each; most depend on nothing but a kernel that allows bpf(2).
GROUPS = ("installing", "starting", "loading", "compiling", "twinning", "reading", "accounting", "agent", "executing")
LINE = "{:<52} {:>11} {:>11} {:>6}  {}"


def show(row: Row) -> None:
    """A line for the figure, one for how it was made."""
    share = "" if row.share is None else f"{row.share:.2f}x"
    print(LINE.format(row.what, _figure(row.value, row.unit), _budget(row), share, row.peer).rstrip())
    if row.how:
        print(f"    {row.how}")
    sys.stdout.flush()


def _budget(row: Row) -> str:
    if row.budget is None:
        return "-"
    return f"{'>' if row.at_least else '<'} {_figure(row.budget, row.unit)}"


def _figure(value: float, unit: str) -> str:
    digits = 0 if value >= 100 or value == int(value) else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}"


def main(arguments: list[str]) -> int:
    unknown = [name for name in arguments if name not in GROUPS]
    if unknown:
        print(f"there is no group {unknown[0]!r}\n  help: groups are {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    print(f"on {machine()}\n")
    print(LINE.format("what", "measured", "budget", "used", "beside it"))
    missed = 0
    for name in arguments or GROUPS:
        try:
            for row in import_module(name).rows():
                show(row)
        except (BeespaceError, OSError, RuntimeError, ImportError, subprocess.SubprocessError) as error:
            missed += 1
            print(f"{name}: not measured to the end: {type(error).__name__}: {error}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
