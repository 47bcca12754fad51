"""Alternatives of a method whose hook the kernel's types do not have: they are left out, as long as one is left.

A function that was renamed has two names; each is an alternative on kernels that have it, and none elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from beespace import hooks
from beespace.compiler import rules
from beespace.compiler.contexts.arguments import function_prototype
from beespace.compiler.diagnostics import Diagnostic, Failure
from beespace.compiler.frame import Unit

__all__ = ["is_absent", "report_absent"]

_PROBES = ("kprobe", "kretprobe", "kprobe.multi", "kretprobe.multi", "kprobe.session")


def is_absent(unit: Unit, attachment: hooks.Attachment, mark: int) -> bool:
    """Whether what was found wrong since ``mark`` is that the kernel's types lack the hook."""
    found = unit.diagnostics.since(mark)
    if not found:
        return False
    if all(isinstance(each, (rules.NoSuchEvent, rules.NoRecord)) for each in found):
        return True
    # Without a prototype arguments are numbers, so that whatever is read of them is a mistake.
    function = attachment.target.partition("+")[0].rpartition(":")[2]
    return attachment.hook.section in _PROBES and function_prototype(unit.btf, function) is None


def report_absent(unit: Unit, absent: Mapping[str, tuple[Diagnostic, ...]]) -> None:
    """Where no alternative is left, that is the author's mistake after all."""
    programs = unit.declaration.programs
    for name, found in absent.items():
        if all(each in absent for each in unit.declaration.variants(programs[name].method)):
            for diagnostic in found:
                unit.diagnostics.add(Failure(diagnostic))
