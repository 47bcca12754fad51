"""The kernel inside a bzImage: QEMU starts it at its PVH entry, which skips decompression in the guest.

Source: Documentation/arch/x86/boot.rst (setup_sects, payload_offset, payload_length); the last four bytes of the
payload are the size of what is in it.
"""

from __future__ import annotations

import gzip
import lzma
import struct
import subprocess
from collections.abc import Callable

from beespace.errors import FormatError
from beespace.guest.programs import program

__all__ = ["extract"]

_SETUP_SECTORS = 0x1F1
_HEADER_MAGIC = 0x202
_PAYLOAD = 0x248


def extract(image: bytes) -> bytes:
    """The ELF file ``vmlinux`` of a bzImage; :class:`~beespace.errors.FormatError` if it is none."""
    if image[_HEADER_MAGIC : _HEADER_MAGIC + 4] != b"HdrS":
        raise FormatError("the kernel image is no bzImage", offset=_HEADER_MAGIC)
    start, length = struct.unpack_from("<II", image, _PAYLOAD)
    start += ((image[_SETUP_SECTORS] or 4) + 1) * 512
    payload, size = image[start : start + length - 4], image[start + length - 4 : start + length]
    for magic, unpack in _FORMS:
        if payload.startswith(magic):
            kernel = unpack(payload)
            break
    else:
        raise FormatError(f"the kernel image is packed in an unknown way ({payload[:4].hex()})", offset=start)
    if len(kernel) != int.from_bytes(size, "little") or not kernel.startswith(b"\x7fELF"):
        raise FormatError("the kernel image did not unpack to an ELF file of the size that it names", offset=start)
    return kernel


def _by_program(*command: str) -> Callable[[bytes], bytes]:
    def unpack(data: bytes) -> bytes:
        return subprocess.run([program(command[0]), *command[1:]], input=data, stdout=-1, check=False).stdout

    return unpack


_FORMS: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\x02\x21\x4c\x18", _by_program("lz4", "-dcq")),
    (b"\x28\xb5\x2f\xfd", _by_program("zstd", "-dcq")),
    (b"\xfd7zXZ", lzma.decompress),
    (b"\x1f\x8b", gzip.decompress),
)
