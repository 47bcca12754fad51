"""Coverage of the kernel side in coverage.py's own data: ``pytest --cov``, ``coverage run -m pytest``.

Only files that coverage.py measures by itself are added to, so that its ``source`` and ``omit`` hold here, too: the
class body of a probe runs in Python.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from beespace.session.marked import Measured, measure

__all__ = ["add", "measured"]


@contextmanager
def measured() -> Iterator[None]:
    """Measure, and add to the running coverage measurement at the end; nothing if there is none."""
    from coverage import Coverage

    running = Coverage.current()
    if running is None:
        yield
        return
    found = Measured()
    measure(found)
    try:
        yield
    finally:
        measure(None)
        add(found, running)


def add(found: Measured, running: object) -> None:
    """Hand over what ran: arcs where branches are measured, else lines."""
    from coverage import Coverage

    assert isinstance(running, Coverage)
    data = running.get_data()
    known = {os.path.realpath(path): path for path in data.measured_files()}
    names = {path: known[os.path.realpath(path)] for path in found.lines if os.path.realpath(path) in known}
    if running.get_option("run:branch"):
        data.add_arcs({names[path]: arcs for path, arcs in found.arcs.items() if path in names})
    else:
        data.add_lines({names[path]: lines for path, lines in found.lines.items() if path in names})
