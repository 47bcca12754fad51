"""Adding to an array's entry that is certainly there: no way out for when it is not.

The kernel asks that every lookup is checked.  Of an array with a constant index within it the check cannot fail, so
what the program does then is of no matter; to leave the function costs more than to leave out the addition.
"""

from __future__ import annotations

from beespace.compiler import ir
from beespace.compiler.passes.blocks import each_block, each_function
from beespace.isa.constants import MapType
from beespace.record import replace

__all__ = ["certain_entries"]

_LOOKUP = 1  # bpf_map_lookup_elem()
_ARRAYS = (MapType.ARRAY, MapType.PERCPU_ARRAY)


def certain_entries(module: ir.Module) -> ir.Module:
    """See the module."""
    sizes = {each.name: each.max_entries for each in module.maps if each.type in _ARRAYS}

    def block(statements: ir.Block) -> ir.Block:
        found = list(statements)
        for at in range(len(found) - 3):
            key, lookup, check, add = found[at : at + 4]
            if _is_certain(key, lookup, sizes) and _leaves_without(check, lookup) and _adds_to(add, lookup):
                assert isinstance(check, ir.If)
                there = replace(check, condition=_turned(check.condition), then=(add,), otherwise=())
                return block((*found[: at + 2], there, *found[at + 4 :]))
        return statements

    return each_function(module, lambda function: each_block(function, block))


def _is_certain(key: ir.Statement, lookup: ir.Statement, sizes: dict[str, int]) -> bool:
    """``slot = 0; t = lookup(array, &slot)``."""
    if not isinstance(key, ir.Store) or not isinstance(lookup, ir.Declare):
        return False
    call = lookup.value
    if not isinstance(key.value, ir.Const) or not isinstance(call, ir.Helper) or call.number != _LOOKUP:
        return False
    target, place = call.arguments
    return (
        isinstance(target, ir.MapAddress)
        and isinstance(key.pointer, ir.StackSlot)
        and isinstance(place, ir.StackSlot)
        and place.name == key.pointer.name
        and key.value.value < sizes.get(target.name, 0)
    )


def _leaves_without(check: ir.Statement, lookup: ir.Statement) -> bool:
    """``if t == null: return``."""
    assert isinstance(lookup, ir.Declare)
    return (
        isinstance(check, ir.If)
        and not check.otherwise
        and len(check.then) == 1
        and isinstance(check.then[0], ir.Return)
        and isinstance(check.condition, ir.Compare)
        and check.condition.op is ir.CompareOp.EQ
        and isinstance(check.condition.left, ir.Local)
        and check.condition.left.name == lookup.name
        and isinstance(check.condition.right, ir.Const)
    )


def _adds_to(add: ir.Statement, lookup: ir.Statement) -> bool:
    assert isinstance(lookup, ir.Declare)
    return isinstance(add, ir.AtomicAdd) and isinstance(add.pointer, ir.Local) and add.pointer.name == lookup.name


def _turned(condition: ir.Expression) -> ir.Expression:
    assert isinstance(condition, ir.Compare)
    return replace(condition, op=ir.CompareOp.NE)
