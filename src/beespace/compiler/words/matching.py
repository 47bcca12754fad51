"""Which expression of a call is which argument of a helper or kernel function."""

from __future__ import annotations

import ast

from beespace.compiler import rules
from beespace.compiler.frame import Frame

__all__ = ["matched"]


def matched(
    frame: Frame, word: str, names: list[str], may_be_left_out: list[str], node: ast.Call
) -> dict[str, ast.expr]:
    """The expression for each argument that the author passes, in order or by its name."""
    found = dict(zip(names, node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg not in names or keyword.arg in found:
            problem = f"gets {keyword.arg} twice" if keyword.arg in found else f"has no parameter {keyword.arg}"
            raise frame.error(rules.ArgumentNames, keyword, function=word, problem=problem)
        found[keyword.arg] = keyword.value
    starred = any(isinstance(argument, ast.Starred) for argument in node.args)
    missing = [name for name in names if name not in found and name not in may_be_left_out]
    if missing or starred or len(node.args) > len(names):
        listed = ", ".join(f"[{name}]" if name in may_be_left_out else name for name in names)
        expected = f"({listed})" if names else "no arguments"
        given = len(node.args) + len(node.keywords)
        raise frame.error(rules.ArgumentCount, node, function=word, expected=expected, found=given)
    return found
