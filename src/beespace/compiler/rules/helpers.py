"""Mistakes in calls of the kernel's helpers and functions."""

from __future__ import annotations

from typing import Any

from beespace.compiler.diagnostics import Diagnostic
from beespace.record import dataclass


@dataclass(frozen=True)
class HelperNotHere(Diagnostic):
    title = "bpf_{helper}() can not be called in @{hook}"
    label = "not for {hook} programs"
    note = "these may call it: {places}"
    help = "{suggestion}"
    helper: str
    hook: str
    places: str
    suggestion: str = ""


@dataclass(frozen=True)
class HelperNeedsGpl(Diagnostic):
    title = "bpf_{helper}() is for programs under a licence that is compatible with the GPL"
    label = "the licence of {program} is {license}"
    help = 'write `license = "GPL"` in the class, or leave it out'
    helper: str
    program: str
    license: str


@dataclass(frozen=True)
class HelperMaySleep(Diagnostic):
    title = "bpf_{helper}() may wait, which @{hook} programs must not"
    label = "the kernel lets only sleepable programs call it"
    help = "{suggestion}"
    helper: str
    hook: str
    suggestion: str


@dataclass(frozen=True)
class OtherSpelling(Diagnostic):
    title = "{word} is written otherwise in Python"
    label = "not called by its name"
    help = "{suggestion}"
    word: str
    suggestion: str


@dataclass(frozen=True)
class NotMemory(Diagnostic):
    title = "{word} takes memory as {argument}, not {found}"
    label = "this is {found}"
    help = "{suggestion}"
    word: str
    argument: str
    found: Any
    suggestion: str


@dataclass(frozen=True)
class MemorySize(Diagnostic):
    title = "{argument} of {word} has {expected} bytes, not {found}"
    label = "this has {found} bytes"
    word: str
    argument: str
    expected: int | str
    found: int


@dataclass(frozen=True)
class WrongMap(Diagnostic):
    title = "{word} takes {expected}, not {found}"
    label = "this is {found}"
    word: str
    expected: str
    found: Any
