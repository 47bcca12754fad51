"""Reading small files, those of ``/proc`` and ``/sys`` above all: every start does, and ``pathlib`` is 3 ms of it."""

from __future__ import annotations

import os

__all__ = ["read_bytes", "read_text"]


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """What the file holds; ``OSError`` if it cannot be read."""
    with open(path, "rb") as file:
        return file.read()


def read_text(path: str | os.PathLike[str]) -> str:
    """The same as text; bytes that are none survive as surrogates."""
    return read_bytes(path).decode(errors="surrogateescape")
