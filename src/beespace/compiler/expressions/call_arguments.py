"""The arguments of a call, counted."""

from __future__ import annotations

import ast

from beespace.compiler import rules
from beespace.compiler.frame import Frame

__all__ = ["arguments_of"]


def arguments_of(frame: Frame, node: ast.Call, name: str, count: int) -> list[ast.expr]:
    """The ``count`` arguments of a call that takes them by position only; a mistake if there are others."""
    if node.keywords:
        raise frame.error(rules.ArgumentNames, node.keywords[0], function=f"{name}()", problem="takes no names here")
    if len(node.args) != count or any(isinstance(argument, ast.Starred) for argument in node.args):
        expected = f"{count} argument{'' if count == 1 else 's'}"
        raise frame.error(rules.ArgumentCount, node, function=f"{name}()", expected=expected, found=len(node.args))
    return node.args
