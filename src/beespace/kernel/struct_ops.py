"""Implementations of kernel interfaces: ``struct tcp_congestion_ops`` and the like, of BPF programs.

A variable of the object's own struct is written into the kernel's, member by member, by name; programs are loaded
for the member that they stand at.  The kernel calls them from when :class:`StructOps` is attached on.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack

from beespace.btf import Btf, FunctionPrototype, Kind, Member, Pointer, Struct, Type, essential_name
from beespace.errors import KernelError, NotPermitted, NotSupported, RelocationError, UsageError
from beespace.hooks import Attachment, by_name
from beespace.isa.constants import AttachType, MapType
from beespace.kernel.links import Link
from beespace.kernel.maps import Map
from beespace.record import dataclass
from beespace.spec import MapSpec, ObjectSpec, StructOpsSpec
from beespace.syscall import Descriptor, HasFileno, bpf
from beespace.typed import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from beespace.kernel.kernel_types import Found
    from beespace.kernel.links import Attachable
    from beespace.kernel.object_types import ObjectTypes
    from beespace.kernel.symbols import KernelSymbols

__all__ = ["Method", "Plan", "StructOps", "create_struct_ops", "plan_struct_ops"]

_VALUE = "bpf_struct_ops_"  # the kernel's prefix for the map value that wraps an interface
_LINK, _MODULE_VALUE = 1 << 13, 1 << 15  # BPF_F_LINK (6.4), BPF_F_VTYPE_BTF_OBJ_FD (6.9)
_ENOTSUPP = 524
_SOCKET_FILTER = 1
_NOTHING = bytes.fromhex("b700000000000000 9500000000000000")  # return 0
_KEY = bytes(4)
_POINTER = 8


@dataclass(frozen=True, slots=True)
class Method:
    """What a program is loaded for: member ``member`` of struct ``type_id`` of the kernel or of a module."""

    type_id: int
    member: int
    module: str | None


@dataclass(frozen=True, slots=True)
class _Converted:
    """One implementation in the kernel's layout; ``slots`` are the programs, by byte offset in ``value``."""

    spec: StructOpsSpec
    value_type: int
    module: str | None
    value: bytes
    slots: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """``wanted`` are made; ``methods`` say of each program what it is for; ``left_out`` are of no use to them."""

    wanted: tuple[_Converted, ...]
    methods: Mapping[str, Method]
    used: frozenset[str]
    left_out: frozenset[str]


def plan_struct_ops(spec: ObjectSpec, names: Collection[str], symbols: KernelSymbols) -> Plan:
    """How the implementations of ``spec`` look in this kernel; those of ``names`` will be made.

    Raises :class:`RelocationError` if the kernel has no such interface, or another one.
    """
    if not spec.struct_ops:
        return Plan((), {}, frozenset(), frozenset())
    local = Btf(spec.btf)
    methods: dict[str, Method] = {}
    wanted: list[_Converted] = []
    used: set[str] = set()
    unused: set[str] = set()
    for name, each in spec.struct_ops.items():
        try:
            converted = _convert(each, local, symbols, methods)
        except RelocationError:
            if name in names:
                raise
            continue  # nobody asks for it
        finally:
            unused |= set(each.programs.values())
        if name in names:
            used |= set(converted.slots.values())
            wanted.append(converted)
    return Plan(tuple(wanted), methods, frozenset(used), frozenset(unused - used))


