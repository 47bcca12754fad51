"""Mistakes of form: Python that the language does not have, or words put together wrongly."""

from __future__ import annotations

from typing import Any

from beespace.compiler.diagnostics import Diagnostic
from beespace.record import dataclass


@dataclass(frozen=True)
class NotSupported(Diagnostic):
    title = "{what} can not be compiled"
    label = "not in the language"
    help = "{suggestion}"
    what: str
    suggestion: str


@dataclass(frozen=True)
class TooDeep(Diagnostic):
    title = "this is nested too deeply to be compiled"
    label = "hundreds of levels"
    help = "split it into statements or functions; a long `elif` is a `match`, or a Hash that is looked up"


@dataclass(frozen=True)
class StackTooSmall(Diagnostic):
    title = "{name} keeps more at once than the stack holds"
    label = "needs {needed} bytes with what it calls; the kernel has {allowed}"
    note = "texts, structs and arrays are elsewhere: these are locals, and loops over maps copy them"
    help = "keep locals that live long in a Struct, or split the function"
    name: str
    needed: str
    allowed: int


@dataclass(frozen=True)
class NotCallable(Diagnostic):
    title = "{found} can not be called"
    label = "not a function"
    help = "{suggestion}"
    found: Any
    suggestion: str = ""


@dataclass(frozen=True)
class ArgumentCount(Diagnostic):
    title = "{function} takes {expected}, not {found}"
    label = "{found} given"
    function: str
    expected: str
    found: int


@dataclass(frozen=True)
class ArgumentNames(Diagnostic):
    title = "{function} {problem}"
    label = "here"
    help = "{suggestion}"
    function: str
    problem: str
    suggestion: str = ""


@dataclass(frozen=True)
class AssignTarget(Diagnostic):
    title = "{what} can not be assigned to"
    label = "not a local, field or map entry"
    help = "{suggestion}"
    what: str
    suggestion: str = ""


@dataclass(frozen=True)
class NoEffect(Diagnostic):
    title = "this statement does nothing"
    label = "its value is not used"
    help = "{suggestion}"
    suggestion: str


@dataclass(frozen=True)
class Unpacking(Diagnostic):
    title = "{expected} names take {expected} values, not {found}"
    label = "on the right side: {found}"
    help = "write as many values as names: `a, b = x, y`"
    expected: int
    found: str


@dataclass(frozen=True)
class ParameterShape(Diagnostic):
    title = "{problem}"
    label = "here"
    help = "{suggestion}"
    problem: str
    suggestion: str


@dataclass(frozen=True)
class UncalledFunction(Diagnostic):
    title = "the function {name} is never called"
    label = "nothing would run it"
    help = "call it as self.{name}(...), or remove it"
    name: str


@dataclass(frozen=True)
class FormatMismatch(Diagnostic):
    title = "the format {format!r} does not go with {found}"
    label = "this is {found}"
    note = "Python: {why}"
    format: str
    found: Any
    why: str
