"""``LoadedObject``: maps, programs and variables of one object in the kernel, and the links made for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from types import MappingProxyType

from beespace.errors import KernelError, RelocationError, UsageError
from beespace.kernel.either import Choice, Group
from beespace.kernel.links import Link, accepted, check
from beespace.kernel.links.link import Absent
from beespace.kernel.maps import LiveMaps
from beespace.kernel.program import LoadedProgram
from beespace.kernel.variables import Variable
from beespace.spec import ObjectSpec
from beespace.typed import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from beespace.kernel.struct_ops import StructOps

__all__ = ["LoadedObject"]


class LoadedObject:
    """What :func:`beespace.kernel.load` makes.  Closing it detaches and frees everything.

    ``spec`` is the object with CO-RE applied; ``maps`` are containers by name (:mod:`beespace.kernel.maps`), each with
    the bytes as its ``raw``; ``notes`` say, in sentences, what this kernel could
    not do as asked.  ``struct_ops`` are implementations of kernel interfaces, by the name of their variable.
    """

    def __init__(
        self,
        spec: ObjectSpec,
        maps: LiveMaps,
        programs: Mapping[str, LoadedProgram],
        variables: Mapping[str, Variable],
        notes: tuple[str, ...],
        owned: ExitStack,
        *,
        groups: tuple[Group, ...] = (),
        take_next: Callable[[Group], Mapping[str, LoadedProgram]] | None = None,
        struct_ops: Mapping[str, StructOps] = MappingProxyType({}),
    ) -> None:
        self.spec = spec
        self.maps = maps
        self._programs = dict(programs)
        self.programs: Mapping[str, LoadedProgram] = MappingProxyType(self._programs)
        self.variables: Mapping[str, Variable] = MappingProxyType(dict(variables))
        self.notes = notes
        self._owned = owned
        self._links: list[Link] = []
        self._groups = groups
        self._take_next = take_next
        self.struct_ops: Mapping[str, StructOps] = MappingProxyType(dict(struct_ops))

    @property
    def links(self) -> tuple[Link, ...]:
        """Everything that :meth:`attach` attached and that still is."""
        return tuple(link for link in self._links if not link.closed)

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Of each group of alternatives (``load(..., either=...)``), what was taken and why."""
        return tuple(group.choice for group in self._groups)

    def explain(self) -> str:
        """What was decided for this kernel, a line each: alternatives, ways to attach, what could not be done."""
        said = [str(choice) for choice in self.choices]
        said += [link.explain() for link in self.links]
        return "\n".join((*said, *self.notes))

    def attach(self, name: str | None = None, **where: object) -> tuple[Link, ...]:
        """Attach program ``name``, or all programs in the order of the object, then what :attr:`struct_ops` holds.

        ``name`` may be that of an implementation of a kernel interface, too (:attr:`struct_ops`).
        ``where`` holds fields of :class:`beespace.kernel.links.Where`; each program is told those that its
        hook has a use for.  Programs that are not attached but used (``socket``, ``syscall``) are passed over.  An
        alternative that cannot be attached makes room for the next one of its group.  Either everything is
        attached or nothing.  The object owns the links.
        """
        check(where)
        made: list[Link] = []
        with ExitStack() as undo:
            for group, names in self._units(name, where) if name not in self.struct_ops else ():
                links = self._attach(names, where) if group is None else self._attach_any(group, where)
                for link in links:
                    made.append(undo.enter_context(link))
            for variable, each in self.struct_ops.items():
                if name in (None, variable):
                    made.append(undo.enter_context(each.attach()))
            undo.pop_all()
        self._links.extend(made)
        return tuple(made)

    def _units(self, name: str | None, where: Mapping[str, object]) -> Iterator[tuple[Group | None, tuple[str, ...]]]:
        """What is attached together: single programs, and groups of alternatives."""
        if name is not None:
            self._check_loaded(name)
            group = next((group for group in self._groups if group.taken == (name,)), None)
            yield group, (name,)
            return
        if spent := next((group for group in self._groups if not group.taken), None):
            raise spent.nothing()
        seen: set[str] = set()
        for each, program in tuple(self._programs.items()):
            group = next((group for group in self._groups if each in group.taken), None)
            if group is not None and each not in seen:
                seen |= group.names
                yield group, group.taken
            elif group is None and _is_attached(program, where):
                yield None, (each,)

    def _check_loaded(self, name: str) -> None:
        if name in self._programs:
            return
        for group in self._groups:
            if name in group.names:
                raise UsageError(f"program {name!r} is not loaded: {group.choice}")
        known = ", ".join(self._programs) or "none"
        raise UsageError(f"object {self.spec.name!r} has no program {name!r} loaded", help=f"its programs: {known}")

    def _attach(self, names: tuple[str, ...], where: Mapping[str, object]) -> list[Link]:
        with ExitStack() as undo:
            made: list[Link] = []
            for name in names:
                program = self._programs[name]
                made.append(undo.enter_context(program.attach(**_told(program, where))))
            undo.pop_all()
            return made

    def _attach_any(self, group: Group, where: Mapping[str, object]) -> list[Link]:
        """Attach what was taken of a group, or else the next alternative that can be loaded and attached."""
        while True:
            taken = group.taken
            try:
                return self._attach(taken, where)
            except (KernelError, RelocationError, Absent) as error:
                if self._take_next is None:
                    raise
                group.refuse(taken, "attached", error)
            for name in taken:
                self._programs.pop(name).close()
            others = self._take_next(group)
            for program in others.values():
                self._owned.callback(program.close)
            self._programs.update(others)

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


# What only iterators over these targets have a use for.
_OF_ITERATORS = {
    "cgroup": ("cgroup",),
    "order": ("cgroup",),
    "pid": ("task", "task_file", "task_vma"),
    "tid": ("task", "task_file", "task_vma"),
    "map": ("bpf_map_elem", "bpf_sk_storage_map", "sockmap"),
}


def _told(program: LoadedProgram, where: Mapping[str, object]) -> dict[str, object]:
    """What of ``where``, which is for many programs, is for this one."""
    takes = accepted(program)
    hook, target = program.attachment.hook, program.attachment.target
    if hook.link == "iterator":
        takes = frozenset(key for key in takes if target in _OF_ITERATORS.get(key, (target,)))
    return {key: value for key, value in where.items() if key in takes}


def _is_attached(program: LoadedProgram, where: Mapping[str, object]) -> bool:
    """Whether attaching everything means this program: a socket filter is put on a socket only if one is named."""
    link = program.attachment.hook.link
    return link != "" and (link != "socket" or "socket" in where)
