"""Mistakes with what the kernel keeps and programs must give back: locks, timers, references, callbacks."""

from __future__ import annotations

from typing import Any

from beespace.compiler.diagnostics import Diagnostic
from beespace.record import dataclass


@dataclass(frozen=True)
class NotAManager(Diagnostic):
    title = "`with` does not take {found}"
    label = "nothing here begins and ends"
    help = "it takes a SpinLock of a map's value, {known}"
    found: Any
    known: str


@dataclass(frozen=True)
class OnlyInWith(Diagnostic):
    title = "{what} is for a `with`"
    label = "begins, and never ends"
    help = "write `with {text}:`"
    what: Any
    text: str


@dataclass(frozen=True)
class NothingHeld(Diagnostic):
    title = "{what} gives nothing that could have a name"
    label = "this name"
    help = "leave `as {name}` out"
    what: Any
    name: str


@dataclass(frozen=True)
class CallWhileHeld(Diagnostic):
    title = "{what} is called while {held} is held"
    label = "calls {what}"
    note = "the kernel allows no calls there, so that the lock is never held for long"
    help = "call it before the `with`, and keep the result in a local"
    what: str
    held: Any


@dataclass(frozen=True)
class ResourcePlace(Diagnostic):
    title = "{what} works only inside a map's value, and this {owner} is {place}"
    label = "not in a map"
    help = "take it from a map: `value = self.{map}.get(key)`"
    what: Any
    owner: str
    place: str
    map: str


@dataclass(frozen=True)
class ResourceMap(Diagnostic):
    title = "a {map} has no values with a {what}"
    label = "{name} is one"
    help = "the kernel takes it in {allowed}"
    what: Any
    map: str
    name: str
    allowed: str


@dataclass(frozen=True)
class ResourceMaps(Diagnostic):
    title = "{owner} is the value of {count} maps, and the kernel must be told which one {what} is in"
    label = "in {names}"
    help = "give each map a Struct of its own"
    what: Any
    owner: str
    count: int
    names: str


@dataclass(frozen=True)
class ResourceCopied(Diagnostic):
    title = "{type} cannot be copied out of a map, or into one, as a whole: it has a {what}"
    label = "the {what} would be copied, too"
    help = "copy its other fields one by one"
    type: Any
    what: Any


@dataclass(frozen=True)
class ResourceValue(Diagnostic):
    title = "a {what} is no value: it cannot be read, assigned or passed on"
    label = "this is a {what}"
    help = "use it where it is: `with value.lock:`, `value.timer.start(...)`"
    what: Any


@dataclass(frozen=True)
class NoResourceWord(Diagnostic):
    title = "a {what} has no {word}"
    label = "not one of its words"
    help = "{words}"
    what: Any
    word: str
    words: str


@dataclass(frozen=True)
class CallbackShape(Diagnostic):
    title = "{name}() cannot be the callback of {what}: {problem}"
    label = "called with {given}"
    help = "{suggestion}"
    name: str
    what: str
    problem: str
    given: str
    suggestion: str


@dataclass(frozen=True)
class NotACallback(Diagnostic):
    title = "the callback of {what} is a method marked with @function, not {found}"
    label = "this is {found}"
    help = "write `self.name`, without parentheses"
    what: str
    found: Any


@dataclass(frozen=True)
class ProgramHoldsNone(Diagnostic):
    title = "a {hook} program cannot use the map {map}, whose values have a {what}"
    label = "a {hook} program"
    note = "the kernel lets no tracing program wait: it could interrupt who holds it"
    help = "use it in a network, LSM, fentry or iterator program"
    hook: str
    map: str
    what: Any


@dataclass(frozen=True)
class NotInKernel(Diagnostic):
    title = "the kernel that this is compiled for has no {what}"
    label = "{used}"
    help = "it came with Linux {since}"
    what: str
    since: str
    used: str = "calls it"


@dataclass(frozen=True)
class HeldNoMore(Diagnostic):
    title = "{name} is gone: the `with` that gave it has ended"
    label = "was of {manager}"
    help = "use it inside the `with`, or copy what is needed into a local there"
    name: str
    manager: str


@dataclass(frozen=True)
class NotKept(Diagnostic):
    title = "a Kptr cannot keep a struct {name}"
    label = "the kernel counts no references to it for programs"
    help = "it keeps {known}"
    name: str
    known: str


@dataclass(frozen=True)
class GivenAway(Diagnostic):
    title = "{name} is gone: {why}"
    label = "nobody owns it here"
    help = "use it before that, or take it back: `{name} = ...`"
    name: str
    why: str


@dataclass(frozen=True)
class OwnedTwice(Diagnostic):
    title = "{name} would be a second name for an object that has one owner"
    label = "owned already"
    note = "what bpf.new(), a list or a tree gives has one name, and is freed when that is gone"
    help = "go on with the first name"
    name: str


@dataclass(frozen=True)
class NotOwned(Diagnostic):
    title = "{word} takes an object that this function owns, not {found}"
    label = "this is {found}"
    help = "{suggestion}"
    word: str
    found: Any
    suggestion: str


@dataclass(frozen=True)
class NotLocked(Diagnostic):
    title = "{what} can only be used while its lock is held"
    label = "not inside `with {owner}.{lock}:`"
    help = "{suggestion}"
    what: str
    owner: str
    lock: str
    suggestion: str


@dataclass(frozen=True)
class ObjectEscapes(Diagnostic):
    title = "an object with one owner can not be returned"
    label = "this function owns it"
    help = "take it in the caller, and pass it to functions that work on it"


@dataclass(frozen=True)
class NotShared(Diagnostic):
    title = "this Kptr has no {word}(): {why}"
    label = "not of such an object"
    help = "use .{other}()"
    word: str
    other: str
    why: str
