"""``for key, value in self.m.items()``: bpf_for_each_map_elem() calls the body for each entry (Linux 5.13).

Invariant: a key is a copy, a struct value is in place; an entry that others insert or delete meanwhile is met or not.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.expressions.texts import copied
from beespace.compiler.frame import Frame
from beespace.compiler.maps.operations import Place
from beespace.compiler.memory import load
from beespace.compiler.statements.assignments import assign_local
from beespace.compiler.types import of_kind
from beespace.compiler.values import Recipe, Value
from beespace.isa.helpers import HELPERS
from beespace.record import dataclass
from beespace.schema import Kind
from beespace.schema.kinds import kind_align, kind_size

__all__ = ["VIEWS", "Entries", "entries"]

VIEWS = ("keys", "values", "items")
_PLACE = ir.PointerType(ir.Region.MAP_VALUE)


@dataclass(frozen=True, slots=True)
class Entries:
    """The rounds of such a loop: which names take keys and values, and what the kernel calls the body with."""

    place: Place
    key_name: ast.Name | None
    value_name: ast.Name | None
    parameters: tuple[ir.Parameter, ...]

    def opening(self, frame: Frame, node: ast.For) -> ir.Block:
        """What comes first in each round: the names get their values."""
        map = self.place.map
        block: ir.Block = ()
        _, key, value = (ir.Local(each.name, each.type) for each in self.parameters)
        if self.key_name is not None:
            assert map.key is not None
            block += assign_local(frame, self.key_name, _copy(key, map.key), node.iter)
        if self.value_name is not None:
            assert map.value_kind is not None
            found = load(value, map.value_kind, kind_align(map.value_kind))
            block += assign_local(frame, self.value_name, found, node.iter)
        return block

    def looped(self, body: ir.Block) -> ir.Each:
        """The loop around the finished body."""
        helper = HELPERS["for_each_map_elem"]
        return ir.Each(helper.number, helper.name, (self.place.address,), self.parameters, body, (ir.Const(0, ir.U64),))


def _copy(pointer: ir.Expression, kind: Kind) -> Value:
    """What stands at ``pointer``; of a struct a copy, since keys are not to be written."""
    if not isinstance(kind, type):
        return load(pointer, kind, kind_align(kind))
    size, align = kind_size(kind), kind_align(kind)
    return Value(
        of_kind(kind),
        recipe=Recipe(lambda to, _size, at: copied(to, size, at, pointer, size, align), reads=True),
    )


def entries(frame: Frame, place: Place, view: str, node: ast.For) -> Entries:
    """The loop over ``self.m.items()``, ``.keys()`` or ``.values()``."""
    names: list[ast.expr] = [node.target]
    if view == "items":
        names = list(node.target.elts) if isinstance(node.target, ast.Tuple) else []
    if len(names) != (2 if view == "items" else 1) or not all(isinstance(name, ast.Name) for name in names):
        expected = "two names: `for key, value in ...`" if view == "items" else "one name"
        raise frame.error(
            rules.AssignTarget, node.target, what="this", suggestion=f"a loop over {view}() has {expected}"
        )
    first, last = names[0], names[-1]
    assert isinstance(first, ast.Name) and isinstance(last, ast.Name)
    parameters = (
        ir.Parameter(frame.scope.fresh("map"), ir.PointerType(ir.Region.MAP)),
        ir.Parameter(frame.scope.fresh("key"), _PLACE),
        ir.Parameter(frame.scope.fresh("value"), _PLACE),
    )
    return Entries(place, None if view == "values" else first, None if view == "keys" else last, parameters)
