"""Mistakes of flow: something is used where it may be missing, or does not end."""

from __future__ import annotations

from typing import Any

from beespace.compiler.diagnostics import Diagnostic
from beespace.record import dataclass


@dataclass(frozen=True)
class MayBeNone(Diagnostic):
    title = "{what} may be None here"
    label = "this is {found}"
    help = "check it first: `if {what} is None: return`"
    what: str
    found: Any


@dataclass(frozen=True)
class UncheckedField(Diagnostic):
    title = "{what} may be None, and a check of a field does not last"
    label = "read anew each time"
    help = "keep it in a local: `{name} = {what}`, then `if {name} is None: return`"
    what: str
    name: str


@dataclass(frozen=True)
class NeverNone(Diagnostic):
    title = "{what} is {found}, which is never None"
    label = "this check says nothing"
    help = "leave the check out"
    what: str
    found: Any


@dataclass(frozen=True)
class NotAssigned(Diagnostic):
    title = "{name} may be unassigned here"
    label = "{why}"
    help = "assign it before the branch or loop"
    name: str
    why: str


@dataclass(frozen=True)
class DivisorMayBeZero(Diagnostic):
    title = "the divisor may be zero, and Python would raise ZeroDivisionError"
    label = "{why}"
    help = "{suggestion}"
    why: str
    suggestion: str


@dataclass(frozen=True)
class ShiftMayBeNegative(Diagnostic):
    title = "the shift count may be negative, and Python would raise ValueError"
    label = "this is {found}"
    help = "use an unsigned count, or check it first: `if {text} >= 0:`"
    found: Any
    text: str


@dataclass(frozen=True)
class IndexOutOfRange(Diagnostic):
    title = "the index may be out of range, and Python would raise IndexError"
    label = "{found}, but the length is {length}"
    help = "{suggestion}"
    found: str
    length: int
    suggestion: str = ""


@dataclass(frozen=True)
class MayBeEmpty(Diagnostic):
    title = "{function}() may find nothing, and Python would raise ValueError"
    label = "this may be empty"
    help = "say what it is then: `{function}(..., default=0)`"
    function: str


@dataclass(frozen=True)
class LoopTooLong(Diagnostic):
    title = "a loop of {count} rounds is too long"
    label = "at most {limit} rounds"
    note = "the kernel runs no longer one: BPF_MAX_LOOPS"
    help = "{suggestion}"
    count: int
    limit: int
    suggestion: str


@dataclass(frozen=True)
class LoopUnbounded(Diagnostic):
    title = "{what} has no end that can be proven"
    label = "the kernel takes only loops that end"
    help = "{suggestion}"
    what: str
    suggestion: str


@dataclass(frozen=True)
class Unreachable(Diagnostic):
    title = "this is never reached"
    label = "after a return, break or continue"
    help = "remove it"


@dataclass(frozen=True)
class Recursion(Diagnostic):
    title = "{name}() calls itself"
    label = "{chain}"
    help = "the kernel has no recursion; use a loop with a bound"
    name: str
    chain: str


@dataclass(frozen=True)
class MissingReturn(Diagnostic):
    title = "{name}() returns {result}, but not on every path"
    label = "can end without a return"
    help = "add a return at its end"
    name: str
    result: Any


@dataclass(frozen=True)
class ReturnMismatch(Diagnostic):
    title = "{name}() returns {expected}, and here {found}"
    label = "this is {found}"
    help = "{suggestion}"
    name: str
    expected: Any
    found: Any
    suggestion: str = ""


@dataclass(frozen=True)
class VerdictRange(Diagnostic):
    title = "{hook} takes {allowed} as its result"
    label = "this is {found}"
    help = "{suggestion}"
    hook: str
    allowed: str
    found: str
    suggestion: str
