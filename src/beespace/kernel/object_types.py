"""The object's own type information, made acceptable to the running kernel.

A compiler writes BTF for the newest kernel, and things that no kernel takes (declarations of kernel
symbols).  Loading tries the object's BTF as it is, but for those; a kernel that refuses it is asked, by
loading a tiny sample of each, which kinds of record it does not know, and those are replaced by older
ones of the same size.  Ids and string offsets stay, so function and line records go on fitting.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable

from beespace.btf import BtfBuilder
from beespace.btf.kinds import Kind, record_words
from beespace.btf.types import Linkage
from beespace.errors import FormatError, KernelError
from beespace.record import dataclass
from beespace.syscall import Descriptor, HasFileno, bpf

__all__ = ["ObjectTypes", "acceptable", "load_types"]

_HEADER = struct.Struct("=HBBIIIII")
_FLAG = 1 << 31
_PLAIN_NAME = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_."
_Record = list[int]  # 32-bit words: name, info, size or type, and what the kind adds


@dataclass(frozen=True, slots=True)
class ObjectTypes:
    """``descriptor`` is the object's BTF in the kernel, ``None`` if there is none; ``notes`` say what was lost."""

    descriptor: Descriptor | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Newer:
    """Something that older kernels refuse: how to tell, a sample to ask with, and what to put instead."""

    what: str
    since: str
    found: Callable[[_Record], bool]
    sample: Callable[[BtfBuilder], object]
    older: Callable[[_Record], _Record]


def _kind(record: _Record) -> int:
    return record[1] >> 24 & 0x1F


def _is(kind: Kind) -> Callable[[_Record], bool]:
    return lambda record: _kind(record) == kind


def _integer(record: _Record) -> _Record:
    return [record[0], Kind.INT << 24, record[2], 8 * record[2]]


def _nothing(record: _Record) -> _Record:
    """``const void``: takes the id and says nothing."""
    return [0, Kind.CONST << 24, 0]


def _is_attribute(record: _Record) -> bool:
    return _kind(record) in (Kind.TYPE_TAG, Kind.DECL_TAG) and bool(record[1] & _FLAG)


def _sample_global(builder: BtfBuilder) -> None:
    builder.function("f", builder.prototype(0, []), Linkage.GLOBAL)


_NEWER = (
    _Newer("global functions", "5.6", lambda r: _kind(r) == Kind.FUNC and r[1] & 0xFFFF == Linkage.GLOBAL,
           _sample_global, lambda r: [r[0], Kind.FUNC << 24, r[2]]),
    _Newer("floating-point types", "5.13", _is(Kind.FLOAT), lambda b: b.float("f", 8), _integer),
    _Newer("declaration tags", "5.16", lambda r: _kind(r) == Kind.DECL_TAG and not _is_attribute(r),
           lambda b: b.decl_tag("t", b.struct("s", 0, ())), _nothing),
    _Newer("type tags", "5.17", lambda r: _kind(r) == Kind.TYPE_TAG and not _is_attribute(r),
           lambda b: b.pointer(b.type_tag("t", b.int("i", 4))), lambda r: [0, Kind.CONST << 24, r[2]]),
    _Newer("signed enumerations", "6.0", lambda r: _kind(r) == Kind.ENUM and bool(r[1] & _FLAG),
           lambda b: b.enum("e", [("e_a", -1)]), lambda r: [r[0], r[1] & ~_FLAG, *r[2:]]),
    _Newer("64-bit enumerations", "6.0", _is(Kind.ENUM64),
           lambda b: b.enum("e", [("e_a", 1)], size=8), _integer),
)  # fmt: skip


def load_types(data: bytes, token: HasFileno | None = None) -> ObjectTypes:
    """Load an object's raw ``.BTF``; ``token`` is a BPF token to load it with (6.9).

    Never fails: what the kernel takes in no form is left out, with a note.  Then there are no
    function records either (so no callbacks) and no source lines in the verifier's log.
    """
    if not data:
        return ObjectTypes(None)
    data = acceptable(data)
    try:
        return ObjectTypes(bpf.btf_load(data, btf_token_fd=token)[0])
    except KernelError as error:
        refused = error
    records, strings = _split(data)
    missing = [n for n in _NEWER if any(n.found(r) for r in records) and not _kernel_takes(n, token)]
    for newer in missing:
        records = [newer.older(record) if newer.found(record) else record for record in records]
    records, strings = _named_parameters(*_renamed_sections([_plain(record) for record in records], strings))
    notes = tuple(f"types: this kernel does not know {n.what} (Linux {n.since}); replaced" for n in missing)
    try:
        return ObjectTypes(bpf.btf_load(_join(records, strings), btf_token_fd=token)[0], notes)
    except KernelError as error:
        refused = error
    return ObjectTypes(None, (f"types: loaded without BTF, functions and lines: {refused.message}",))


