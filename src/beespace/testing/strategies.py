"""Strategies of hypothesis: packets as the network has them, damaged ones too, and contexts of a method."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from beespace.btf import Btf, Kind
from beespace.btf.types import Array, Enum, Int, IntEncoding, Member, Pointer, Struct
from beespace.compiler.contexts.event_classes import event_of, records_of
from beespace.errors import UsageError
from beespace.hooks import Attachment, Context, resolve
from beespace.hooks.syscalls import SYSCALLS
from beespace.lang import Program
from beespace.session.fake_arguments import parameters_of
from beespace.session.simulated_types import simulated_types

__all__ = ["contexts", "packets"]

_ICMP, _TCP, _UDP = 1, 6, 17
_PORTS = st.one_of(st.sampled_from([22, 53, 80, 443]), st.integers(0, 0xFFFF))
_ENTERING = "syscalls/sys_enter_"
_LOCATION = "__data_loc_"  # of a text in a tracepoint's record
_DEEP = 4  # pointers behind pointers


def packets(*, protocols: tuple[int, ...] = (_ICMP, _TCP, _UDP), damaged: bool = True) -> SearchStrategy[bytes]:
    """Frames with an Ethernet header: IPv4 and IPv6 with one of ``protocols``, with options, VLAN tags, fragments.

    Lengths and checksums are right, but where the packet is ``damaged``: then it may be cut anywhere, or any of its
    bytes is another, or it is nothing but bytes.
    """
    whole = _frames(protocols)
    if not damaged:
        return whole
    return st.one_of(whole, _cut(whole), _changed(whole), st.binary(min_size=14, max_size=200))


@st.composite
def _frames(draw: st.DrawFn, protocols: tuple[int, ...]) -> bytes:
    header = draw(st.binary(min_size=12, max_size=12))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        header += struct.pack(">HH", 0x8100, draw(st.integers(0, 0xFFFF)))
    protocol = draw(st.sampled_from(protocols))
    if draw(st.booleans()):
        return header + b"\x08\x00" + _ipv4(draw, protocol)
    return header + b"\x86\xdd" + _ipv6(draw, protocol)


def _ipv4(draw: st.DrawFn, protocol: int) -> bytes:
    source, target = draw(st.binary(min_size=4, max_size=4)), draw(st.binary(min_size=4, max_size=4))
    options = draw(st.sampled_from([b"", b"", b"", bytes([1] * 4), bytes([1] * 40)]))
    content = _segment(draw, protocol, source + target)
    fragment = draw(st.sampled_from([0x4000, 0x4000, 0, 0x2000, 0x00B9]))
    words = 5 + len(options) // 4
    start = struct.pack(
        ">BBHHHBBH4s4s", 0x40 | words, 0, 4 * words + len(content), draw(st.integers(0, 0xFFFF)), fragment,
        draw(st.integers(1, 255)), protocol, 0, source, target,
    )  # fmt: skip
    header = start + options
    return header[:10] + struct.pack(">H", _checksum(header)) + header[12:] + content


def _ipv6(draw: st.DrawFn, protocol: int) -> bytes:
    source, target = draw(st.binary(min_size=16, max_size=16)), draw(st.binary(min_size=16, max_size=16))
    protocol = 58 if protocol == _ICMP else protocol
    content = _segment(draw, protocol, source + target)
    return struct.pack(">IHBB", 6 << 28, len(content), protocol, draw(st.integers(1, 255))) + source + target + content


def _segment(draw: st.DrawFn, protocol: int, addresses: bytes) -> bytes:
    """What is in an IP packet, with its checksum."""
    payload = draw(st.binary(max_size=64))
    ports = struct.pack(">HH", draw(_PORTS), draw(_PORTS))
    if protocol == _UDP:
        content, place = ports + struct.pack(">HH", 8 + len(payload), 0) + payload, 6
    elif protocol == _TCP:
        options = draw(st.sampled_from([b"", b"", bytes.fromhex("020405b4"), bytes([1] * 12)]))
        numbers = struct.pack(">II", draw(st.integers(0, 0xFFFFFFFF)), draw(st.integers(0, 0xFFFFFFFF)))
        flags = struct.pack(">BBH", (5 + len(options) // 4) << 4, draw(st.integers(0, 0x3F)), 0xFFFF)
        content, place = ports + numbers + flags + bytes(4) + options + payload, 16
    elif protocol in (_ICMP, 58):
        kind = draw(st.sampled_from([8, 0, 3] if protocol == _ICMP else [128, 129, 1]))
        content, place = bytes([kind, 0, 0, 0]) + ports + payload, 2
    else:
        return payload
    over = b"" if protocol == _ICMP else addresses + struct.pack(">IHBB", len(content), 0, 0, protocol)
    checksum = _checksum(over + content)
    return content[:place] + struct.pack(">H", checksum) + content[place + 2 :]


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    words: tuple[int, ...] = struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@st.composite
def _cut(draw: st.DrawFn, whole: SearchStrategy[bytes]) -> bytes:
    frame = draw(whole)
    return frame[: draw(st.integers(14, len(frame)))]


@st.composite
def _changed(draw: st.DrawFn, whole: SearchStrategy[bytes]) -> bytes:
    frame = bytearray(draw(whole))
    for _ in range(draw(st.integers(1, 4))):
        frame[draw(st.integers(12, len(frame) - 1))] = draw(st.integers(0, 255))
    return bytes(frame)


# --- contexts -----------------------------------------------------------------------------------------


def contexts(program: type[Program], method: str) -> SearchStrategy[Any]:
    """What ``test_run(method, context=...)`` takes: fields of a tracepoint's record, arguments of a system call or of a
    typed hook, numbers of a struct.

    Only what the program's methods mention is in it.  Numbers are of the whole range of their type, texts any ASCII; a
    pointer to a struct leads to such a struct, any other is null.  :class:`UsageError` for methods whose context is
    registers, or packets (see :func:`packets`).
    """
    declaration = program.declaration()
    if not declaration.variants(method):
        known = ", ".join(declaration.programs) or "none"
        raise UsageError(f"{declaration.name} has no program {method!r}", help=f"its programs: {known}")
    attachment = resolve(declaration.programs[declaration.variants(method)[0]].section)
    names = frozenset(name for each in declaration.functions.values() for name in each.__code__.co_names)
    made = _Contexts(simulated_types().btf, names)
    match attachment.hook.context:
        case Context.TRACEPOINT:
            return made.record(attachment)
        case Context.ARGUMENTS | Context.RAW_ARGUMENTS:
            return made.arguments(attachment)
        case Context.STRUCT if attachment.hook.context_type not in ("xdp_md", "__sk_buff"):
            return made.struct(attachment.hook.context_type)
    raise UsageError(f"there are no made-up contexts for {attachment.section!r}", help="see packets(), for packets")


class _Contexts:
    """Strategies by types, for what ``names`` mention."""

    def __init__(self, types: Btf, names: frozenset[str]) -> None:
        self._types, self._names = types, names

    def record(self, attachment: Attachment) -> SearchStrategy[dict[str, Any]]:
        if attachment.target.startswith(_ENTERING):
            names = [name for name, _ in SYSCALLS.get(attachment.target.removeprefix(_ENTERING), ())]
            return st.fixed_dictionaries({}, optional={name: _argument(name) for name in names if name in self._names})
        records = records_of(self._types, event_of(attachment.target))
        if len(records) != 1:
            raise UsageError(f"these types do not say what a record of {attachment.target} is")
        return self.struct(records[0])

    def arguments(self, attachment: Attachment) -> SearchStrategy[list[Any]]:
        parameters = parameters_of(self._types, attachment)
        values = [self._value(each.type, 0) for each in parameters]
        return st.tuples(*(st.just(0) if value is None else value for value in values)).map(list)

    def struct(self, name: str) -> SearchStrategy[dict[str, Any]]:
        return self._fields(self._types.find(name, Kind.STRUCT), 0)

    def _fields(self, struct_id: int, depth: int) -> SearchStrategy[dict[str, Any]]:
        found = self._types.type(self._types.resolve(struct_id))
        assert isinstance(found, Struct)
        always: dict[str, SearchStrategy[Any]] = {}
        optional: dict[str, SearchStrategy[Any]] = {}
        for member in self._members(found):
            name = member.name.removeprefix(_LOCATION)
            if name not in self._names:
                continue
            if name != member.name:
                optional[name] = _texts(64)
                continue
            value = self._value(member.type, depth, member.bitfield_size)
            if value is not None:
                pointer = isinstance(self._types.type(self._types.resolve(member.type)), Pointer)
                (always if pointer else optional)[name] = value
        return st.fixed_dictionaries(always, optional=optional)

    def _members(self, struct: Struct) -> Iterator[Member]:
        """With those of structs and unions without a name."""
        for member in struct.members:
            inner = self._types.type(self._types.resolve(member.type))
            if member.name:
                yield member
            elif isinstance(inner, Struct):
                yield from self._members(inner)

    def _value(self, type_id: int, depth: int, bits: int = 0) -> SearchStrategy[Any] | None:
        number = self._types.resolve(type_id)
        found = self._types.type(number)
        match found:
            case Int() if found.encoding & IntEncoding.BOOL:
                return st.booleans()
            case Int() | Enum():
                size = bits or 8 * found.size
                signed = found.is_signed and not bits
                return st.integers(-(1 << size - 1), (1 << size - 1) - 1) if signed else st.integers(0, (1 << size) - 1)
            case Array() if found.count and self._types.size(found.type) == 1:
                return _texts(found.count - 1)
            case Pointer() if depth < _DEEP:
                target = self._types.type(self._types.resolve(found.type))
                return self._fields(found.type, depth + 1) if isinstance(target, Struct) and target.size else None
        return None


def _argument(name: str) -> SearchStrategy[Any]:
    """Of a system call: a path, or a number."""
    return _texts(80) if "name" in name or "path" in name else st.integers(0, (1 << 32) - 1)


def _texts(most: int) -> SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=126), max_size=most)
