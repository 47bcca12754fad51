"""A loaded program behind the names of its class: what :class:`beespace.Program` instances read.

The language's map declarations speak bytes to these adapters; rings wait in the kernel until
records are there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from beespace.errors import InternalError, UsageError
from beespace.kernel import LoadedObject, RingBuffer
from beespace.kernel.links import Link
from beespace.kernel.program import LoadedProgram
from beespace.kernel.variables import Variable
from beespace.lang import Declaration, Ring
from beespace.schema import Layout
from beespace.session.attaching import attach_all, attach_method
from beespace.session.live_map import LiveMap, Losses
from beespace.session.waiting import async_records, records
from beespace.syscall.clock import boottime_offset_ns

if TYPE_CHECKING:
    from beespace.stream import Decoder

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


class LiveRing:
    """The records of one ring."""

    def __init__(self, ring: RingBuffer, layout: Layout, losses: Losses, index: int) -> None:
        self.ring = ring
        self.layout = layout
        self._decoder: Decoder | None = None
        self._losses = losses
        self._index = index

    def fileno(self) -> int:
        return self.ring.fileno()

    def lost(self) -> int:
        """Events that found the ring full, since the start."""
        return self._losses.of(self._index)

    def records(self, timeout: float | None) -> Iterator[bytes]:
        """One event's bytes after another; ends when none came for ``timeout`` seconds."""
        return records(self.ring, timeout)

    def async_records(self) -> AsyncIterator[bytes]:
        """The same without blocking the event loop."""
        return async_records(self.ring, bytes)

    def batches(self, timeout: float | None) -> Iterator[Any]:
        """The same events as columns, one batch whenever some are there."""
        before = 0
        while True:
            batch, more = self.drain()
            if len(batch):
                lost = self.lost()
                yield batch.with_lost("ring", lost - before)
                before = lost
            if not more and not self.ring.poll(timeout):
                return

    def drain(self) -> tuple[Any, bool]:
        """What is in the ring now, as a :class:`~beespace.stream.Batch`, and whether there may be more.

        Times are in UTC.
        """
        from beespace.stream import Batch  # Arrow: only who wants columns pays for it

        drained = self.take(boottime_offset_ns())
        return Batch(self.layout.name, drained.records).with_lost("malformed", drained.malformed), drained.more

    def take(self, boot_offset: int = 0) -> Any:
        """What is in the ring now, decoded (:class:`~beespace.stream.Drained`); ``boot_offset`` is added to times."""
        from beespace.stream import Decoder, drain

        if self._decoder is None:
            self._decoder = Decoder(self.layout)
        return drain(self.ring, self._decoder, boot_offset=boot_offset)


class RunningProgram:
    """A program that is loaded and attached, with its maps by their names in the class."""

    def __init__(self, loaded: LoadedObject, declaration: Declaration, absent: tuple[str, ...] = ()) -> None:
        self.loaded = loaded
        self._declaration = declaration
        self.notes: tuple[str, ...] = (*absent, *loaded.notes)
        self._adapters: dict[str, LiveMap | LiveRing | LiveVariable] = {}
        self._rings: list[RingBuffer] = []
        losses = Losses(loaded.maps.raw.get(LOSS_MAP))
        for index, (name, declared) in enumerate(declaration.maps.items()):
            live = loaded.maps.raw.get(name)
            if isinstance(declared, Ring) and live is not None:
                ring = RingBuffer(live)
                self._rings.append(ring)
                self._adapters[name] = LiveRing(ring, declared.event.layout, losses, index)
            elif live is not None:
                self._adapters[name] = LiveMap(
                    live, losses, index, partial(loaded.maps.__getitem__, name), loaded.maps.raw
                )
            elif name in loaded.variables:
                self._adapters[name] = LiveVariable(loaded.variables[name])
            else:
                raise InternalError(f"map {name!r} of {declaration.name} is not in its object")

    @property
    def adapters(self) -> Mapping[str, LiveMap | LiveRing | LiveVariable]:
        return self._adapters

    def map(self, name: str) -> Any:
        """The adapter of the map of that name."""
        return self._adapters[name]

    def iterate(self, name: str) -> bytes:
        """Run an iterator once; what it printed."""
        program = self.loaded.programs.get(name)
        if program is None or not program.spec.section.startswith("iter"):
            raise UsageError(f"{name!r} is no iterator of {self.loaded.spec.name}")
        with program.attach() as link:
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
        for adapter in self._adapters.values():
            if isinstance(adapter, LiveMap):
                adapter.close()
        self.loaded.close()
