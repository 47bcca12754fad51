"""What a program of ``usdt.bpf.h`` reads about the probe that it stands at: entries of two maps of its object.

``__bpf_usdt_specs`` is an array of ``struct __bpf_usdt_spec``: where the arguments are, and the user's cookie.  The
number of an entry comes to the program as the probe's cookie, or, on kernels without cookies (before 5.15), through
``__bpf_usdt_ip_to_spec_id`` by the address of the instruction.  Source: libbpf, ``src/usdt.bpf.h``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from beespace.errors import UsageError
from beespace.kernel.links.link import Attachable
from beespace.kernel.maps import Map
from beespace.kernel.usdt_arguments import Argument, Kind

__all__ = ["Addresses", "Specs"]

_SPECS, _ADDRESSES = "__bpf_usdt_specs", "__bpf_usdt_ip_to_spec_id"
_ARGUMENT = struct.Struct("=QIhBb")
_REST = struct.Struct("=Qh6x")
_MOST = 12  # BPF_USDT_MAX_ARG_CNT
_MASK = 0xFFFF_FFFF_FFFF_FFFF
_SIZE = _MOST * _ARGUMENT.size + _REST.size


class Specs:
    """The entries of one object's ``__bpf_usdt_specs``: places that say the same share one."""

    def __init__(self, specs: Map, knows_index: bool) -> None:
        self._map = specs
        self._knows_index = knows_index
        self._numbers: dict[bytes, int] = {}
        self._uses: dict[int, int] = {}

    @classmethod
    def of(cls, program: Attachable) -> Specs | None:
        """Those of the program's object; ``None`` if it reads no arguments and has no such map."""
        specs = _map_of(program, _SPECS)
        if specs is None:
            return None
        if specs.spec.value_size != _SIZE:
            raise UsageError(
                f"map {_SPECS} has values of {specs.spec.value_size} bytes, not {_SIZE}",
                help="compile the object with usdt.bpf.h of libbpf 0.8 or later",
            )
        known = _known.get(specs)
        if known is None:
            known = _known[specs] = cls(specs, _knows_index(program))
        return known

    def encode(self, arguments: Sequence[Argument], cookie: int) -> bytes:
        """``struct __bpf_usdt_spec``.  Index register and scale lie in what was padding in older headers."""
        if len(arguments) > _MOST:
            raise UsageError(f"the static probe has {len(arguments)} arguments", help=f"programs read at most {_MOST}")
        if not self._knows_index and any(each.kind is Kind.INDEXED for each in arguments):
            raise UsageError(
                "an argument of the static probe is at a register plus another, which the program cannot read",
                help="compile it with usdt.bpf.h of libbpf 1.7 or later",
            )
        packed = b"".join(
            _ARGUMENT.pack(
                each.value & _MASK,
                each.kind | each.index << 8 | each.scale << 20,
                each.register,
                each.signed,
                64 - 8 * each.size,
            )
            for each in arguments
        )
        return packed.ljust(_MOST * _ARGUMENT.size, b"\0") + _REST.pack(cookie & _MASK, len(arguments))

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


def _knows_index(program: Attachable) -> bool:
    """Whether the object was compiled with a header that has ``BPF_USDT_ARG_SIB`` (libbpf 1.7)."""
    from beespace.btf import Btf, Enum, Kind

    types: Btf | None = getattr(program, "types", lambda: None)()
    found = [] if types is None else types.find_all("__bpf_usdt_arg_type", Kind.ENUM)
    enum = types.type(found[0]) if types is not None and found else None
    return isinstance(enum, Enum) and any(each.name == "BPF_USDT_ARG_SIB" for each in enum.values)
