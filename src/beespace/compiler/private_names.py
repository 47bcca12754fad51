"""``self.__name`` and ``__name`` inside of a class, which Python calls ``_Class__name``.

Fields of other things keep their spelling: ``task.__state`` is the kernel's, and no Python ever runs it.
"""

from __future__ import annotations

import ast
import re

__all__ = ["spell_out"]

_PRIVATE = re.compile(r"__(?!.*__$)\w")
_ANYWHERE = re.compile(r"\b__(?!\w*__\b)\w")
_FIELDS = {ast.Name: "id", ast.Attribute: "attr", ast.arg: "arg", ast.keyword: "arg", ast.MatchAs: "name"}


def spell_out(tree: ast.AST, text: str) -> None:
    """Give every private name in ``tree``, which was parsed from ``text``, its full spelling."""
    if _ANYWHERE.search(text):
        _visit(tree, "", "")


def _visit(node: ast.AST, owner: str, program: str) -> None:
    """``owner`` is the class around ``node``, ``program`` what its method calls itself."""
    field = _FIELDS.get(type(node))
    if owner and field is not None and not (isinstance(node, ast.Attribute) and not _is(node.value, program)):
        name = getattr(node, field)
        if name is not None and _PRIVATE.match(name):
            setattr(node, field, f"_{owner}{name}")
    if isinstance(node, ast.ClassDef):
        owner, program = node.name.lstrip("_"), ""
    elif isinstance(node, ast.FunctionDef) and not program:
        program = next((each.arg for each in (*node.args.posonlyargs, *node.args.args)), "")
    for child in ast.iter_child_nodes(node):
        _visit(child, owner, program)


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
