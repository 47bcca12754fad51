"""String tables: of ELF (``.strtab``) and of BTF, read within a budget, and built."""

from __future__ import annotations

from beespace.errors import FormatError

#: Compilers share the tails of strings, so what is decoded may exceed the table, but not by much.
_SHARING = 16
_SLACK = 1 << 16


class Strings:
    """NUL-terminated strings at offsets of ``data``; each is decoded once.

    A hostile table is one long string into which thousands of entries point, each a little further
    on.  Decoding them all would take memory quadratic in the file size, hence the budget.
    """

    __slots__ = ("_base", "_budget", "_cache", "_data", "_what")

    def __init__(self, data: bytes, what: str, base: int = 0) -> None:
        """``base`` is the offset of ``data`` in the file, for messages that call it ``what``."""
        self._data = data
        self._what = what
        self._base = base
        self._cache: dict[int, str] = {}
        self._budget = len(data) * _SHARING + _SLACK

    def at(self, offset: int) -> str:
        """The string at ``offset``.  Raises FormatError outside the table or without a final NUL."""
        known = self._cache.get(offset)
        if known is not None:
            return known
        end = self._data.find(b"\0", offset) if 0 <= offset < len(self._data) else -1
        if end < 0:
            if offset == 0 and not self._data:
                return ""
            raise FormatError(f"no string at {offset:#x} of {self._what}", offset=self._base + max(offset, 0))
        self._budget -= end - offset
        if self._budget < 0:
            raise FormatError(f"the strings of {self._what} overlap without end", offset=self._base + offset)
        text = self._data[offset:end].decode("utf-8", "surrogateescape")
        self._cache[offset] = text
        return text


class StringTable:
    """Builds a table; equal strings share one offset, and the empty string is at 0."""

    __slots__ = ("_data", "_offsets")

    def __init__(self, data: bytes = b"\0") -> None:
        """Starts with the strings of ``data``, whose offsets stay as they are."""
        self._data = bytearray(data or b"\0")
        self._offsets: dict[bytes, int] = {}
        offset = 0
        for text in bytes(self._data).split(b"\0"):
            self._offsets.setdefault(text, offset)
            offset += len(text) + 1

    def add(self, text: str) -> int:
        """The offset of ``text``, appended if it is not there yet."""
        raw = text.encode("utf-8", "surrogateescape")
        offset = self._offsets.get(raw)
        if offset is None:
            offset = self._offsets[raw] = len(self._data)
            self._data += raw + b"\0"
        return offset

    def holds(self, offset: int, text: str) -> bool:
        """Whether ``text`` is at ``offset``, perhaps as the tail of another string."""
        return self._data.startswith(text.encode("utf-8", "surrogateescape") + b"\0", offset) if offset else not text

    def bytes(self) -> bytes:
        """The table as it is stored."""
        return bytes(self._data)
