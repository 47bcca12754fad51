"""What a verifier log says, in short: the reason, the instruction, and whether CO-RE had a part in it.

Two styles: up to Linux 7.2 the trace ends with the complaint; from 7.3 on (kernel commit
ce7c9f6c599b) many complaints are followed by a report of ``Verification failed``, ``Reason``,
``At`` and more.  Pure; explaining at length is the verifier room's work.
"""

from __future__ import annotations

import re

from beespace.record import dataclass

__all__ = ["Verdict", "read_log"]

# Lines of the trace, in any kernel since 5.10: instructions and states, source, branches, the walk back.
_TRACE = re.compile(
    r"\s*$|;|\d+: |from \d+ to |mark_precise: |regs=|last_idx |parent |propagating |caller:|callee:|returning from"
    r"|to caller at|frame ?\d+: | R\d|func#\d+ @|Func#\d+ |Validating .*\(\) func#|live regs|func .* live|\s+\d+: "
    r"|arg#\d+ |(?:cur|old) state:"
)
_STATISTICS = re.compile(
    r"processed \d+ insns|verification time|stack depth|max_states|total_states|peak_states|mark_read|insns processed"
)
_INSTRUCTION = re.compile(r"(\d+): \([0-9a-f]{2}\)")
_IN_REASON = re.compile(r"\binsn[ #](\d+)")
_FAILED = re.compile(r"Verification failed: (.*)")
# A number that the kernel does not know, or a helper that this kind of program may not call.
_UNKNOWN_CALL = re.compile(r"(?:invalid|unknown) func (?:\w+#|#)?(\d+)|unknown#(\d+)|cannot use helper \w+#(\d+)")
_SHOWN = 3  # complaints come in one to three lines: what was done, then which bound it broke


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reason`` in one line; ``index`` is the instruction; ``called`` the function that cannot be called there.

    ``words`` are those that every kernel has for it; from Linux 7.3 on they stand before the report that is the reason.
    """

    reason: str
    index: int | None
    called: int | None
    words: str


def read_log(log: str) -> Verdict:
    """The decisive part of a verifier log; the reason is empty if the log does not hold one."""
    lines = [line.rstrip() for line in log.splitlines() if not _STATISTICS.match(line.strip())]
    starts = [number for number, line in enumerate(lines) if _FAILED.match(line)]
    words, index = _complaint(lines[: starts[-1]] if starts else lines)
    reason = words
    if starts:
        reason, said = _report(lines[starts[-1] :])
        index = index if said is None else said
    if index is None:
        traced = [found for line in lines if (found := _INSTRUCTION.match(line.lstrip()))]
        index = int(traced[-1][1]) if traced else None
    called = _UNKNOWN_CALL.search("\n".join(lines[-40:]))
    return Verdict(reason, index, int(called[1] or called[2] or called[3]) if called else None, words)


def _report(lines: list[str]) -> tuple[str, int | None]:
    """The report of Linux 7.3: a title, sections of indented lines, each after a line that ends with a colon."""
    title = _FAILED.match(lines[0])
    assert title is not None
    sections: dict[str, list[str]] = {}
    name = ""
    for line in lines[1:]:
        if line.endswith(":") and not line.startswith(" "):
            name = line[:-1]
        elif line.strip():
            sections.setdefault(name, []).append(line.strip())
    reason = " ".join(sections.get("Reason", []))
    at = _IN_REASON.search("\n".join(sections.get("At", [])))
    return f"{title[1]}: {reason}" if reason else title[1], int(at[1]) if at else None


def _complaint(lines: list[str]) -> tuple[str, int | None]:
    """The lines after the trace."""
    said: list[str] = []
    for line in reversed(lines):
        if _TRACE.match(line) and said:
            break
        if line.strip() and not _TRACE.match(line):
            said.insert(0, line.strip())
    reason = "; ".join(said[-_SHOWN:])
    at = _IN_REASON.search(reason)
    return reason, int(at[1]) if at else None
