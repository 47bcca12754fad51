"""Mistakes of type: a value is not what its place asks for."""

from __future__ import annotations

from typing import Any

from beespace.compiler.diagnostics import Diagnostic
from beespace.record import dataclass


@dataclass(frozen=True)
class TypeMismatch(Diagnostic):
    title = "{place} takes {expected}, not {found}"
    label = "this is {found}"
    place: str
    expected: Any
    found: Any


@dataclass(frozen=True)
class EnumMismatch(Diagnostic):
    title = "{place} takes a member of {expected}, not {found}"
    label = "this is {found}"
    help = "{suggestion}"
    place: str
    expected: Any
    found: Any
    suggestion: str


@dataclass(frozen=True)
class UnionFields(Diagnostic):
    title = "{name} is a union, made of one field, not of {first} and {second}"
    label = "shares its bytes with {first}"
    help = "name one field; the others read the same bytes"
    name: str
    first: str
    second: str


@dataclass(frozen=True)
class Narrowing(Diagnostic):
    title = "{found} does not fit {expected} without loss"
    label = "this is {found}"
    help = "if cutting it off is meant, write {expected}(...)"
    expected: Any
    found: Any


@dataclass(frozen=True)
class MixedSigns(Diagnostic):
    title = "{left} and {right} differ in sign"
    label = "{left} meets {right}"
    help = "convert one of them: {left}(...) or {right}(...)"
    left: Any
    right: Any


@dataclass(frozen=True)
class WrongSign(Diagnostic):
    title = "{found} and {expected} differ in sign"
    label = "this is {found}, and {expected} is wanted"
    help = "write {expected}(...), which keeps the bits"
    expected: Any
    found: Any


@dataclass(frozen=True)
class LiteralOutOfRange(Diagnostic):
    title = "{value} does not fit {expected}"
    label = "{expected} holds {low} to {high}"
    help = "use a wider type, or {expected}({value}) to wrap it"
    value: int
    expected: Any
    low: int
    high: int


@dataclass(frozen=True)
class BoolAsNumber(Diagnostic):
    title = "a bool is used as a number"
    label = "this is bool"
    help = "write {suggestion}(...) to make it 0 or 1"
    suggestion: Any


@dataclass(frozen=True)
class NumberAsBool(Diagnostic):
    title = "a number is used as a bool"
    label = "this is {found}"
    help = "compare it (`... != 0`), or write bool(...); for a constant write True or False"
    found: Any


@dataclass(frozen=True)
class NotANumber(Diagnostic):
    title = "{what} takes a number, not {found}"
    label = "this is {found}"
    what: str
    found: Any


@dataclass(frozen=True)
class NotConstant(Diagnostic):
    title = "{what} must be known while compiling"
    label = "this is computed when the program runs"
    help = "{suggestion}"
    what: str
    suggestion: str


@dataclass(frozen=True)
class Comparison(Diagnostic):
    title = "{left} and {right} can not be compared with `{operator}`"
    label = "{left} {operator} {right}"
    help = "{suggestion}"
    left: Any
    right: Any
    operator: str
    suggestion: str = ""


@dataclass(frozen=True)
class VariableType(Diagnostic):
    title = "{name} is {declared} and can not become {found}"
    label = "this is {found}"
    note = "a local keeps the type of its first assignment"
    help = "{suggestion}"
    name: str
    declared: Any
    found: Any
    suggestion: str


@dataclass(frozen=True)
class TextTooLong(Diagnostic):
    title = "{found} is longer than the {size} bytes of its place"
    label = "{length} bytes"
    help = "make the place at least text({length}), or shorten the text"
    found: Any
    size: int
    length: int


@dataclass(frozen=True)
class TextUnsized(Diagnostic):
    title = "how many bytes {what} may take is not known here"
    label = "a text without a size"
    help = "store it into a field or key that has one, or make a sized local first: `{name} = text(64)`"
    what: str
    name: str


@dataclass(frozen=True)
class AliasInLoop(Diagnostic):
    title = "{name} would be a second name for a struct that the next round builds anew"
    label = "in a loop"
    note = "a struct that is built in a loop has one place on the stack"
    help = "copy the fields that are needed into locals of their own"
    name: str


@dataclass(frozen=True)
class StackEscapes(Diagnostic):
    title = "{found} may be the caller's own, on its stack, and can not be returned"
    label = "what is returned is a copy, and this would be a second name"
    help = "return a new one, {found}(...); or nothing: the fields that are set here are seen by the caller"
    found: Any


@dataclass(frozen=True)
class ReadOnly(Diagnostic):
    title = "{what} can not be assigned to"
    label = "{why}"
    help = "{suggestion}"
    what: str
    why: str
    suggestion: str = ""


@dataclass(frozen=True)
class ParameterUntyped(Diagnostic):
    title = "the type of {name} does not follow from this call"
    label = "this is {found}"
    help = "annotate the parameter, as in `{name}: u32`"
    name: str
    found: Any


@dataclass(frozen=True)
class CallDisagrees(Diagnostic):
    title = "{function}() takes {expected} as {name}, not {found}"
    label = "this is {found}"
    note = "an unannotated parameter has the type of the first call"
    help = "{suggestion}"
    function: str
    name: str
    expected: Any
    found: Any
    suggestion: str = ""
