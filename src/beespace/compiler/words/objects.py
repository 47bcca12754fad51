"""``bpf.new(Struct)``: memory of the program's own, which has one owner."""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.frame import Frame
from beespace.compiler.memory import leaves, memory_align
from beespace.compiler.owned import OBJECT, kernel_function, made
from beespace.compiler.types import Static
from beespace.compiler.values import Value, not_null, offset
from beespace.compiler.words.word import Word
from beespace.schema import Struct

__all__ = ["WORDS"]


def _new(frame: Frame, node: ast.Call) -> Value:
    """bpf_obj_new(), and zeroes: what the kernel gives is as others left it."""
    (argument,) = node.args
    found = frame.value(argument)
    cls = found.type.value if isinstance(found.type, Static) else None
    if not isinstance(cls, type) or not issubclass(cls, Struct) or cls is Struct:
        raise frame.error(rules.TypeMismatch, argument, place="bpf.new()", expected="a Struct", found=found.type)
    raw = ir.Local(frame.scope.fresh("new"), OBJECT)
    making = kernel_function(frame, node, "bpf_obj_new", OBJECT, ir.LocalTypeId(cls))
    zeroes = tuple(ir.Zero(offset(raw, at), size, memory_align(8, at)) for at, size in leaves(cls))
    filling: ir.Block = (ir.If(not_null(raw), zeroes),) if zeroes else ()
    return made(frame, cls, (ir.Declare(raw.name, OBJECT, making), *filling), raw, node)


WORDS: dict[str, tuple[int, Word]] = {"new": (1, _new)}
