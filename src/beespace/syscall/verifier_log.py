"""The few things that an error message takes from a verifier log."""

from __future__ import annotations

import re

# Lines that say how much work the verifier did, not why it stopped.
_STATISTICS = re.compile(
    r"(processed \d+ insns|func#\d+ @\d+$|Live regs before insn:|verification time|stack depth|insns processed)"
)
_SOURCE = re.compile(r"^; (?P<text>.*?)(?: @ (?P<where>[^@]+:\d+))?$")


def _lines(log: str) -> list[str]:
    return [line for line in log.splitlines() if line.strip() and not _STATISTICS.match(line.strip())]


def says_something(log: str) -> bool:
    """Whether the verifier wrote why, and not only how far it came."""
    return bool(_lines(log))


def reason(log: str) -> str:
    """The decisive line: the last one that is not about statistics."""
    lines = _lines(log)
    return lines[-1].strip() if lines else ""


def source(log: str) -> str | None:
    """The last line of source that the log shows: ``file:line: text`` (6.9) or the text alone."""
    for line in reversed(log.splitlines()):
        found = _SOURCE.match(line)
        if found:
            where, text = found["where"], found["text"].strip()
            return f"{where}: {text}" if where else text
    return None
