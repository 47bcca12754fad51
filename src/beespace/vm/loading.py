"""``load``: an object in a machine, its maps made and filled, its programs ready to run."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from beespace.btf import Btf
from beespace.errors import FormatError, RelocationError, UsageError
from beespace.hooks import resolve
from beespace.isa.constants import MapType
from beespace.isa.ring_record import ring_size
from beespace.record import replace
from beespace.reloc import relocate
from beespace.reloc.image import Image, assemble, set_source_register, write_immediate
from beespace.spec import MapSpec, ObjectSpec, SymbolKind
from beespace.vm.code import Code
from beespace.vm.contexts import is_packet
from beespace.vm.inputs import Inputs
from beespace.vm.machine import Machine, Outcome
from beespace.vm.maps import Map, OfMaps, ProgramArray, make
from beespace.vm.sockets import Socket, socket_place

if TYPE_CHECKING:
    from beespace.vm.jit import Native

__all__ = ["Loaded", "load"]

_MAP_FD, _MAP_VALUE = 1, 2  # BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE
_PAGE = 4096
_NOTHING: Mapping[str, bytes] = MappingProxyType({})
_NO_SIZES: Mapping[str, int] = MappingProxyType({})


class Loaded:
    """What :func:`load` makes: ``maps`` and ``programs`` by name, in ``machine``."""

    def __init__(
        self,
        spec: ObjectSpec,
        machine: Machine,
        maps: dict[str, Map],
        programs: dict[str, Code],
        refused: Mapping[str, RelocationError],
    ) -> None:
        self.spec, self.machine = spec, machine
        self.maps: Mapping[str, Map] = MappingProxyType(maps)
        self.programs: Mapping[str, Code] = MappingProxyType(programs)
        self._refused: Mapping[str, RelocationError] = refused

    def run(self, name: str, packet: bytes = b"", context: bytes = b"", socket: Socket | None = None) -> Outcome:
        """Run a program: of the network on a packet, which begins with its Ethernet header; others on their context.

        ``socket`` is whose packet or operation it is; the context that points to one gets its address, and of a context
        that is a socket, what is not given.

        :class:`UsageError` for a program that there is not, :class:`RelocationError` for one that needs something of
        the kernel, :class:`~beespace.errors.ProgramFault` where it does what no program may.
        """
        if name in self._refused:
            raise self._refused[name]
        if name not in self.programs:
            known = ", ".join(self.programs) or "none"
            raise UsageError(f"object {self.spec.name!r} has no program {name!r}", help=f"its programs: {known}")
        hook = resolve(self.spec.programs[name].section).hook
        if socket is not None:
            context = self._with_socket(hook.context_type, context, socket)
        if is_packet(hook.program_type):
            return self.machine.run_on_packet(self.programs[name], hook.program_type, packet, context, socket)
        return self.machine.run_on_context(self.programs[name], context, socket)

    def _with_socket(self, kind: str, context: bytes, socket: Socket) -> bytes:
        if kind == "bpf_sock":
            return context or socket.view()
        place = socket_place(kind)
        if place is None:
            return context
        address = self.machine.sockets.address(socket).to_bytes(8, "little")
        return context[:place].ljust(place, b"\0") + address + context[place + 8 :]


def load(
    spec: ObjectSpec,
    *,
    types: Btf | None = None,
    inputs: Inputs | None = None,
    variables: Mapping[str, bytes] = _NOTHING,
    max_entries: Mapping[str, int] = _NO_SIZES,
    max_steps: int = 10_000_000,
    jit: Native | None = None,
) -> Loaded:
    """Relocate ``spec`` and put it into a new machine.

    ``types`` are those of the kernel that it is to see; only an object with CO-RE records needs any.  ``variables``
    are bytes to write over the object's own; ``max_entries`` overrides sizes by map name.  ``jit`` is as
    :class:`Machine` takes it.  :class:`UsageError` for maps that the machine does not have and names that the object
    does not have.
    """
    functions = [*(program.entry for program in spec.programs.values()), *spec.subprograms.values()]
    if any(function.core for function in functions):
        if types is None:
            raise UsageError(f"object {spec.name!r} depends on a kernel's types", help="say which: types=Btf(...)")
        spec, _ = relocate(spec, Btf(spec.btf), [types])
    machine = Machine(inputs=inputs, max_steps=max_steps, jit=jit)
    maps = {name: _map(each, machine.inputs.cpus, max_entries.get(name)) for name, each in spec.maps.items()}
    numbers = {name: machine.add_map(map) for name, map in maps.items()}
    programs: dict[str, Code] = {}
    refused: dict[str, RelocationError] = {}
    for name, each in spec.programs.items():
        try:
            programs[name] = _code(assemble(spec, each.entry), numbers)
        except RelocationError as error:  # the others may run
            refused[name] = error
    _fill(spec, maps, programs, variables)
    return Loaded(spec, machine, maps, programs, refused)


def _map(spec: MapSpec, cpus: int, entries: int | None) -> Map:
    if entries is not None and spec.inner is not None:  # as in the kernel: of the tables inside
        spec = replace(spec, inner=replace(spec.inner, max_entries=entries))
    elif entries is not None:
        spec = replace(spec, max_entries=entries)
    if spec.type == MapType.PERF_EVENT_ARRAY and not spec.max_entries:
        spec = replace(spec, max_entries=cpus)
    if spec.type == MapType.RINGBUF:
        spec = replace(spec, max_entries=ring_size(spec.max_entries, _PAGE))
    return make(spec, cpus)


def _fill(
    spec: ObjectSpec, maps: Mapping[str, Map], programs: Mapping[str, Code], variables: Mapping[str, bytes]
) -> None:
    data = {name: bytearray(content.ljust(spec.maps[name].value_size, b"\0")) for name, content in spec.data.items()}
    for name, value in variables.items():
        if name not in spec.variables:
            known = ", ".join(sorted(spec.variables)) or "none"
            raise UsageError(f"object {spec.name!r} has no variable {name!r}", help=f"its variables: {known}")
        variable = spec.variables[name]
        if len(value) != variable.size:
            raise UsageError(f"variable {name!r} has {variable.size} bytes, not {len(value)}")
        section = data.setdefault(variable.map, bytearray(spec.maps[variable.map].value_size))
        section[variable.offset : variable.offset + variable.size] = value
    for option in spec.kconfig:
        if not option.weak:
            raise UsageError(f"object {spec.name!r} asks for {option.name}, which is of a running kernel")
    for name, content in data.items():
        maps[name].write(bytes(4), bytes(content))
    for name, each in spec.maps.items():
        target = maps[name]
        for key, held in each.contents:
            if isinstance(held, bytes):
                target.write(key, held)
            elif isinstance(target, OfMaps) and held in maps:
                target.put(key, maps[held])
            elif isinstance(target, ProgramArray) and held in programs:
                target.put(int.from_bytes(key, "little"), programs[held])
            elif isinstance(target, ProgramArray) and held in spec.programs:
                continue  # one that is refused
            else:
                raise FormatError(f"map {name!r} should hold {held!r}, which is no map or program of {spec.name!r}")


def _code(image: Image, numbers: Mapping[str, int]) -> Code:
    """The program with its maps' numbers.  What only a kernel has is 0 where it may be missing."""
    code = bytearray(image.code)
    for symbol in image.symbols:
        if symbol.kind in (SymbolKind.MAP, SymbolKind.MAP_VALUE):
            if symbol.symbol not in numbers:
                raise FormatError(f"{image.name} refers to map {symbol.symbol!r}, which the object does not hold")
            write_immediate(code, symbol.index, numbers[symbol.symbol])
            value = symbol.kind is SymbolKind.MAP_VALUE
            set_source_register(code, symbol.index, _MAP_VALUE if value else _MAP_FD)
            if value:
                write_immediate(code, symbol.index + 1, symbol.addend)
        elif symbol.weak and symbol.kind in (SymbolKind.KSYM, SymbolKind.ADDRESS):
            write_immediate(code, symbol.index, 0)
            write_immediate(code, symbol.index + 1, 0)
            set_source_register(code, symbol.index, 0)
        elif not symbol.weak:
            raise RelocationError(
                f"program {image.name!r} needs the kernel's {symbol.symbol!r}, and there is no kernel here",
                help="the machine has helper functions, but neither functions nor variables of the kernel",
            )
    return Code.of(bytes(code), name=image.name, lines=image.lines)
