"""Every descriptor that a test opens gets its close: who opened those that did not is said.

Two accounts, held against each other: what this process has open (``/proc/self/fd``), and a ledger of the system calls
that open and close.  A third one is of :class:`Descriptor` objects: one that is closed by the garbage collector had no
owner, though nothing is left open.
"""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from beespace.syscall import Descriptor, door
from beespace.syscall.door import Argument, Attributes

# bpf(2) commands whose result is a descriptor, and other calls of the door that open one.
OPENING = {
    "MAP_CREATE", "PROG_LOAD", "OBJ_GET", "PROG_GET_FD_BY_ID", "MAP_GET_FD_BY_ID", "BTF_GET_FD_BY_ID",
    "LINK_GET_FD_BY_ID", "RAW_TRACEPOINT_OPEN", "BTF_LOAD", "LINK_CREATE", "ENABLE_STATS", "ITER_CREATE",
    "TOKEN_CREATE", "perf_event_open", "fsopen", "fsmount",
}  # fmt: skip


def open_descriptors() -> dict[int, str]:
    """The open descriptors of this process and what they refer to."""
    found: dict[int, str] = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[int(entry.name)] = str(entry.readlink())
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    return found


class Tracer:
    """What was opened since it was made, and by whom."""

    def __init__(self) -> None:
        self.before = open_descriptors()
        self.opened: dict[int, str] = {}  # by the door, not closed yet
        self.collected: list[str] = []  # descriptors that the garbage collector closed

    def _stack(self) -> str:
        frames = [f for f in traceback.extract_stack()[:-3] if "/beespace/" in f.filename or "/tests/" in f.filename]
        return " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames[-7:]))

    def issued(self, name: str, arguments: tuple[Argument, ...], result: int) -> None:
        command = next((each.command.name for each in arguments if isinstance(each, Attributes)), name)
        if result >= 0 and command in OPENING:
            self.opened[result] = f"{command} by {self._stack()}"

    def left(self, *, owned: bool = True) -> list[str]:
        """What is open and was not before: in words, with who opened it if the door did.

        ``owned``: and what only the garbage collector closed (which warns of it, too).
        """
        gc.collect()
        gc.unfreeze()
        now = open_descriptors()
        lost = [
            f"{fd} -> {target}: {self.opened.get(fd, 'not through the door')}"
            for fd, target in now.items()
            if self.before.get(fd) != target
        ]
        # A number that was open before, closed by mistake and opened again.
        lost += [f"{fd} -> {now[fd]}: {who}" for fd, who in self.opened.items() if fd in now and fd in self.before]
        lost += [f"{fd} -> {target} was closed, and is not ours" for fd, target in self.before.items() if fd not in now]
        return lost + [f"closed by the garbage collector: {what}" for what in self.collected if owned]


@contextmanager
def traced() -> Iterator[Tracer]:
    """Trace what this process opens and closes.

    What was there before is not searched for garbage at the end, which takes a quarter of a second in a guest.
    """
    gc.freeze()
    tracer = Tracer()
    issue, close, delete = door.issue, os.close, Descriptor.__del__
    door.issue = _issuing(tracer, issue)
    os.close = _closing(tracer, close)
    Descriptor.__del__ = _deleting(tracer, delete)  # type: ignore[method-assign]
    try:
        yield tracer
    finally:
        door.issue, os.close = issue, close
        Descriptor.__del__ = delete  # type: ignore[method-assign]


def _issuing(tracer: Tracer, issue: door.Issue) -> door.Issue:
    def traced_issue(name: str, arguments: tuple[Argument, ...]) -> int:
        result = issue(name, arguments)
        tracer.issued(name, arguments, result)
        return result

    return traced_issue


def _closing(tracer: Tracer, close: Callable[[int], None]) -> Callable[[int], None]:
    def traced_close(fd: int) -> None:
        tracer.opened.pop(fd, None)
        close(fd)

    return traced_close


def _deleting(tracer: Tracer, delete: Callable[[Descriptor], None]) -> Callable[[Descriptor], None]:
    def traced_delete(descriptor: Descriptor) -> None:
        if getattr(descriptor, "_fd", -1) >= 0:
            tracer.collected.append(repr(descriptor))
        delete(descriptor)

    return traced_delete