def _convert(spec: StructOpsSpec, local: Btf, symbols: KernelSymbols, methods: dict[str, Method]) -> _Converted:
    mine = local.type(spec.type_id)
    assert isinstance(mine, Struct)
    found, kernel_id, start = _interface(spec, mine, symbols)
    btf = found.btf
    theirs = btf.type(kernel_id)
    assert isinstance(theirs, Struct)
    places = {member.name: number for number, member in reversed(list(enumerate(theirs.members)))}
    value = bytearray(btf.size(found.id))
    slots: dict[int, str] = {}
    for member in mine.members:
        if not member.name:
            raise RelocationError(f"{spec.name}: struct {mine.name} has members without a name")
        what = f"{spec.name}.{member.name}"
        at, size = member.bit_offset // 8, local.size(member.type)
        data = spec.data[at : at + size]
        program = spec.programs.get(at)
        number = places.get(member.name)
        if number is None:
            if program is not None or any(data):
                raise RelocationError(
                    f"{what} is set, but struct {theirs.name} of this kernel has no such member",
                    help='declare a second variable without it, in SEC("?.struct_ops.link"), and name the one to load',
                )
            continue
        other = theirs.members[number]
        if member.bitfield_size or other.bitfield_size:
            raise RelocationError(f"{what} is a bit-field, which cannot be carried over")
        target = start + other.bit_offset // 8
        if _check(what, local, member, btf, other) and program is None:
            if any(data):
                raise RelocationError(f"{what} is a pointer to something else than a program")
            continue
        if program is not None:
            method = methods.setdefault(program, Method(kernel_id, number, found.module))
            if method != Method(kernel_id, number, found.module):
                raise RelocationError(
                    f"program {program!r} stands for {what} and for another member: it can be checked for one only",
                    help="write a second program that calls the same function",
                )
            slots[target] = program
            continue
        if size != btf.size(other.type):
            raise RelocationError(f"{what} has {size} bytes; in this kernel it has {btf.size(other.type)}")
        value[target : target + size] = data
    return _Converted(spec, found.id, found.module, bytes(value), slots)


def _interface(spec: StructOpsSpec, mine: Struct, symbols: KernelSymbols) -> tuple[Found, int, int]:
    """The kernel's map value, the interface in it, and the byte offset at which that begins."""
    name = essential_name(mine.name)
    found = symbols.kernel.find(_VALUE + name, Kind.STRUCT)
    if found is None:
        raise RelocationError(
            f"{spec.name}: this kernel has no interface {name!r} that BPF programs can implement",
            help="it may be part of a module that is not loaded, or of a newer kernel",
        )
    wrapper = found.btf.type(found.id)
    for member in wrapper.members if isinstance(wrapper, Struct) else ():
        kernel_id = found.btf.resolve(member.type)
        if found.btf.kind(kernel_id) is Kind.STRUCT and found.btf.name(kernel_id) == name:
            return found, kernel_id, member.bit_offset // 8
    raise RelocationError(f"{spec.name}: struct {_VALUE}{name} of this kernel holds no struct {name}")


def _check(what: str, local: Btf, member: Member, btf: Btf, other: Member) -> bool:
    """Whether the member is a pointer.  Raises :class:`RelocationError` if the two are of different kinds."""
    mine, theirs = local.type(local.resolve(member.type)), btf.type(btf.resolve(other.type))
    if local.kind(local.resolve(member.type)) is not btf.kind(btf.resolve(other.type)):
        raise RelocationError(
            f"{what} is {local.describe(member.type)}; in this kernel it is {btf.describe(other.type)}"
        )
    if _is_method(local, mine) and not _is_method(btf, theirs):
        raise RelocationError(f"{what} is a function; in this kernel it is {btf.describe(other.type)}")
    return isinstance(mine, Pointer)


def _is_method(btf: Btf, found: Type) -> bool:
    return isinstance(found, Pointer) and isinstance(btf.type(btf.resolve(found.type)), FunctionPrototype)


# -- in the kernel ---------------------------------------------------------------------------------------------


def create_struct_ops(
    plan: Plan,
    types: ObjectTypes,
    symbols: KernelSymbols,
    token: HasFileno | None,
    note: Callable[[str], None],
    undo: ExitStack,
) -> dict[str, StructOps]:
    """The maps that implementations will be written into, each pushed on ``undo``.

    Programs come later: :meth:`StructOps.fill`.
    """
    return {each.spec.name: undo.enter_context(_create(each, types, symbols, token, note)) for each in plan.wanted}


