"""``Machine``: memory, maps, helper functions and inputs, which outlive a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from beespace.btf import Btf
from beespace.record import dataclass, replace
from beespace.vm.code import Code
from beespace.vm.contexts import layout_of, packet_of
from beespace.vm.helpers import HELPERS, Helper
from beespace.vm.inputs import Inputs
from beespace.vm.kfuncs.graphs import Graphs
from beespace.vm.maps.arena import Arena
from beespace.vm.maps.array import Array
from beespace.vm.maps.map import Element, Map
from beespace.vm.memory import Memory, Region, Rights, Violation
from beespace.vm.packet import Packet
from beespace.vm.run import Run
from beespace.vm.sockets import Socket, Sockets
from beespace.vm.timers import Timers

if TYPE_CHECKING:
    from beespace.vm.jit import Jit, Native

__all__ = ["Machine", "Outcome"]

_READ_ONLY, _WRITE_ONLY = 0x80, 0x100  # BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG
_RIGHTS = {_READ_ONLY: Rights.READ, _WRITE_ONLY: Rights.WRITE}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: r0, 64 bits unsigned, how many instructions it took, packet and context afterwards."""

    result: int
    steps: int
    packet: bytes = b""
    context: bytes = b""


class Machine:
    """Runs programs one after the other; ``max_steps`` instructions each, then it is a fault.

    ``printed`` are the lines that programs wrote to the kernel's trace (``bpf_trace_printk``); ``timers`` are those
    that programs started; ``sockets`` are those that programs have seen, ``signals`` what they sent, ``written`` what
    iterators wrote; ``types`` are those of the object.  ``task`` is the address of the ``struct task_struct`` that
    runs, if there is one.  ``jit`` runs programs as native code, with the same results
    (:func:`beespace.session.native.native` is one).

    >>> Machine().run(Code.of(bytes.fromhex("b7000000070000009500000000000000"))).result
    7
    """

    def __init__(
        self,
        *,
        inputs: Inputs | None = None,
        helpers: Mapping[int, Helper] = HELPERS,
        max_steps: int = 10_000_000,
        jit: Native | None = None,
    ) -> None:
        self._jit: Jit | None = None
        if jit is not None:
            from beespace.vm.jit import Jit  # not everybody wants it

            self._jit = Jit(jit)
        self.memory = Memory() if self._jit is None else self._jit.memory
        self.inputs = inputs or Inputs()
        self.helpers = helpers
        self.max_steps = max_steps
        self.printed: list[str] = []
        self.timers = Timers(self)
        self.sockets = Sockets(self.memory)
        self.graphs = Graphs()
        self.types: Btf | None = None
        self.signals: list[int] = []
        self.written = bytearray()
        self.dropped: list[Region] = []
        self.task = 0
        self._maps: dict[int, tuple[Map, Region]] = {}
        self._functions: dict[int, tuple[Code, Region]] = {}

    def run(self, code: Code, *arguments: int, packet: Packet | None = None) -> Outcome:
        """Run a program with ``arguments`` in r1 to r5; a program of the kernel gets the address of its context.

        ``packet`` is for classic loads alone.  :class:`~beespace.errors.ProgramFault` where the program does what none
        may.
        """
        return self._finished(self.begin(packet), code, arguments)

    def begin(self, packet: Packet | None = None, socket: Socket | None = None) -> Run:
        """A run that has not started."""
        return Run(self, packet, socket) if self._jit is None else self._jit.begin(self, packet, socket)

    def run_on_packet(
        self,
        code: Code,
        program_type: int,
        frame: bytes,
        context: bytes = b"",
        socket: Socket | None = None,
        beyond: int = 0,
    ) -> Outcome:
        """Run a network program on a frame, which begins with its link layer's header.

        ``context`` is its ``struct xdp_md`` or ``__sk_buff``; what follows from the packet is filled in.
        ``socket`` is whose packet it is; ``beyond`` how many bytes of it are missing at the end of ``frame``.
        """
        packet, rights = packet_of(program_type, frame, beyond)
        layout, visible = layout_of(program_type), bool(rights)
        region = self.memory.add("the context", bytearray(context.ljust(layout.size, b"\0")), Rights.BOTH)
        run = self.begin(packet, socket)
        run.kind = program_type
        run.refresh = lambda: layout.fill(region.data, packet, visible)
        if visible:
            packet.show(self.memory, rights)
        run.refresh()
        try:
            outcome = self._finished(run, code, (region.base,))
        finally:
            packet.hide(self.memory)
            self.memory.remove(region)
        return replace(outcome, packet=packet.frame, context=bytes(region.data))

    def run_on_context(self, code: Code, context: bytes, socket: Socket | None = None) -> Outcome:
        """Run a program on the bytes of its context; ``socket`` is whose operation it sees."""
        region = self.memory.add("the context", bytearray(context), Rights.BOTH)
        if socket is not None:
            self.sockets.know(region.base, socket)
        try:
            outcome = self._finished(self.begin(None, socket), code, (region.base,))
        finally:
            self.memory.remove(region)
            self.sockets.forget(region.base)
        return replace(outcome, context=bytes(region.data))

    def _finished(self, run: Run, code: Code, arguments: Sequence[int]) -> Outcome:
        try:
            return Outcome(run.start(code, arguments), run.steps)
        finally:
            self._sweep()

    def _sweep(self) -> None:
        """What was removed from maps is gone when the run is, as behind a grace period of RCU."""
        for map, _ in self._maps.values():
            for element in map.dropped:
                if element.region is not None:
                    self.memory.remove(element.region)
            map.dropped.clear()
        for region in self.dropped:
            self.memory.remove(region)
        self.dropped.clear()
        if self._jit is not None:
            self._jit.memory.hide_all()

    def add_map(self, map: Map) -> int:
        """The number by which code names the map, where the kernel has a file descriptor."""
        for number, (known, _) in self._maps.items():
            if known is map:
                return number
        number = len(self._maps) + 1
        self._maps[number] = map, self.memory.add(f"map {map.spec.name!r}", bytearray(), Rights.NONE, owner=map)
        return number

    def map_handle(self, number: int) -> int:
        """What code holds for a map."""
        return self._numbered(number)[1].base

    def map(self, handle: int) -> Map:
        """The map that code holds this for."""
        region = self.memory.find(handle)
        if region is None or region.base != handle or not isinstance(region.owner, Map) or region.rights:
            raise Violation(f"passes {handle:#x}, which is no map")
        return region.owner

    def map_value(self, number: int) -> int:
        """The address of the first value of an array."""
        map, _ = self._numbered(number)
        if isinstance(map, Arena):
            return map.start
        if not isinstance(map, Array):
            raise Violation(f"takes the address of a value of map {map.spec.name!r}, which is no array")
        return self.address(map, map.element(0))

    def _numbered(self, number: int) -> tuple[Map, Region]:
        if number not in self._maps:
            raise Violation(f"names map {number}, which there is not")
        return self._maps[number]

    def address(self, map: Map, element: Element) -> int:
        """Where programs see an element, the same as long as it is there."""
        if element.region is None:
            rights = _RIGHTS.get(map.spec.flags & (_READ_ONLY | _WRITE_ONLY), Rights.BOTH)
            element.region = self.memory.add(f"a value of {map.spec.name!r}", element.value, rights)
        return element.region.base

    def arena_pointer(self, pointer: int, kind: int) -> int:
        """A pointer into the arena as programs use it (``kind`` 1), or as they hold it (1 << 16); 0 stays 0."""
        for map, _ in self._maps.values():
            if isinstance(map, Arena) and kind in (1, 1 << 16):
                if map.region is None:
                    pages = cast(bytearray, map.pages)  # it is sliced as one
                    map.region = self.memory.add(f"arena {map.spec.name!r}", pages, Rights.BOTH)
                return map.inside(pointer) if kind == 1 else map.outside(pointer)
        raise Violation("casts a pointer into an arena, and there is none")

    @contextmanager
    def lent(self, name: str, data: bytes) -> Iterator[int]:
        """The address of bytes that can be read for a while."""
        region = self.memory.add(name, bytearray(data), Rights.READ)
        try:
            yield region.base
        finally:
            self.memory.remove(region)

    def function(self, code: Code, index: int) -> int:
        """The address of the function at instruction ``index``, which can be called and not read."""
        if id(code) not in self._functions:
            region = self.memory.add(f"the code of {code.name!r}", bytearray(), Rights.NONE, owner=code)
            self._functions[id(code)] = code, region  # holds the code: its id stays its own
        return self._functions[id(code)][1].base + 8 * index
