"""Marks: calls by which a program tells which of its lines runs, and what its variables are.

Only programs for beespace's own machine have any (``Unit.marks``).  ``MARK`` is a helper function that no kernel has:
it is called with the file, the first line of the function, and the line, or 0 where the function begins.  Lines come
in the order in which Python's own trace has them: the head of a loop again at each round and at its end, that of a
``with`` at its end.  That is for who measures the coverage of tests.

A debugger asks for ``VARIABLE``, too: before each line every variable that has a value on all paths to it, with file,
first line, its number (:func:`names`), how it is held (:class:`Held`, its size above that) and the value.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from types import CodeType
from zlib import crc32

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.scope import Variable
from beespace.compiler.types import Bytes, Int, NoneType, Poison, Text
from beespace.enumeration import IntEnum
from beespace.schema import IntKind, Kind, TextKind
from beespace.schema.kinds import kind_size

__all__ = ["MARK", "SIZE_SHIFT", "VARIABLE", "Held", "begin", "file_number", "mark", "names"]

MARK = 0xBEE  # helper functions' numbers; Linux has some two hundred
VARIABLE = 0xBEF
SIZE_SHIFT = 8


class Held(IntEnum):
    """What the value of a mark of a variable is."""

    UNSIGNED = 0
    SIGNED = 1
    BOOL = 2
    POINTER = 3  # an address, of what is no plain value
    TEXT = 4  # the address of so many bytes, or 0: None
    BYTES = 5
    UNSIGNED_AT = 6
    SIGNED_AT = 7
    NONE = 8


def file_number(path: str) -> int:
    """By what number marks name a file."""
    return crc32(path.encode("utf-8", "surrogateescape"))


def names(code: CodeType) -> Sequence[str]:
    """The variables of a function, by whose place marks name them."""
    return (*code.co_varnames, *code.co_cellvars)


def begin(frame: Frame) -> ir.Block:
    """Where a function begins."""
    return _call(frame, 0)


def mark(frame: Frame, node: ast.stmt | ast.pattern) -> ir.Block:
    """A statement that is about to run, but what says nothing: a docstring."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return ()
    return _variables(frame) + _call(frame, node.lineno)


def _call(frame: Frame, line: int) -> ir.Block:
    if not frame.unit.marks:
        return ()
    return (_helper(MARK, *_function(frame), ir.Const(line, ir.U64)),)


def _helper(number: int, *arguments: ir.Expression) -> ir.Statement:
    return ir.Evaluate(ir.Helper(number, "mark", arguments, ir.I64))


def _function(frame: Frame) -> tuple[ir.Expression, ir.Expression]:
    code = frame.source.function.__code__
    return ir.Const(file_number(code.co_filename), ir.U64), ir.Const(code.co_firstlineno, ir.U64)


def _variables(frame: Frame) -> ir.Block:
    if frame.unit.marks != "variables":
        return ()
    known = {name: number for number, name in enumerate(names(frame.source.function.__code__))}
    block: list[ir.Statement] = []
    for name, type_ in frame.state.names.items():
        variable = frame.scope.variables.get(name)
        if variable is None or name not in known or type_ is None or isinstance(type_, Poison):
            continue
        held, size, value = (Held.NONE, 0, ir.Const(0, ir.U64)) if isinstance(type_, NoneType) else _held(variable)
        numbers = (ir.Const(known[name], ir.U64), ir.Const(held | size << SIZE_SHIFT, ir.U64))
        block.append(_helper(VARIABLE, *_function(frame), *numbers, value))
    return tuple(block)


def _held(variable: Variable) -> tuple[Held, int, ir.Expression]:
    """How a variable is held, its size, and the value or address."""
    if variable.slot is not None and variable.box is None:
        size = variable.type.size if isinstance(variable.type, Text | Bytes) else 16  # an address
        return (Held.TEXT if isinstance(variable.type, Text) else Held.BYTES), size or 0, ir.StackSlot(variable.slot)
    assert variable.code_type is not None
    code = ir.Local(variable.code_name, variable.code_type)
    if variable.box is not None:
        return _boxed(variable.box), kind_size(variable.box), code
    if variable.code_type == ir.BOOL:
        return Held.BOOL, 0, ir.Convert(code, ir.U64)
    if isinstance(variable.code_type, ir.PointerType):
        return Held.POINTER, 0, code
    return (Held.SIGNED if isinstance(variable.type, Int) and variable.type.signed else Held.UNSIGNED), 0, code


def _boxed(kind: Kind) -> Held:
    if isinstance(kind, IntKind):
        return Held.SIGNED_AT if kind.signed else Held.UNSIGNED_AT
    return Held.TEXT if isinstance(kind, TextKind) else Held.BYTES
