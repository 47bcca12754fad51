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
from beespace.reloc.image import assemble, exception_callbacks
from beespace.spec import MapSpec, ObjectSpec
from beespace.vm.code import Code
from beespace.vm.contexts import is_packet
from beespace.vm.inputs import Inputs
from beespace.vm.linking import code_of
from beespace.vm.machine import Machine, Outcome
from beespace.vm.maps import Arena, Map, OfMaps, ProgramArray, has_type, make
from beespace.vm.sockets import Socket, socket_place

if TYPE_CHECKING:
    from beespace.vm.jit import Native

__all__ = ["Loaded", "load"]

_PAGE = 4096
_NOTHING: Mapping[str, bytes] = MappingProxyType({})
_NO_SIZES: Mapping[str, int] = MappingProxyType({})


class Loaded:
    """What :func:`load` makes: ``maps`` and ``programs`` by name, in ``machine``.

    ``refused`` are the programs that need what the machine does not have, each with the error that says so.
    """

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
        self.refused: Mapping[str, RelocationError] = MappingProxyType(dict(refused))

    def run(self, name: str, packet: bytes = b"", context: bytes = b"", socket: Socket | None = None) -> Outcome:
        """Run a program: of the network on a packet, which begins with its Ethernet header; others on their context.

        ``socket`` is whose packet or operation it is; the context that points to one gets its address, and of a context
        that is a socket, what is not given.

        :class:`UsageError` for a program that there is not, :class:`RelocationError` for one that needs something of
        the kernel, :class:`~beespace.errors.ProgramFault` where it does what no program may.
        """
        if name in self.refused:
            raise self.refused[name]
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
    :class:`Machine` takes it.

    A program that needs a map, a helper or something of the kernel that the machine does not have is refused, and
    ``refused`` of what is returned says why; :class:`RelocationError` if no program is left.  :class:`UsageError` for
    sizes that a map cannot have and names that the object does not have.
    """
    functions = [*(program.entry for program in spec.programs.values()), *spec.subprograms.values()]
    if any(function.core for function in functions):
        if types is None:
            raise UsageError(f"object {spec.name!r} depends on a kernel's types", help="say which: types=Btf(...)")
        spec, _ = relocate(spec, Btf(spec.btf), [types])
    machine = Machine(inputs=inputs, max_steps=max_steps, jit=jit)
    machine.types = Btf(spec.btf) if spec.btf else None
    cpus = machine.inputs.cpus
    maps = {name: _map(each, cpus, max_entries.get(name)) for name, each in spec.maps.items() if has_type(each.type)}
    numbers = {name: machine.add_map(map) for name, map in maps.items()}
    programs: dict[str, Code] = {}
    refused: dict[str, RelocationError] = {}
    callbacks = exception_callbacks(spec.btf)
    for name, each in spec.programs.items():
        try:
            programs[name] = code_of(assemble(spec, each.entry), spec, numbers, callbacks.get(name))
        except RelocationError as error:  # the others may run
            refused[name] = error
    if refused and not programs:
        raise next(iter(refused.values()))
    _fill(spec, maps, programs, variables)
    return Loaded(spec, machine, maps, programs, refused)


def _map(spec: MapSpec, cpus: int, entries: int | None) -> Map:
    if entries is not None and spec.inner is not None:  # as in the kernel: of the tables inside
        spec = replace(spec, inner=replace(spec.inner, max_entries=entries))
    elif entries is not None:
        spec = replace(spec, max_entries=entries)
    if spec.type == MapType.PERF_EVENT_ARRAY and not spec.max_entries:
        spec = replace(spec, max_entries=cpus)
    if spec.type in (MapType.RINGBUF, MapType.USER_RINGBUF):
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
        if name not in maps:
            continue  # of a type that the machine lacks
        target = maps[name]
        if isinstance(target, Arena):
            target.fill(bytes(content))
            continue
        maps[name].write(bytes(4), bytes(content))
    for name, target in maps.items():
        each = spec.maps[name]
        for key, held in each.contents:
            if isinstance(held, bytes):
                target.write(key, held)
            elif isinstance(target, OfMaps) and held in maps:
                target.put(key, maps[held])
            elif isinstance(target, ProgramArray) and held in programs:
                target.put(int.from_bytes(key, "little"), programs[held])
            elif held in spec.programs or held in spec.maps:
                continue  # what is refused
            else:
                raise FormatError(f"map {name!r} should hold {held!r}, which is no map or program of {spec.name!r}")
