"""Mistakes with maps."""

from __future__ import annotations

from typing import Any

from beespace.compiler.diagnostics import Diagnostic
from beespace.record import dataclass


@dataclass(frozen=True)
class NoMapWord(Diagnostic):
    title = "{map} has no {word} in the kernel"
    label = "not an operation of this map"
    note = "it has {known}"
    help = "{suggestion}"
    map: Any
    word: str
    known: str
    suggestion: str


@dataclass(frozen=True)
class PlainSubscript(Diagnostic):
    title = "{name}[...] would raise KeyError for a missing key, and the kernel has no exceptions"
    label = "reading by key"
    help = "use `value = {name}.get(key)` and check it for None"
    name: str


@dataclass(frozen=True)
class AtomicWidth(Diagnostic):
    title = "+= on {what} can not be atomic: it has {bits} bits"
    label = "shared with other CPUs"
    help = "make it a u32 or u64; `x.f = x.f + 1` does it where a lost update does no harm"
    what: str
    bits: int


@dataclass(frozen=True)
class NotAtomic(Diagnostic):
    title = "{operator} on {what} can not be atomic"
    label = "shared with other CPUs; only += and -= are atomic"
    help = "write it out where a lost update does no harm: `x.f = x.f {plain} ...`"
    operator: str
    what: str
    plain: str


@dataclass(frozen=True)
class NoIncrement(Diagnostic):
    title = "{what} can not be changed with {operator}"
    label = "this is {found}"
    help = "{suggestion}"
    what: str
    operator: str
    found: Any
    suggestion: str


@dataclass(frozen=True)
class MapNotAValue(Diagnostic):
    title = "{map} is used as a value"
    label = "a map is used through its operations"
    help = "{suggestion}"
    map: Any
    suggestion: str


@dataclass(frozen=True)
class DeleteTarget(Diagnostic):
    title = "only map entries can be deleted"
    label = "not an entry of a map"
    help = "write `del self.map[key]`"


@dataclass(frozen=True)
class ArgumentRange(Diagnostic):
    title = "{what} is {low} to {high}, not {found}"
    label = "out of range"
    what: str
    low: int
    high: int
    found: Any


@dataclass(frozen=True)
class JumpTarget(Diagnostic):
    title = "the program array {name} holds {target}, which cannot be jumped to from here"
    label = "{target} is {problem}"
    help = "{suggestion}"
    name: str
    target: str
    problem: str
    suggestion: str


@dataclass(frozen=True)
class WrongEvent(Diagnostic):
    title = "the ring {name} carries {expected}, not {found}"
    label = "this is {found}"
    help = "build it in place: `self.{name}.emit({expected}(...))`"
    name: str
    expected: str
    found: Any


@dataclass(frozen=True)
class NotInArena(Diagnostic):
    title = "{place} points into the arena, and this {type} is {where}"
    label = "not in the arena"
    help = "take one that is there: a field or element of the arena's value, or one that `.new({type})` gave"
    place: str
    type: Any
    where: str


@dataclass(frozen=True)
class ArenaUse(Diagnostic):
    title = "{what} of {name} {problem}"
    label = "not possible with this arena"
    help = "{suggestion}"
    what: str
    name: str
    problem: str
    suggestion: str
