"""``LoadedObject``: maps, programs and variables of one object in the kernel, and the links made for it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from types import MappingProxyType
from typing import Self

from beespace.errors import UsageError
from beespace.kernel import links
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
        self._links: list[links.Link] = []

    @property
    def links(self) -> tuple[links.Link, ...]:
        """Everything that :meth:`attach` attached and that still is."""
        return tuple(link for link in self._links if not link.closed)

    def attach(self, name: str | None = None, **where: object) -> tuple[links.Link, ...]:
        """Attach program ``name``, or all programs in the order of the object.

        With ``None`` each program is told what of ``where`` it has a use for, and at least one must
        have.  Either everything is attached or nothing.  The object owns the links.
        """
        if name is not None and name not in self.programs:
            known = ", ".join(self.programs) or "none"
            raise UsageError(f"object {self.spec.name!r} has no program {name!r} loaded", help=f"its programs: {known}")
        chosen = list(self.programs.values()) if name is None else [self.programs[name]]
        told = [where if name is not None else _useful(program, where) for program in chosen]
        for keyword in where:
            if not any(keyword in each for each in told):
                raise UsageError(f"no program of object {self.spec.name!r} has a use for {keyword!r}")
        made: list[links.Link] = []
        with ExitStack() as undo:
            for program, each in zip(chosen, told, strict=True):
                made.append(undo.enter_context(program.attach(**each)))
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


def _useful(program: LoadedProgram, where: Mapping[str, object]) -> dict[str, object]:
    takes = links.accepted(program)
    return {name: value for name, value in where.items() if name in takes}
