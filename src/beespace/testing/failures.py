"""What a failing test shows of its probes: the fault and its line, what the maps hold, what was printed."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pytest

import beespace
from beespace.errors import BeespaceError, ProgramFault
from beespace.lang import Program
from beespace.testing.places import machine_of
from beespace.testing.snapshots import shown

__all__ = ["sections", "trimmed"]

_PACKAGE = str(Path(beespace.__file__).parent)
_NULL = 1 << 16  # below are null pointers, and fields of what they do not point to
_AROUND = 3  # lines of source before and behind that of a fault


def trimmed(error: pytest.ExceptionInfo[BaseException]) -> None:
    """Have pytest leave out our own frames: the message says what is wrong, and the test's own line where."""
    entry: TracebackType | None = error.tb
    while entry is not None:
        if entry.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            # Pytest looks for this among the names of a frame, its module's included.
            entry.tb_frame.f_globals["__tracebackhide__"] = _is_of_the_user
        entry = entry.tb_next


def _is_of_the_user(error: pytest.ExceptionInfo[BaseException]) -> bool:
    return error.errisinstance(BeespaceError)


def sections(error: BaseException, probes: Sequence[Program]) -> Iterator[tuple[str, str]]:
    """Headings and texts for the report."""
    if isinstance(error, ProgramFault):
        yield "fault on the kernel side", "\n".join(_fault(error, _files(probes)))
    for probe in probes:
        name = type(probe).__name__
        try:
            yield f"maps of {name}", "\n".join(shown(probe))
            said = _printed(probe)
        except BeespaceError as failed:  # it runs no more
            yield f"maps of {name}", failed.message
            continue
        if said:
            yield f"printed by {name}", "\n".join(said)


def _files(probes: Sequence[Program]) -> dict[str, str]:
    """Where the sources of the kernel side are, by the names that line information has."""
    functions = (each for probe in probes for each in probe.declaration().functions.values())
    return {Path(each.__code__.co_filename).name: each.__code__.co_filename for each in functions}


def _fault(fault: ProgramFault, files: Mapping[str, str]) -> Iterator[str]:
    yield f"{fault.program}: {fault.reason}"
    nothing = re.search(r"at 0x([0-9a-f]+), where there is nothing", fault.reason)
    if nothing is not None and int(nothing[1], 16) < _NULL:
        yield "help: the pointer is null, as all are that the test does not make up: give what it points to, as a dict"
    place = re.match(r"(.*?):(\d+): ", fault.source or "")
    if place is not None:
        file, line = place[1], int(place[2])
        yield ""
        yield f"{file}:{line}"
        lines = linecache.getlines(files.get(Path(file).name, file))
        for number in range(max(1, line - _AROUND), line + _AROUND + 1):
            if number <= len(lines):
                yield f"{'>' if number == line else ' '} {number:4}  {lines[number - 1].rstrip()}"
        if not lines:
            yield f"> {line:4}  {(fault.source or '').partition(': ')[2]}"
    if fault.instruction:
        yield ""
        yield f"instruction {fault.index}: {fault.instruction}"
    known = [f"r{number:<2} = {value:#018x}" for number, value in enumerate(fault.registers) if value is not None]
    yield from ("   ".join(known[at : at + 4]) for at in range(0, len(known), 4))


def _printed(probe: Program) -> list[str]:
    """Lines of the kernel's trace, of programs in the machine, and messages of the log."""
    try:
        lines = [*machine_of(probe).printed]
    except AttributeError:  # in a kernel, whose trace is everybody's
        lines = []
    return lines + [str(message) for message in probe.log.available()] if probe.log.exists else lines
