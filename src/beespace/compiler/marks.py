"""Marks: calls by which a program tells which of its lines runs, for who measures the coverage of tests.

Only programs for beespace's own machine have any (``Unit.marks``): they call a helper function that no kernel has, with
the file, the first line of the function, and the line, or 0 where the function begins.  Lines come in the order in
which Python's own trace has them: the head of a loop again at each round and at its end, that of a ``with`` at its end.
"""

from __future__ import annotations

import ast
from zlib import crc32

from beespace.compiler import ir
from beespace.compiler.frame import Frame

__all__ = ["MARK", "begin", "file_number", "mark"]

MARK = 0xBEE  # a helper function's number; Linux has some two hundred


def file_number(path: str) -> int:
    """By what number marks name a file."""
    return crc32(path.encode("utf-8", "surrogateescape"))


def begin(frame: Frame) -> ir.Block:
    """Where a function begins."""
    return _call(frame, 0)


def mark(frame: Frame, node: ast.stmt | ast.pattern) -> ir.Block:
    """A statement that is about to run, but what says nothing: a docstring."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return ()
    return _call(frame, node.lineno)


def _call(frame: Frame, line: int) -> ir.Block:
    if not frame.unit.marks:
        return ()
    code = frame.source.function.__code__
    numbers = (file_number(code.co_filename), code.co_firstlineno, line)
    return (ir.Evaluate(ir.Helper(MARK, "mark", tuple(ir.Const(each, ir.U64) for each in numbers), ir.I64)),)
