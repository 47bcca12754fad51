"""Memory that a helper fills to the last byte is not zeroed before."""

from __future__ import annotations

from beespace.compiler import ir
from beespace.compiler.passes.blocks import each_block
from beespace.record import replace

__all__ = ["needless_zeros"]

#: Helpers that write all of their first argument, as long as their second says (kernel/bpf/helpers.c: it is padded,
#: and zeroed when there is nothing to write).
_FILLS = {16: "get_current_comm"}


def needless_zeros(module: ir.Module) -> ir.Module:
    """See the module."""
    functions = (replace(function, body=each_block(function.body, _block)) for function in module.functions)
    return replace(module, functions=tuple(functions))


def _block(statements: ir.Block) -> ir.Block:
    kept: list[ir.Statement] = []
    for at, statement in enumerate(statements):
        after = statements[at + 1] if at + 1 < len(statements) else None
        if isinstance(statement, ir.Zero) and after is not None and _fills(after, statement):
            continue
        kept.append(statement)
    return tuple(kept)


def _fills(statement: ir.Statement, zero: ir.Zero) -> bool:
    call = statement.value if isinstance(statement, ir.Evaluate) else None
    if not isinstance(call, ir.Helper) or call.number not in _FILLS:
        return False
    place, size = call.arguments[:2]
    return place == zero.pointer and isinstance(size, ir.Const) and size.value == zero.size