def _create(
    planned: _Converted,
    types: ObjectTypes,
    symbols: KernelSymbols,
    token: HasFileno | None,
    note: Callable[[str], None],
) -> StructOps:
    spec = planned.spec
    if types.descriptor is None:
        raise NotSupported(f"implementation {spec.name!r} without the object's types", since="5.6")
    flags = _LINK if spec.link else 0
    module = symbols.module(planned.module)
    tried = ""
    woken = False
    while True:
        try:
            descriptor = bpf.map_create(
                MapType.STRUCT_OPS, len(_KEY), len(planned.value), 1, name=spec.name,
                map_flags=flags | (_MODULE_VALUE if module is not None else 0), btf_fd=types.descriptor,
                btf_vmlinux_value_type_id=planned.value_type, value_type_btf_obj_fd=module, map_token_fd=token,
            )  # fmt: skip
            break
        except NotPermitted:
            raise
        except KernelError as error:
            if error.errno == _ENOTSUPP and not woken:
                # Before 5.11 the kernel does not read its own types until it checks a program.
                bpf.prog_load(_SOCKET_FILTER, _NOTHING, license="GPL", name="bee_nothing")[0].close()
                woken = True
                continue
            if not flags or error.errno != errno.EINVAL:
                raise
            flags, tried = 0, "this kernel has no links of interfaces (Linux 6.4)"
    if tried:
        note(f"{spec.name}: {tried}; it is registered by an update of its map")
    shape = MapSpec(spec.name, int(MapType.STRUCT_OPS), len(_KEY), len(planned.value), 1, flags)
    return StructOps(planned, Map(descriptor, shape), tried)


class StructOps:
    """One implementation, ready to be registered.  ``map`` is where the kernel has it."""

    def __init__(self, planned: _Converted, map: Map, tried: str = "") -> None:
        self.spec = planned.spec
        self.name = planned.spec.name
        self.map = map
        self.attachment = Attachment(by_name("struct_ops"), self.name)
        self._planned = planned
        self._tried = (tried,) if tried else ()
        self._value: bytes | None = None
        self._linked = bool(map.spec.flags & _LINK)
        self._written = self._spent = False

    @property
    def programs(self) -> tuple[str, ...]:
        """Names of the programs that it is made of."""
        return tuple(self._planned.slots.values())

    def fill(self, programs: Mapping[str, HasFileno]) -> None:
        """Put the loaded programs in their places."""
        value = bytearray(self._planned.value)
        for at, name in self._planned.slots.items():
            if name in programs:
                value[at : at + _POINTER] = programs[name].fileno().to_bytes(_POINTER, "little")
        self._value = bytes(value)

    def fileno(self) -> int:
        """The number of the map's descriptor."""
        return self.map.fileno()

    def attach(self) -> Link:
        """Register it; the kernel calls the programs until the link closes.

        By a link (Linux 6.4) for ``.struct_ops.link``; else by writing the map, which the kernel
        remembers even if this process is killed.  :class:`KernelError` (EEXIST) if there is one of its name.
        """
        if self._linked:
            self.write()
            descriptor = bpf.link_create(self.map, AttachType.STRUCT_OPS)
            return _StructOpsLink(self, descriptor, via="link")
        self.write()
        # Detaching needs the map, whatever closes first.
        held = Descriptor(os.dup(self.map.fileno()), f"map {self.name}")

        def undo() -> None:
            self._spent = True
            bpf.map_delete(held, _KEY)

        return _StructOpsLink(
            self, held, is_link=False, undo=undo, via="map update", tried=self._tried, stays="it stays registered"
        )

    def write(self) -> None:
        """Give the kernel the programs, once: with a link they are then ready, without one they are in use."""
        if self._spent:
            raise UsageError(
                f"{self.name!r} was registered and is not any more; without a link the kernel allows that once",
                help="load the object again",
            )
        if self._written:
            return
        assert self._value is not None
        self.map.update(_KEY, self._value)
        self._written = True

    def close(self) -> None:
        """Close the map; a link keeps it alive.  Calling it again does nothing."""
        self.map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<StructOps {self.name!r} of {', '.join(self.programs) or 'no programs'}>"


class _StructOpsLink(Link):
    """A registered implementation; another one of the same interface can take its place (Linux 6.4)."""

    def update(self, program: Attachable, *, expected: HasFileno | None = None) -> None:
        if isinstance(program, StructOps):
            program.write()
        super().update(program, expected=expected)
