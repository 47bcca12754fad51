"""What both branches of an ``if`` do at their end stands once, behind it.

``counts[0] += 1`` here and ``counts[1] += 1`` there differ in a number and share a lookup, a check and an addition.
LLVM does not join calls that are followed by a check, and each lookup is a dozen instructions once it is inlined.
"""

from __future__ import annotations

from typing import Any

from beespace.compiler import ir
from beespace.compiler.ir.walk import walk
from beespace.compiler.passes.blocks import each_block, each_function
from beespace.record import replace

__all__ = ["common_ends"]


def common_ends(module: ir.Module) -> ir.Module:
    """See the module."""
    return each_function(module, lambda function: each_block(function, _block))


def _block(block: ir.Block) -> ir.Block:
    if not any(isinstance(statement, ir.If) and statement.otherwise for statement in block):
        return block
    found: list[ir.Statement] = []
    for statement in block:
        length = _common(statement) if isinstance(statement, ir.If) else 0
        if not length:
            found.append(statement)
            continue
        assert isinstance(statement, ir.If)
        found.append(replace(statement, then=statement.then[:-length], otherwise=statement.otherwise[:-length]))
        found += (replace(each, span=each.span or statement.span) for each in statement.then[-length:])
    return tuple(found)


def _common(statement: ir.If) -> int:
    """How many statements at the end of both branches are alike, if it is worth it: if they call a helper."""
    for length in range(min(len(statement.then), len(statement.otherwise)), 0, -1):
        end = statement.then[-length:]
        if _alike(end, statement.otherwise[-length:], {}):
            return length if any(isinstance(node, ir.Helper) for node in walk(end)) else 0
    return 0


def _alike(one: Any, other: Any, names: dict[str, str]) -> bool:
    """Whether two trees are the same but for where they stand and what their own locals are called (``names``)."""
    if one.__class__ is not other.__class__:
        return False
    match one:
        case tuple():
            return len(one) == len(other) and all(_alike(*pair, names) for pair in zip(one, other, strict=True))
        case ir.Local():
            return bool(names.get(one.name, one.name) == other.name and one.type == other.type)
        case ir.Declare():
            if one.type != other.type or not _alike(one.value, other.value, names):
                return False
            names[one.name] = other.name
            return True
        case ir.Assign():
            return bool(names.get(one.name, one.name) == other.name) and _alike(one.value, other.value, names)
    fields = getattr(one, "__match_args__", ())
    if not fields:
        return bool(one == other)
    return all(name == "span" or _alike(getattr(one, name), getattr(other, name), names) for name in fields)
