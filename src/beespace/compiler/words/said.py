"""``bpf.log(f"...")`` and ``bpf.printk(f"...")``: what a program says."""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.statements.logs import report
from beespace.compiler.statements.messages import parts_of
from beespace.compiler.statements.printing import printed
from beespace.compiler.types import VOID
from beespace.compiler.values import Value
from beespace.compiler.words.word import Word

__all__ = ["WORDS"]


def _log(frame: Frame, node: ast.Call) -> Value:
    block = report(frame, node, parts_of(frame, node.args[0]))
    return Value(VOID, ir.Sequence(block, ir.Const(0, ir.U64)))


def _printk(frame: Frame, node: ast.Call) -> Value:
    return printed(frame, node, parts_of(frame, node.args[0]))


WORDS: dict[str, tuple[int, Word]] = {"log": (1, _log), "printk": (1, _printk)}
