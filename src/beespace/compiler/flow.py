"""What is known at one point of a function: which locals are set, to what type, within what bounds.

Invariant: a state only ever says what holds on every path to its point; joining forgets the rest.
"""

from __future__ import annotations

from beespace.compiler.types import NONE, POISON, NoneType, Optional, Poison, Type
from beespace.compiler.values import Bounds
from beespace.record import dataclass, field, replace

__all__ = ["State", "join_types"]


@dataclass(slots=True)
class State:
    """``names``: locals that are certainly assigned, with their type here.

    ``bounds`` is keyed by path: a local, a field of the context (``ctx.len``), an option (``self.limit``).
    ``holding``: locals that may own an object.  An unreachable state is what follows a return.
    """

    names: dict[str, Type] = field(default_factory=dict)
    bounds: dict[str, Bounds] = field(default_factory=dict)
    reachable: bool = True
    holding: frozenset[str] = frozenset()

    def copy(self) -> State:
        return State(dict(self.names), dict(self.bounds), self.reachable, self.holding)

    def assign(self, name: str, type: Type, bounds: Bounds | None = None) -> None:
        """``name`` holds another value from here on."""
        self.names[name] = type
        if bounds is None:
            self.bounds.pop(name, None)
        else:
            self.bounds[name] = bounds

    def forget_bounds(self, names: set[str]) -> None:
        for name in names:
            self.bounds.pop(name, None)

    def narrowed(self, path: str | None, *, none: bool) -> State:
        """This state where the local at ``path`` turned out to be None, or not to be."""
        result = self.copy()
        known = self.names.get(path) if path else None
        if path and isinstance(known, Optional):
            # What is boxed stays so: the local still holds an address.
            result.names[path] = NONE if none else known.inner
            if none:
                result.holding -= {path}
        return result

    def bounded(self, path: str | None, bounds: Bounds) -> State:
        """This state where the number at ``path`` turned out to be within ``bounds``."""
        result = self.copy()
        if path:
            result.bounds[path] = bounds
        return result

    def join(self, other: State) -> State:
        """What holds after either."""
        if not self.reachable:
            return other.copy()
        if not other.reachable:
            return self.copy()
        names = {name: join_types(type, other.names[name]) for name, type in self.names.items() if name in other.names}
        bounds = {path: known.union(other.bounds[path]) for path, known in self.bounds.items() if path in other.bounds}
        return State(names, bounds, holding=self.holding | other.holding)

    def dead(self) -> State:
        """After a return, break or continue."""
        return replace(self.copy(), reachable=False)


def join_types(left: Type, right: Type) -> Type:
    """The type of a local that is ``left`` on one path and ``right`` on another.

    A local's storage has one type, so the two differ in being None at most.
    """
    if left == right:
        return left
    if isinstance(left, Poison) or isinstance(right, Poison):
        return POISON
    if isinstance(left, Optional):
        return left
    if isinstance(right, Optional):
        return right
    if isinstance(left, NoneType):
        return Optional(right)
    if isinstance(right, NoneType):
        return Optional(left)
    return left
