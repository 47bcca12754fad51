"""Addresses that a body which the kernel calls assigns, for kernels that go through such a body once.

The verifier must follow an address to let anybody use it, and with it follows whether it is null.  Kernels before 6.7
(commit ab5cfac139ab) would know that of every round from the first one, and would delete the branches for what later
rounds find.  There the address of a map's value is given a second origin, a lookup that is never made: then it may
be null or not, as far as the verifier can know.  Of other addresses there is none that could be made up: there the
program has a call that no kernel takes.

Invariant: newer kernels, which have the field that the commit added, see nothing of this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from beespace.compiler import ir
from beespace.compiler.ir.walk import placed, walk
from beespace.isa import MapType
from beespace.record import replace
from beespace.schema.kinds import kind_size

__all__ = ["FOLLOWS_ROUNDS", "NO_HELPER", "followed", "refused", "with_nowhere"]

#: The field that came with the commit.
FOLLOWS_ROUNDS = ir.CoreAccess("bpf_insn_aux_data", (ir.CoreMember("calls_callback", ir.CoreInt(1)),))
_ONCE = ir.Compare(ir.CompareOp.EQ, ir.CoreInfo(ir.CoreQuestion.FIELD_EXISTS, FOLLOWS_ROUNDS), ir.Const(0, ir.U64))
_NOWHERE = "nowhere_at_all"
_ENTRY = ".nowhere"
_LOOKUP = 1  # bpf_map_lookup_elem()
NO_HELPER = 0xBEE5  # none that any kernel has; a call of it is named after the local in question, with a dot
_MAP_VALUE = ir.PointerType(ir.Region.MAP_VALUE)


def followed(addresses: Sequence[ir.Local], nullable: Iterable[str], never: ir.Expression) -> ir.Block:
    """What goes before a loop whose body assigns those locals.

    ``nullable`` are those that anybody may ask whether they are null.  ``never`` is a condition that is false, which
    the verifier does not know.
    """
    made_up: list[ir.Statement] = []
    for address in addresses:
        if address.type == _MAP_VALUE:
            lookup = ir.Helper(_LOOKUP, "map_lookup_elem", (ir.MapAddress(_NOWHERE), ir.StackSlot(_ENTRY)), _MAP_VALUE)
            made_up.append(ir.If(never, (ir.Assign(address.name, lookup),)))
        elif address.name in nullable:
            made_up.append(ir.Evaluate(ir.Helper(NO_HELPER, f".{address.name}", (), ir.I64)))
    if any(address.type == _MAP_VALUE for address in addresses):
        made_up.insert(0, ir.Store(ir.StackSlot(_ENTRY), ir.Const(0, ir.U32)))
    return (ir.If(_ONCE, tuple(made_up)),) if made_up else ()


def second_round(never: ir.Expression, calling: ir.Statement) -> ir.Block:
    """What goes behind a loop that uses bytes of a packet: there the verifier sees what a round has made of them.

    Helpers that change a packet end what was known of it, for the next round, too.
    """
    return (ir.If(_ONCE, (ir.If(never, (calling,)),)),)


def refused(module: ir.Module) -> Iterator[tuple[str, ir.Span]]:
    """The locals for which older kernels refuse a module that has been through the passes, with their loops."""
    for function in module.functions:
        for node, span in placed(function.body):
            if isinstance(node, ir.Helper) and node.number == NO_HELPER and span is not None:
                yield node.name.split(".")[1], span


def with_nowhere(module: ir.Module) -> ir.Module:
    """``module`` with the map and the slots of what :func:`followed` has made."""
    uses = {
        function.name for function in module.functions
        if any(isinstance(node, ir.StackSlot) and node.name == _ENTRY for node in walk(function.body))
    }  # fmt: skip
    if not uses:
        return module
    functions = tuple(
        replace(function, slots=(*function.slots, ir.Slot(_ENTRY, 4, 4))) if function.name in uses else function
        for function in module.functions
    )
    # What the address is of must have room for whatever the program looks up.
    size = max((8, *_sizes(module)))
    table = ir.MapDefinition(_NOWHERE, MapType.ARRAY, key_size=4, value_size=size, max_entries=1)
    return replace(module, functions=functions, maps=(*module.maps, table))


def _sizes(module: ir.Module) -> Iterator[int]:
    for each in module.maps:
        for table in filter(None, (each, each.inner)):
            yield kind_size(table.value) if table.value is not None else table.value_size
    for variable in module.globals:
        yield len(variable.initial)
