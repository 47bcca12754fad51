"""The first files of a guest: an archive in the form ``newc``, not packed, written here.

Source: Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["FILE", "FOLDER", "archive"]

FOLDER, FILE = 0o040755, 0o100755


def archive(entries: Iterable[tuple[str, int, bytes]]) -> bytes:
    """``(path, mode, content)`` of each entry, folders before what is in them."""
    parts: list[bytes] = []
    for number, (path, mode, content) in enumerate((*entries, ("TRAILER!!!", 0, b"")), 1):
        name = path.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        parts += [_padded(header + name), _padded(content)]
    return b"".join(parts)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
