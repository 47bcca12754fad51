"""Memory that programs write meanwhile: a word of it is read and written in one access, so it is never torn."""

from __future__ import annotations

import sys

from beespace.typed import Literal

__all__ = ["load", "store"]

_WORDS: dict[int, Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}


def load(view: memoryview, at: int, size: int) -> bytes:
    """``size`` bytes at ``at``: one access if they are an aligned word; else a part may be newer than the rest."""
    word = _WORDS.get(size)
    if word is None or at % size:
        return bytes(view[at : at + size])
    return view[at : at + size].cast(word)[0].to_bytes(size, sys.byteorder)


def store(view: memoryview, at: int, data: bytes) -> None:
    """Write ``data`` at ``at``, as :func:`load` reads."""
    size = len(data)
    word = _WORDS.get(size)
    if word is None or at % size:
        view[at : at + size] = data
    else:
        view[at : at + size].cast(word)[0] = int.from_bytes(data, sys.byteorder)
