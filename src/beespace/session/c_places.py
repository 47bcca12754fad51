"""Places in C: what a column of clang's line records means, and what a line calls a value.

Clang points at the operator of an assignment, at the name of a member, at the beginning of a call.  Nothing here parses
C: an expression is what looks like one, on its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from beespace.compiler.diagnostics import Span
from beespace.compiler.source import SourceFile
from beespace.errors import SourceLine

__all__ = ["argument_at", "file_of", "name_at", "span_at"]

_ARGUMENTS = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
_EXPRESSION = re.compile(rf"[*&!~-]*[A-Za-z_]\w*(?:(?:->|\.)\w+|\[[^\]]*\]|{_ARGUMENTS})*")
_OWNER = re.compile(rf"[*&]*(?:[A-Za-z_]\w*(?:\[[^\]]*\]|{_ARGUMENTS})?(?:->|\.))+$")
_OPERAND = re.compile(r"[*&]*[A-Za-z_][\w.>\[\]-]*\s*$")
_ASSIGNED = re.compile(r"(\w+)\s*=\s*(?:\([^()]*\)\s*)*$")
_FIRST_OF_LINE = re.compile(r"(?:return\b)?\s*")


def file_of(lines: Iterable[SourceLine], name: str) -> SourceFile:
    """The file as far as the object's records know its lines; as it is now, if those are in it."""
    known = {line.line: line.text for line in lines if line.file == name and line.line}
    shown = Path(name)
    try:
        found = shown.read_text(errors="replace").splitlines(keepends=True)
        if all(number <= len(found) and found[number - 1].rstrip() == text.rstrip() for number, text in known.items()):
            here = Path.cwd()
            path = str(shown.relative_to(here)) if shown.is_relative_to(here) else name
            return SourceFile(path, shown.name, tuple(found))
    except OSError:
        pass  # an object is at home on machines that its source never saw
    texts = tuple(f"{known.get(number, '')}\n" for number in range(1, max(known, default=0) + 1))
    return SourceFile(name, shown.name, texts)


def span_at(file: SourceFile, place: SourceLine) -> Span:
    """The expression at a place."""
    begin, end = _stretch(file.line(place.line), place.column)
    return Span(file, place.line, begin + 1, place.line, end + 1)


def name_at(file: SourceFile, place: SourceLine) -> str:
    """What the value of a place is called: the variable that it is assigned to, or its expression."""
    text = file.line(place.line)
    begin, end = _stretch(text, place.column)
    assigned = _ASSIGNED.search(text[:begin])
    if assigned:
        return assigned[1]
    found = text[begin:end]
    return found if _EXPRESSION.fullmatch(found) and not found.startswith("SEC(") else ""


def argument_at(file: SourceFile, place: SourceLine, number: int) -> str:
    """The argument of that number (from 1) of the call at a place, without its ``&``; empty if there is none."""
    begin, end = _stretch(file.line(place.line), place.column)
    _, bracket, inside = file.line(place.line)[begin:end].partition("(")
    arguments, depth = [""], 0
    for letter in inside.removesuffix(")"):
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            arguments.append("")
        else:
            arguments[-1] += letter
    return arguments[number - 1].strip().removeprefix("&") if bracket and 0 < number <= len(arguments) else ""


def _stretch(text: str, column: int) -> tuple[int, int]:
    at = max(column - 1, 0)
    found = _EXPRESSION.match(text, at)
    if found is None and at < len(text) and not text[at].isspace():
        # An operator: its left side, up to the end of what it stands in.
        operand = _OPERAND.search(text[:at])
        end = text.find(";", at)
        return (operand.start() if operand else at), (end if end >= 0 else len(text))
    if found is not None and found[0] == "return":
        found = _EXPRESSION.match(text, at + len("return ")) or found
    if found is None:
        begin = len(text) - len(text.lstrip())
        return begin, max(len(text.rstrip()), begin + 1)
    owner = _OWNER.search(text[: found.start()])
    return (owner.start() if owner else found.start()), found.end()
