"""Frames between host and agent: a kind, a length, a payload.

======  ==========  ==================================================================
kind    from        payload
======  ==========  ==================================================================
``R``   host        run: folder, number of words, the words, ``NAME=value``..., NUL between
``K``   host        kill what runs
``H``   guest       the agent is there; the kernel's release
``O``   guest       bytes of standard output
``E``   guest       bytes of standard error
``L``   guest       bytes that the command wrote to the descriptor ``$BEESPACE_GUEST_FD``
``S``   guest       the command's exit status, in decimal; 128 + N after signal N
======  ==========  ==================================================================
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Frames", "frame", "run_payload"]

_HEADER = struct.Struct("!cI")


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    return _HEADER.pack(kind, len(payload)) + payload


def run_payload(command: Sequence[str], folder: str, environment: Mapping[str, str]) -> bytes:
    """What asks the agent to run a command."""
    words = [folder, str(len(command)), *command, *(f"{name}={value}" for name, value in environment.items())]
    return b"\0".join(os.fsencode(word) for word in words)


class Frames:
    """Takes frames out of a stream as they become complete."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        self._pending += data
        while len(self._pending) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._pending)
            end = _HEADER.size + length
            if len(self._pending) < end:
                return
            payload = bytes(self._pending[_HEADER.size : end])
            del self._pending[:end]
            yield kind, payload
