"""The few things that an error message takes from a verifier log."""

from __future__ import annotations

# Lines that say how much work the verifier did, not why it stopped.
_STATISTICS = (
    r"(processed \d+ insns|func#\d+ @\d+$|Live regs before insn:|verification time|stack depth|insns processed)"
)
_SOURCE = r"^; (?P<text>.*?)(?: @ (?P<where>[^@]+:\d+))?$"


# From Linux 7.3 on (kernel commit ce7c9f6c599b) a report of many lines follows the complaint.
_REPORT = "\nVerification failed: "


def _lines(log: str) -> list[str]:
    import re  # only a refusal has to be read

    complaint = log.partition(_REPORT)[0]
    return [line for line in complaint.splitlines() if line.strip() and not re.match(_STATISTICS, line.strip())]


def says_something(log: str) -> bool:
    """Whether the verifier wrote why, and not only how far it came."""
    return bool(_lines(log))


def reason(log: str) -> str:
    """The decisive line: the last one that is neither statistics nor explanation."""
    lines = _lines(log)
    return lines[-1].strip() if lines else ""


def source(log: str) -> str | None:
    """The last line of source that the log shows: ``file:line: text`` (6.9) or the text alone."""
    import re

    for line in reversed(log.splitlines()):
        found = re.match(_SOURCE, line)
        if found:
            where, text = found["where"], found["text"].strip()
            return f"{where}: {text}" if where else text
    return None
