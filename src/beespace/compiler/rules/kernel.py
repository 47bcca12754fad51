"""Mistakes about the kernel: contexts, fields of kernel types, words that do not fit the hook."""

from __future__ import annotations

from typing import Any

from beespace.compiler.diagnostics import Diagnostic
from beespace.record import dataclass


@dataclass(frozen=True)
class NoContextField(Diagnostic):
    title = "{context} has no field {name}"
    label = "not a field"
    note = "its fields are {known}"
    help = "{suggestion}"
    context: Any
    name: str
    known: str
    suggestion: str


@dataclass(frozen=True)
class NoKernelField(Diagnostic):
    title = "{type} has no field {name} on this kernel"
    label = "not a field"
    help = "{suggestion}"
    type: Any
    name: str
    suggestion: str


@dataclass(frozen=True)
class NoKernelType(Diagnostic):
    title = "this kernel has no type {name}"
    label = "not in its type information"
    help = "{suggestion}"
    name: str
    suggestion: str


@dataclass(frozen=True)
class NoEnumerator(Diagnostic):
    title = "enum {enum} has no member {name} on this kernel"
    label = "not a member"
    help = "{suggestion}"
    enum: str
    name: str
    suggestion: str


@dataclass(frozen=True)
class ViewField(Diagnostic):
    title = "{name} of {view} is no type that a field of the kernel is read as"
    label = "it is declared as {found}"
    note = (
        "fields of a KernelStruct are integers, bool, enumerations, text(n), raw(n), Address, array(u32, n), kernel "
        "types and KernelStruct classes, both for pointers"
    )
    view: str
    name: str
    found: Any


@dataclass(frozen=True)
class Question(Diagnostic):
    title = "{word} takes {expected}"
    label = "this is {found}"
    help = "{suggestion}"
    word: str
    expected: str
    found: Any
    suggestion: str = ""


@dataclass(frozen=True)
class UnreadableField(Diagnostic):
    title = "{name} is {found}, which can not be read"
    label = "{why}"
    help = "{suggestion}"
    name: str
    found: str
    why: str
    suggestion: str = ""


@dataclass(frozen=True)
class NoKernelName(Diagnostic):
    title = "{type} has no name that could be found in another kernel"
    label = "an anonymous type behind a pointer"
    type: Any


@dataclass(frozen=True)
class NoRecord(Diagnostic):
    title = "the kernel's type information has no record of the tracepoint {event}"
    label = "no struct {struct}"
    help = "{suggestion}"
    event: str
    struct: str
    suggestion: str


@dataclass(frozen=True)
class SharedRecord(Diagnostic):
    title = "the kernel's type information does not say which record the tracepoint {event} has"
    label = "several fit"
    note = "they are {records}"
    help = "{suggestion}"
    event: str
    records: str
    suggestion: str


@dataclass(frozen=True)
class NoSuchEvent(Diagnostic):
    title = "this kernel has no {what} {event}"
    label = "not in its type information"
    help = "{suggestion}"
    what: str
    event: str
    suggestion: str


@dataclass(frozen=True)
class TooManyArguments(Diagnostic):
    title = "{event} has {count} arguments"
    label = "one too many"
    note = "they are {known}"
    event: str
    count: int
    known: str


@dataclass(frozen=True)
class NoSuchMember(Diagnostic):
    title = "struct {interface} of this kernel has no {found} {name}"
    label = "not a member"
    note = "it has {known}"
    help = "{suggestion}"
    interface: str
    name: str
    found: str
    known: str
    suggestion: str


@dataclass(frozen=True)
class MemberKind(Diagnostic):
    title = "{interface}.{name} {found}, which does not fit"
    label = "{why}"
    interface: str
    name: str
    found: str
    why: str


@dataclass(frozen=True)
class ContextReadOnly(Diagnostic):
    title = "{name} of {context} can not be written"
    label = "read only"
    note = "{known}"
    name: str
    context: Any
    known: str


@dataclass(frozen=True)
class KernelReadOnly(Diagnostic):
    title = "memory of the kernel can not be written"
    label = "a field of {found}"
    found: Any


@dataclass(frozen=True)
class ContextOnly(Diagnostic):
    title = "{word} takes {expected}, not {found}"
    label = "this is {found}"
    help = "{suggestion}"
    word: str
    expected: str
    found: Any
    suggestion: str = ""


@dataclass(frozen=True)
class WrongPointer(Diagnostic):
    title = "{word} takes {expected}, not {found}"
    label = "this is {found}"
    help = "{suggestion}"
    word: str
    expected: str
    found: Any
    suggestion: str = ""
