"""``probe.log``: what the kernel side said with ``bpf.log(f"...")``, and why it ended early.

The kernel sends the number of a message and its values; the words are formatted here, by Python.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Protocol

from beespace.errors import UsageError
from beespace.record import dataclass

__all__ = ["Log", "Message", "RawLog"]

_HEADER = struct.Struct("=IIQ")  # number, zero, nanoseconds of CLOCK_BOOTTIME


class RawLog(Protocol):
    """The live log of a program that has messages; ``table`` has a line of JSON for each."""

    table: bytes

    def fileno(self) -> int: ...

    def records(self, timeout: float | None) -> Iterator[bytes]:
        """Records until none came for ``timeout`` seconds (None: for ever)."""

    def lost(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Message:
    """One message.  ``time`` is in nanoseconds since boot; ``failed``: the program ended here, by a failing assert or a
    while loop without an end."""

    text: str
    time: int
    program: str
    file: str
    line: int
    failed: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.failed else self.text


class Log:
    """The messages of a running program, in the order they were sent.  ``lost`` counts what did not fit."""

    def __init__(self, raw: RawLog | None) -> None:
        self._raw = raw
        self._entries: list[dict[str, Any]] = []
        if raw is not None:
            import json

            self._entries = [json.loads(line) for line in raw.table.decode().splitlines()]

    @property
    def exists(self) -> bool:
        """Whether the program has any message."""
        return self._raw is not None

    @property
    def lost(self) -> int:
        """Messages that found the log's ring full (256 KiB)."""
        return self._raw.lost() if self._raw is not None else 0

    def fileno(self) -> int:
        """A descriptor that becomes readable when messages are there."""
        if self._raw is None:
            raise UsageError(
                "the program has no messages", help='write bpf.log(f"...") or assert in a kernel-side method'
            )
        return self._raw.fileno()

    def __iter__(self) -> Iterator[Message]:
        return self.messages(None)

    def messages(self, timeout: float | None = None) -> Iterator[Message]:
        """Messages, until none came for ``timeout`` seconds (None: for ever); none if the program has no messages."""
        if self._raw is not None:
            for record in self._raw.records(timeout):
                yield self._message(record)

    def available(self) -> Iterator[Message]:
        """The messages that are there now; does not wait."""
        return self.messages(0)

    def _message(self, record: bytes) -> Message:
        number, _, time = _HEADER.unpack_from(record)
        entry = self._entries[number]
        text, at = "", _HEADER.size
        for part in entry["parts"]:
            if isinstance(part, str):
                text += part
                continue
            letter, size, conversion, format = part
            text += _formatted(_value(letter, record[at : at + size]), conversion, format)
            at += -(-size // 8) * 8
        return Message(text, time, entry["program"], entry["file"], entry["line"], entry["failed"])


def _value(letter: str, data: bytes) -> Any:
    match letter:
        case "u" | "i":
            return int.from_bytes(data, "little", signed=letter == "i")
        case "b":
            return any(data)
        case "t":
            return data.partition(b"\0")[0].decode(errors="replace")
        case "a":
            from ipaddress import IPv6Address

            address = IPv6Address(data)
            return str(address.ipv4_mapped or address)
        case _:
            return data


def _formatted(value: Any, conversion: str, format: str) -> str:
    if conversion == "r":
        value = repr(value)
    elif conversion == "a":
        value = ascii(value)
    elif conversion == "s" or isinstance(value, bytes):
        value = str(value)
    return f"{value:{format}}"
