"""``LoadedObject``: maps, programs and variables of one object in the kernel, and the links made for it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from types import MappingProxyType
from typing import Self

from beespace.errors import UsageError
from beespace.kernel.links import Link, accepted, check
from beespace.kernel.maps import Map
from beespace.kernel.program import LoadedProgram
from beespace.kernel.variables import Variable
from beespace.spec import ObjectSpec

__all__ = ["LoadedObject"]


class LoadedObject:
    """What :func:`beespace.kernel.load` makes.  Closing it detaches and frees everything.

    ``spec`` is the object with CO-RE applied; ``notes`` say, in sentences, what this kernel could
    not do as asked.
    """

    def __init__(
        self,
        spec: ObjectSpec,
        maps: Mapping[str, Map],
        programs: Mapping[str, LoadedProgram],
        variables: Mapping[str, Variable],
        notes: tuple[str, ...],
        owned: ExitStack,
    ) -> None:
        self.spec = spec
        self.maps: Mapping[str, Map] = MappingProxyType(dict(maps))
        self.programs: Mapping[str, LoadedProgram] = MappingProxyType(dict(programs))
        self.variables: Mapping[str, Variable] = MappingProxyType(dict(variables))
        self.notes = notes
        self._owned = owned
        self._links: list[Link] = []

    @property
    def links(self) -> tuple[Link, ...]:
        """Everything that :meth:`attach` attached and that still is."""
        return tuple(link for link in self._links if not link.closed)

    def attach(self, name: str | None = None, **where: object) -> tuple[Link, ...]:
        """Attach program ``name``, or all programs in the order of the object.

        ``where`` holds fields of :class:`beespace.kernel.links.Where`; each program is told those that its
        hook has a use for.  Either everything is attached or nothing.  The object owns the links.
        """
        if name is not None and name not in self.programs:
            known = ", ".join(self.programs) or "none"
            raise UsageError(f"object {self.spec.name!r} has no program {name!r} loaded", help=f"its programs: {known}")
        check(where)
        made: list[Link] = []
        with ExitStack() as undo:
            for program in self.programs.values() if name is None else [self.programs[name]]:
                takes = accepted(program)
                told = {key: value for key, value in where.items() if key in takes}
                made.append(undo.enter_context(program.attach(**told)))
            undo.pop_all()
        self._links.extend(made)
        return tuple(made)

    def detach(self) -> None:
        """Detach everything that :meth:`attach` attached, the last first; maps stay readable."""
        with ExitStack() as undo:
            for link in self._links:
                undo.callback(link.close)
            self._links.clear()

    def close(self) -> None:
        """Detach, then close programs and maps.  Calling it again does nothing."""
        try:
            self.detach()
        finally:
            self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<LoadedObject {self.spec.name!r}: {len(self.programs)} programs, {len(self.maps)} maps>"
