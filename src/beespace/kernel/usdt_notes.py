"""Static probes of user programs (USDT): the notes that ``sys/sdt.h`` leaves in a binary.

Section ``.note.stapsdt`` has a note of type 3 for each place: the address of its instruction, that of section
``.stapsdt.base`` when the note was written (a prelinker may have moved it), that of its semaphore, and three strings:
provider, name, arguments.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from beespace.errors import FormatError
from beespace.kernel.binary import Binary
from beespace.record import dataclass

__all__ = ["StaticProbe", "static_probes"]

_NAME, _TYPE = b"stapsdt\0", 3


@dataclass(frozen=True, slots=True)
class StaticProbe:
    """One place of a static probe.  ``address`` is that of its instruction, ``offset`` the same in the file.

    ``semaphore`` is the file offset of the counter of those who look on (0: none); ``arguments`` says where the
    arguments are, in the words of the assembler.
    """

    provider: str
    name: str
    address: int
    offset: int
    semaphore: int
    arguments: str


def static_probes(binary: Binary) -> Iterator[StaticProbe]:
    """All static probes of a binary, in the order of their notes."""
    section = binary.section(".note.stapsdt")
    if section is None:
        return
    data = binary.content(section)
    order = "<" if binary.byteorder == "little" else ">"
    header = struct.Struct(order + "III")
    base = binary.section(".stapsdt.base")
    at = 0
    while at + header.size <= len(data):
        name_size, size, type = header.unpack_from(data, at)
        start = at + header.size + -(-name_size // 4) * 4
        if start + size > len(data):
            raise FormatError(f"{binary.path}: a note of static probes is cut", offset=section.offset + at)
        if type == _TYPE and data[at + header.size : at + header.size + name_size] == _NAME:
            yield _probe(binary, data[start : start + size], order, base.address if base else 0, section.offset + at)
        at = start + -(-size // 4) * 4


def _probe(binary: Binary, data: bytes, order: str, base: int, at: int) -> StaticProbe:
    layout = struct.Struct(order + ("QQQ" if binary.bits == 64 else "III"))
    texts = data[layout.size :].split(b"\0")
    if len(data) < layout.size or len(texts) < 4:  # three, and what is behind the last NUL
        raise FormatError(f"{binary.path}: a note of static probes is too short", offset=at)
    address, noted_base, semaphore = layout.unpack_from(data)
    moved = base - noted_base if base and noted_base else 0
    mask = (1 << binary.bits) - 1
    address = address + moved & mask
    provider, name, arguments = (text.decode("utf-8", "surrogateescape") for text in texts[:3])
    return StaticProbe(
        provider,
        name,
        address,
        binary.file_offset(address),
        binary.file_offset(semaphore + moved & mask, executable=False) if semaphore else 0,
        "" if arguments.startswith(":") else arguments,
    )