def acceptable(data: bytes) -> bytes:
    """BTF without what no kernel takes: declarations of kernel functions and variables, and their sections.

    Options of the kernel (``.kconfig``) are variables of the object by now.  The same bytes if there is nothing.
    """
    records, strings = _split(data)
    options = _options(records, strings)
    for record in options:
        record[3] = Linkage.GLOBAL
    gone = {number for number, record in enumerate(records, 1) if _is_declaration(record)}
    sections = {
        number
        for number, record in enumerate(records, 1)
        if _kind(record) == Kind.DATASEC and any(variable in gone for variable in record[3::3])
    }
    tags = {
        number
        for number, record in enumerate(records, 1)
        if _kind(record) == Kind.DECL_TAG and record[2] in gone | sections
    }
    lost = gone | sections | tags
    if not lost and not options:
        return data
    kept = [_nothing(record) if number in lost else record for number, record in enumerate(records, 1)]
    return _join(kept, strings)


def _options(records: list[_Record], strings: bytes) -> list[_Record]:
    """The variables of ``.kconfig``."""
    at = strings.find(b"\0.kconfig\0") + 1
    if not at:
        return []
    ids = [i for record in records if _kind(record) == Kind.DATASEC and record[0] == at for i in record[3::3]]
    found = [records[i - 1] for i in ids if 0 < i <= len(records)]
    return [record for record in found if _kind(record) == Kind.VAR]


def _renamed_sections(records: list[_Record], strings: bytes) -> tuple[list[_Record], bytes]:
    """Names of sections without the ``?`` of libbpf, and of letters, digits, dots and underscores alone.

    Kernels before 6.9 refuse others; a name says nothing that they look at.
    """
    renamed: list[_Record] = []
    for record in records:
        if _kind(record) == Kind.DATASEC:
            name = strings[record[0] :].partition(b"\0")[0]
            plain = bytes(letter if letter in _PLAIN_NAME else ord("_") for letter in name.removeprefix(b"?"))
            if plain != name:
                record = [len(strings), *record[1:]]
                strings += plain + b"\0"
        renamed.append(record)
    return renamed, strings


def _is_declaration(record: _Record) -> bool:
    if _kind(record) == Kind.FUNC:
        return record[1] & 0xFFFF == Linkage.EXTERN
    return _kind(record) == Kind.VAR and record[3] == Linkage.EXTERN


def _plain(record: _Record) -> _Record:
    """Tags for any attribute (kind flag, Linux 6.15) say nothing that a verifier reads."""
    if not _is_attribute(record):
        return record
    return _nothing(record) if _kind(record) == Kind.DECL_TAG else [0, Kind.CONST << 24, record[2]]


def _named_parameters(records: list[_Record], strings: bytes) -> tuple[list[_Record], bytes]:
    """Give parameters of functions a name: the kernel refuses a function that has one without."""
    functions = {record[2] for record in records if _kind(record) == Kind.FUNC}
    name = len(strings)
    changed = False
    for number, record in enumerate(records, 1):
        if _kind(record) != Kind.FUNC_PROTO or number not in functions:
            continue
        for at in range(3, len(record), 2):
            if not record[at] and record[at + 1]:
                record[at], changed = name, True
    return records, strings + b"_\0" if changed else strings


def _kernel_takes(newer: _Newer, token: HasFileno | None) -> bool:
    builder = BtfBuilder()
    newer.sample(builder)
    try:
        bpf.btf_load(builder.bytes(), btf_token_fd=token)[0].close()
    except KernelError:
        return False
    return True


def _split(data: bytes) -> tuple[list[_Record], bytes]:
    """The records and the strings of BTF in native byte order."""
    if len(data) < _HEADER.size:
        raise FormatError(f"the object's BTF has {len(data)} bytes, too few for a header", offset=0)
    magic, _, _, header, types_at, types_size, strings_at, strings_size = _HEADER.unpack_from(data)
    if magic != 0xEB9F:
        raise FormatError("the object's BTF is of the other byte order, or damaged", offset=0)
    if types_size % 4 or header + max(types_at + types_size, strings_at + strings_size) > len(data):
        raise FormatError(f"the object's BTF has sections that do not fit its {len(data)} bytes", offset=8)
    words = array("I", data[header + types_at : header + types_at + types_size])
    records: list[_Record] = []
    at = 0
    while at < len(words):
        length = record_words(words[at + 1]) if at + 1 < len(words) else -1
        if length < 0 or at + length > len(words):
            raise FormatError("the object's BTF is damaged", offset=header + types_at + 4 * at)
        records.append(list(words[at : at + length]))
        at += length
    return records, data[header + strings_at : header + strings_at + strings_size]


def _join(records: list[_Record], strings: bytes) -> bytes:
    types = array("I", [word for record in records for word in record]).tobytes()
    return _HEADER.pack(0xEB9F, 1, 0, _HEADER.size, 0, len(types), len(types), len(strings)) + types + strings
