"""A loaded program behind the names of its class: what :class:`beespace.Program` instances read.

The language's map declarations speak bytes to these adapters; rings wait in the kernel until
records are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from beespace.errors import InternalError, UsageError
from beespace.kernel import LoadedObject, RingBuffer
from beespace.kernel.links import Link
from beespace.kernel.program import LoadedProgram
from beespace.kernel.variables import Variable
from beespace.lang import Arena, Declaration, Events, PerfCounters
from beespace.session.attaching import attach_all, attach_method, told
from beespace.session.live_arena import LiveArena
from beespace.session.live_events import LiveRing, counters, reader
from beespace.session.live_log import LiveLog
from beespace.session.live_map import LiveMap, Losses
from beespace.syscall import Descriptor

if TYPE_CHECKING:
    from beespace.kernel.perf_buffer import PerfBuffer

LOG_MAP, MESSAGES = "beespace_log", "beespace_messages"  # see compiler/logs.py
LOSS_MAP = "beespace_lost"  # made by the compiler: u64 a CPU for each map, in the order of declaration


class LiveVariable:
    """A global variable, read and written like the single entry of an array."""

    def __init__(self, variable: Variable) -> None:
        self._variable = variable

    def get(self, key: bytes) -> bytes:
        """The variable's bytes; ``key`` is always zero."""
        return self._variable.read()

    def update(self, key: bytes, value: bytes) -> None:
        """Write the variable."""
        self._variable.write(value)


class RunningProgram:
    """A program that is loaded and attached, with its maps by their names in the class."""

    def __init__(self, loaded: LoadedObject, declaration: Declaration, absent: tuple[str, ...] = ()) -> None:
        self.loaded = loaded
        self._declaration = declaration
        self.notes: tuple[str, ...] = (*absent, *loaded.notes)
        self._adapters: dict[str, LiveMap | LiveRing | LiveVariable] = {}
        self._rings: list[RingBuffer | PerfBuffer] = []
        self._counters: list[Descriptor] = []
        losses = Losses(loaded.maps.raw.get(LOSS_MAP))
        for index, (name, declared) in enumerate(declaration.maps.items()):
            live = loaded.maps.raw.get(name)
            if isinstance(declared, Events) and live is not None:
                ring = reader(declared, live)
                self._rings.append(ring)
                self._adapters[name] = LiveRing(ring, declared.event.layout, losses, index)
            elif isinstance(declared, Arena) and live is not None:
                typed = partial(loaded.maps.__getitem__, name)
                self._adapters[name] = LiveArena(name, declared, live, losses, index, typed, loaded.variables)
            elif live is not None:
                if isinstance(declared, PerfCounters):
                    self._counters += counters(declared, live)
                self._adapters[name] = LiveMap(
                    live, losses, index, partial(loaded.maps.__getitem__, name), loaded.maps.raw, loaded.programs
                )
            elif name in loaded.variables:
                self._adapters[name] = LiveVariable(loaded.variables[name])
            else:
                raise InternalError(f"map {name!r} of {declaration.name} is not in its object")

        said, table = loaded.maps.raw.get(LOG_MAP), loaded.variables.get(MESSAGES)
        self.log: LiveLog | None = None
        if said is not None and table is not None:
            log = RingBuffer(said)
            self._rings.append(log)
            self.log = LiveLog(log, table.read(), losses, len(declaration.maps))

    @property
    def rings(self) -> Sequence[RingBuffer | PerfBuffer]:
        """The rings that are read here."""
        return self._rings

    @property
    def adapters(self) -> Mapping[str, LiveMap | LiveRing | LiveVariable]:
        return self._adapters

    def map(self, name: str) -> Any:
        """The adapter of the map of that name."""
        return self._adapters[name]

    def iterate(self, name: str, where: Mapping[str, object] = MappingProxyType({})) -> bytes:
        """Run an iterator once, over what ``where`` says; what it wrote."""
        program = self.loaded.programs.get(name)
        if program is None or not program.spec.section.startswith("iter"):
            raise UsageError(f"{name!r} is no iterator of {self.loaded.spec.name}")
        with program.attach(**told(self.loaded, self._declaration, name, where)) as link:
            data: bytes = link.read()  # type: ignore[attr-defined]  # iterators give an IteratorLink
        return data

    def attach(self, method: str, where: Mapping[str, object]) -> tuple[Link, ...]:
        """Attach one method, by whichever of its alternatives this kernel takes."""
        return attach_method(self.loaded, self._declaration, method, where)

    def attach_all(self, where: Mapping[str, object]) -> None:
        """Attach every method that attaches by itself; what is optional and cannot be attached leaves a note."""
        self.notes += attach_all(self.loaded, self._declaration, where)

    @property
    def links(self) -> tuple[Link, ...]:
        """What is attached."""
        return self.loaded.links

    def explain(self) -> str:
        """Alternatives, ways to attach, what could not be done: a line each."""
        said = self.loaded.explain().splitlines()
        for name, each in self._declaration.programs.items():
            if name not in self.loaded.spec.programs:
                said.append(f"{name} was left out: the types of this kernel have no {each.section}")
        return "\n".join((*said, *(note for note in self.notes if note not in said)))

    def program(self, method: str) -> LoadedProgram:
        """The loaded program of that method, whichever alternative was taken."""
        for name in (*self._declaration.variants(method), method):
            if name in self.loaded.programs:
                return self.loaded.programs[name]
        known = ", ".join(self.loaded.programs) or "none"
        raise UsageError(f"{self._declaration.name} has no program {method!r} loaded", help=f"its programs: {known}")

    def close(self) -> None:
        """Detach, unmap and free; calling it again does nothing."""
        for ring in self._rings:
            ring.close()
        self._rings.clear()
        for counter in self._counters:
            counter.close()
        self._counters.clear()
        for adapter in self._adapters.values():
            if isinstance(adapter, LiveMap):
                adapter.close()
        self.loaded.close()
