"""What a program of ``usdt.bpf.h`` reads about the probe that it stands at: entries of two maps of its object.

``__bpf_usdt_specs`` is an array of ``struct __bpf_usdt_spec``: where the arguments are, and the user's cookie.  The
number of an entry comes to the program as the probe's cookie, or, on kernels without cookies (before 5.15), through
``__bpf_usdt_ip_to_spec_id`` by the address of the instruction.  Source: libbpf, ``src/usdt.bpf.h``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from beespace.btf import Array, Btf, Struct
from beespace.btf.codec import codec
from beespace.errors import UsageError
from beespace.kernel.links.link import Attachable
from beespace.kernel.maps import Map
from beespace.kernel.usdt_arguments import Argument, Kind

__all__ = ["Addresses", "Specs"]

_SPECS, _ADDRESSES = "__bpf_usdt_specs", "__bpf_usdt_ip_to_spec_id"
_MASK = 0xFFFF_FFFF_FFFF_FFFF
_INDEX = "idx_reg_off"  # libbpf 1.7


class Specs:
    """The entries of one object's ``__bpf_usdt_specs``: places that say the same share one."""

    def __init__(self, specs: Map, types: Btf) -> None:
        self._map = specs
        self._codec = codec(types, specs.spec.value_type)
        self._names, self._most = _shape(types, specs.spec.value_type)
        self._numbers: dict[bytes, int] = {}
        self._uses: dict[int, int] = {}

    @classmethod
    def of(cls, program: Attachable) -> Specs | None:
        """Those of the program's object; ``None`` if it reads no arguments and has no such map."""
        specs = _map_of(program, _SPECS)
        if specs is None:
            return None
        known = _known.get(specs)
        if known is None:
            types: Btf | None = getattr(program, "types", lambda: None)()
            if types is None or not specs.spec.value_type:
                raise UsageError(f"map {_SPECS} has no type of its values", help="compile the object with -g")
            known = _known[specs] = cls(specs, types)
        return known

    def encode(self, arguments: Sequence[Argument], cookie: int) -> bytes:
        """``struct __bpf_usdt_spec`` as the object has it: it is another one since libbpf 1.7."""
        if len(arguments) > self._most:
            raise UsageError(
                f"the static probe has {len(arguments)} arguments", help=f"programs read at most {self._most}"
            )
        if _INDEX not in self._names and any(each.kind is Kind.INDEXED for each in arguments):
            raise UsageError(
                "an argument of the static probe is at a register plus another, which the program cannot read",
                help="compile it with usdt.bpf.h of libbpf 1.7 or later",
            )
        fields = [self._fields(each) for each in arguments]
        fields += [{}] * (self._most - len(fields))
        return self._codec.encode({"args": fields, "usdt_cookie": cookie & _MASK, "arg_cnt": len(arguments)})

    def _fields(self, argument: Argument) -> dict[str, int]:
        fields = {
            "val_off": argument.value & _MASK,
            "arg_type": int(argument.kind),
            "reg_off": argument.register,
            "arg_signed": argument.signed,
            "arg_bitshift": 64 - 8 * argument.size,
        }
        if argument.kind is Kind.INDEXED:
            fields |= {_INDEX: argument.index, "scale_bitshift": argument.scale}
        return fields

    def take(self, content: bytes) -> int:
        """The number of an entry that has ``content``."""
        number = self._numbers.get(content)
        if number is None:
            number = next((each for each in range(self._map.spec.max_entries) if each not in self._uses), None)
            if number is None:
                raise UsageError(
                    f"map {_SPECS} is full: {self._map.spec.max_entries} kinds of static probes are attached",
                    help=f"load the object with max_entries={{{_SPECS!r}: ...}}, or define BPF_USDT_MAX_SPEC_CNT",
                )
            self._map.update(struct.pack("=I", number), content)
            self._numbers[content] = number
        self._uses[number] = self._uses.get(number, 0) + 1
        return number

    def give_back(self, number: int) -> None:
        """One place does not need entry ``number`` any more."""
        self._uses[number] -= 1
        if not self._uses[number]:
            del self._uses[number]
            self._numbers = {content: each for content, each in self._numbers.items() if each != number}


_known: WeakKeyDictionary[Map, Specs] = WeakKeyDictionary()


class Addresses:
    """The entries of ``__bpf_usdt_ip_to_spec_id``: address of an instruction in a process -> number of its spec."""

    def __init__(self, addresses: Map) -> None:
        self._map = addresses

    @classmethod
    def of(cls, program: Attachable) -> Addresses:
        """Those of the program's object."""
        addresses = _map_of(program, _ADDRESSES)
        if addresses is None:
            raise UsageError(
                f"program {program.name!r} has no map {_ADDRESSES}", help="include bpf/usdt.bpf.h in its source"
            )
        return cls(addresses)

    def put(self, address: int, number: int) -> bytes:
        """Write an entry; what :meth:`remove` takes."""
        key = struct.pack("=Q", address)
        self._map.update(key, struct.pack("=I", number))
        return key

    def remove(self, key: bytes) -> None:
        """Remove an entry, if it is there."""
        self._map.delete(key)


def _map_of(program: Attachable, name: str) -> Map | None:
    maps: Mapping[str, Map] = getattr(program, "maps", {})
    return maps.get(name)


def _shape(types: Btf, type_id: int) -> tuple[frozenset[str], int]:
    """The members of one argument's struct, and how many arguments there is room for."""
    whole = types.type(types.resolve(type_id))
    members = whole.members if isinstance(whole, Struct) else ()
    array = next((types.type(types.resolve(each.type)) for each in members if each.name == "args"), None)
    one = types.type(types.resolve(array.type)) if isinstance(array, Array) else None
    if not isinstance(array, Array) or not isinstance(one, Struct):
        raise UsageError(f"the values of map {_SPECS} are not what usdt.bpf.h defines")
    return frozenset(member.name for member in one.members), array.count
