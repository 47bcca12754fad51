"""The words of ``beespace.lang.bpf``: what each takes, and the calls of the kernel that it becomes.

Invariant: one entry in :data:`WORDS` for each function that the module defines; a test holds the two together.  Every
other name is that of a helper (:mod:`.helpers`).
"""

from __future__ import annotations

import ast
from typing import Any

from beespace.compiler import ir, rules
from beespace.compiler.frame import Frame
from beespace.compiler.ir.walk import rewrite
from beespace.compiler.values import Value
from beespace.compiler.words import (
    areas,
    checksums,
    current,
    iterators,
    memory,
    objects,
    packet_copies,
    packets,
    said,
    sections,
    sockets,
    typed,
)
from beespace.compiler.words.helpers import helper_call
from beespace.compiler.words.kfuncs import kernel_function_call
from beespace.compiler.words.word import Word
from beespace.record import replace

__all__ = ["WORDS", "kernel_function_call", "word"]

# Each word, with how many arguments it takes.
WORDS: dict[str, tuple[int, Word]] = {
    **current.WORDS,
    **areas.WORDS,
    **packets.WORDS,
    **packet_copies.WORDS,
    **checksums.WORDS,
    **sockets.WORDS,
    **memory.WORDS,
    **sections.WORDS,
    **iterators.WORDS,
    **typed.WORDS,
    **said.WORDS,
    **objects.WORDS,
}


def word(frame: Frame, name: str, node: ast.Call) -> Value:
    """``bpf.name(...)``."""
    if name not in WORDS:
        return helper_call(frame, name, node)
    takes, rule = WORDS[name]
    if node.keywords:
        raise frame.error(rules.ArgumentNames, node.keywords[0], function=f"bpf.{name}()", problem="takes no names")
    if len(node.args) != takes:
        expected = f"{takes} argument{'' if takes == 1 else 's'}" if takes else "no arguments"
        raise frame.error(rules.ArgumentCount, node, function=f"bpf.{name}()", expected=expected, found=len(node.args))
    return _placed(rule(frame, node), frame.code_span(node))


def _placed(value: Value, span: ir.Span) -> Value:
    """``value`` whose calls of the kernel come from ``span``."""

    def change(node: Any) -> Any:
        return replace(node, span=span) if isinstance(node, (ir.Helper, ir.KernelFunction)) and not node.span else node

    recipe = value.recipe
    if recipe is not None:

        def fill(target: ir.Expression, size: int, align: int) -> ir.Block:
            block: ir.Block = rewrite(recipe.fill(target, size, align), change)
            return block

        return replace(value, recipe=replace(recipe, fill=fill, prepare=rewrite(recipe.prepare, change)))
    return value if value.code is None else replace(value, code=rewrite(value.code, change))
