"""Where a register's value came from, by a verifier log: back along the very path that was refused.

Pure.  A log lists instructions in the order in which they were followed; ``from 12 to 30:`` says that the next ones
follow instruction 12, which stands further up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from beespace.record import dataclass

__all__ = ["Step", "origin", "steps"]

_STEP = re.compile(r"(\d+): \([0-9a-f]{2}\) (.*?)(?:\s+;.*)?$")
_BRANCH = re.compile(r"from (\d+) to \d+(?: \(.*\))?:")
_SET = re.compile(r"[rw](\d+) (\S*)= (.*)$")
_REGISTER = re.compile(r"(?:\([su]\d+\))?[rw](\d+)$")
_LOAD = re.compile(r"\*\(\S+ \*\)\(r10 ([+-]\d+)\)$")
_STORE = re.compile(r"\*\(\S+ \*\)\(r10 ([+-]\d+)\) = [rw](\d+)$")
_TRACE_LIMIT = 100_000  # lines from the end that are looked at


@dataclass(frozen=True, slots=True)
class Step:
    """An instruction of the trace, or (no text) a return to what follows the one of that index."""

    index: int
    text: str


def steps(log: str) -> list[Step]:
    """The trace of a log, in its order."""
    found = []
    for line in log.splitlines()[-_TRACE_LIMIT:]:
        if step := _STEP.match(line):
            found.append(Step(int(step[1]), step[2]))
        elif branch := _BRANCH.match(line):
            found.append(Step(int(branch[1]), ""))
    return found


def origin(trace: Sequence[Step], register: int, index: int | None = None) -> Step | None:
    """The instruction that gave ``register`` the value that instruction ``index`` (None: the last one) finds in it.

    Copies and places on the stack are followed, constant additions skipped; of an addition of two registers it is the
    one that was added.  ``None``: it is an argument, or the trace does not tell.
    """
    at = len(trace) - 1
    while at >= 0 and index is not None and trace[at].index != index:
        at -= 1
    slot: int | None = None
    while at > 0:
        at -= 1
        step = trace[at]
        if not step.text:
            at = _before(trace, at)
            continue
        if slot is not None:
            stored = _STORE.match(step.text)
            if stored and int(stored[1]) == slot:
                register, slot = int(stored[2]), None
            continue
        if register == 0 and step.text.startswith("call "):
            return step
        written = _SET.match(step.text)
        if written is None or int(written[1]) != register:
            continue
        operation, value = written[2], written[3]
        copied = _REGISTER.match(value)
        if copied:
            register = int(copied[1])
            if register == 10:
                return step
        elif operation:
            continue
        elif loaded := _LOAD.match(value):
            slot = int(loaded[1])
        else:
            return step
    return None


def _before(trace: Sequence[Step], at: int) -> int:
    """Where to go on looking, backwards, from a return to an earlier instruction: just after that one."""
    wanted = trace[at].index
    for number in range(at - 1, -1, -1):
        if trace[number].text and trace[number].index == wanted:
            return number + 1
    return at
