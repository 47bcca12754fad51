"""Tail calls: going on in another program.

Invariant: what an array is filled with when it is loaded, and where it is jumped from, are programs of one kind.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import fit
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.maps.constants import context
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.types import U32, VOID
from beespace.compiler.values import Value
from beespace.hooks import resolve
from beespace.lang import Map, ProgramArray

__all__ = ["define", "jump"]


def define(name: str, map: Map) -> ir.MapDefinition:
    """Indices to programs, some of them there from the start."""
    assert isinstance(map, ProgramArray)
    programs = tuple(sorted(map.programs.items()))
    return ir.MapDefinition(
        name, map.map_type, key_size=4, value_size=4, max_entries=map.max_entries, programs=programs
    )


def jump(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.calls.jump(ctx, index)``: comes back only if there is no program."""
    assert isinstance(place.map, ProgramArray)
    ctx, index_node = arguments(frame, place, node, "ctx", "index")
    for target in place.map.programs.values():
        _check_target(frame, place, target, node)
    owner = context(frame, place, node, ctx)
    index = fit(frame, frame.value(index_node, U32), U32, index_node, "the index")
    return Value(VOID, call("tail_call", ir.VOID, owner, place.address, index))


def _check_target(frame: Frame, place: Place, target: str, node: ast.Call) -> None:
    declaration = frame.unit.declaration
    section = declaration.sections.get(target)
    problem, suggestion = "", ""
    if section is None:
        problem, suggestion = "no method of the program", f"its programs: {', '.join(declaration.sections) or 'none'}"
    elif not section:
        problem, suggestion = "a sub-program", f"call it: `self.{target}(...)`"
    elif frame.attachment is not None:
        ours, theirs = frame.attachment.hook, resolve(section).hook
        if (ours.program_type, ours.attach_type) != (theirs.program_type, theirs.attach_type):
            problem = f"a program of {theirs.name}, and this one of {ours.name}"
            suggestion = "the kernel goes on only in a program of the same kind"
        elif ours.sleepable or theirs.sleepable:
            problem, suggestion = "one that may sleep", "programs that may sleep cannot be jumped from or to"
    else:
        problem, suggestion = "jumped to from a sub-program", "jump in the program itself"
    if problem:
        raise frame.error(rules.JumpTarget, node, name=place.name, target=target, problem=problem,
                          suggestion=suggestion)  # fmt: skip
