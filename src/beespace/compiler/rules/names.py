"""Mistakes of naming: something is not there, or is not what can be used here."""

from __future__ import annotations

from typing import Any

from beespace.compiler.diagnostics import Diagnostic
from beespace.record import dataclass


@dataclass(frozen=True)
class UndefinedName(Diagnostic):
    title = "{name} is not defined"
    label = "no local, global or built-in of that name"
    help = "{suggestion}"
    name: str
    suggestion: str


@dataclass(frozen=True)
class NoField(Diagnostic):
    title = "{type} has no field {name}"
    label = "not a field"
    note = "its fields are {known}"
    help = "{suggestion}"
    type: Any
    name: str
    known: str
    suggestion: str


@dataclass(frozen=True)
class NoAttribute(Diagnostic):
    title = "{owner} has no {name}"
    label = "{label_text}"
    note = "{known}"
    help = "{suggestion}"
    owner: Any
    name: str
    label_text: str = "not there"
    known: str = ""
    suggestion: str = ""


@dataclass(frozen=True)
class NoWord(Diagnostic):
    title = "bpf has no word {name}"
    label = "not a kernel word"
    help = "{suggestion}"
    name: str
    suggestion: str


@dataclass(frozen=True)
class NotKernelSide(Diagnostic):
    title = "{name} is Python of the user side"
    label = "not compiled"
    help = "{suggestion}"
    name: str
    suggestion: str


@dataclass(frozen=True)
class BadConstant(Diagnostic):
    title = "{name} is a {found}, which has no meaning in the kernel"
    label = "only numbers, bools, texts, enums, tuples and structs are captured"
    help = "{suggestion}"
    name: str
    found: str
    suggestion: str = ""


@dataclass(frozen=True)
class UnknownAnnotation(Diagnostic):
    title = "{text} is no type of the language"
    label = "not a type"
    help = "{suggestion}"
    text: str
    suggestion: str
