"""``parse``: BTF as it is found in files: raw, or in a section ``.BTF`` of an ELF file of any machine.

``/sys/kernel/btf/*`` and the files of BTFHub are raw; objects, ``vmlinux`` and kernel modules hold a section.
"""

from __future__ import annotations

import struct

from beespace.btf.reader import Btf
from beespace.btf.rebase import rebase
from beespace.errors import FormatError

__all__ = ["parse", "sections"]

# ELF class -> Ehdr after e_ident (e_shoff, e_shentsize, e_shnum, e_shstrndx), Shdr (name, offset, size); pointer size
_CLASSES = {
    1: (struct.Struct("16x16xI10xHHH"), struct.Struct("I12xII16x"), 4),
    2: (struct.Struct("16x24xQ10xHHH"), struct.Struct("I20xQQ24x"), 8),
}
_ORDERS = {1: "<", 2: ">"}
_WANTED = (".BTF", ".BTF.base", ".BTF.ext")


def parse(data: bytes, base: Btf | None = None, *, what: str = "the file") -> Btf:
    """The types in ``data``, which is raw BTF or an ELF file; those of a kernel module need the kernel's as ``base``.

    A module that was built apart from its kernel has a distilled base of its own, and is put on ``base``
    (:func:`~beespace.btf.rebase.rebase`); without one it stays on that.  Raises :class:`FormatError` for anything
    else, ``what`` it is called then.
    """
    if data[:4] != b"\x7fELF":
        return Btf(data, base)
    found, pointer_size = _read(data)
    if ".BTF" not in found:
        raise FormatError(f"{what} is an ELF file without a section .BTF", help="compile it with -g, for a BPF target")
    if ".BTF.base" in found:
        split = Btf(found[".BTF"], Btf(found[".BTF.base"], pointer_size=pointer_size))
        return split if base is None else rebase(split, base)
    return Btf(found[".BTF"], base, pointer_size=pointer_size)


def sections(data: bytes) -> dict[str, bytes]:
    """The sections of an ELF file that hold types: ``.BTF``, ``.BTF.base``, ``.BTF.ext``; those that are there."""
    return _read(data)[0]


def _read(data: bytes) -> tuple[dict[str, bytes], int]:
    if len(data) < 64 or data[4] not in _CLASSES or data[5] not in _ORDERS:
        raise FormatError("a damaged ELF file: its header is cut off or of no known class", offset=4)
    (file_header, row, pointer_size), order = _CLASSES[data[4]], _ORDERS[data[5]]
    file_header, row = (struct.Struct(order + each.format) for each in (file_header, row))
    start, row_size, count, names_index = file_header.unpack_from(data)
    if row_size != row.size or start + row_size * count > len(data) or names_index >= count:
        raise FormatError("a damaged ELF file: its section headers do not fit", offset=40)
    rows = [row.unpack_from(data, start + row_size * number) for number in range(count)]
    names = _content(data, rows[names_index], "the section names")
    found: dict[str, bytes] = {}
    for name_offset, *place in rows:
        name = names[name_offset : name_offset + 16].partition(b"\0")[0].decode("ascii", "replace")
        if name in _WANTED and name not in found:
            found[name] = _content(data, (name_offset, *place), name)
    return found, pointer_size


def _content(data: bytes, row: tuple[int, ...], what: str) -> bytes:
    _, offset, size = row
    if offset + size > len(data):
        raise FormatError(f"a damaged ELF file: {what} of {size} bytes at {offset} do not fit {len(data)} bytes")
    return data[offset : offset + size]
