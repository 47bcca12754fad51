"""``Sink``: where batches go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from beespace.stream.batch import Batch


class Sink(Protocol):
    """Takes batches until it is closed.

    ``write`` may raise :class:`BrokenPipeError`: whoever read has gone, which is no error but the
    end.  Such a sink may still be closed, and may not be written to again.
    """

    def write(self, batch: Batch) -> None:
        """Take one batch.  The sink may keep it: batches are values."""

    def close(self) -> None:
        """Write what is still held and let go of everything; calling it again does nothing."""


class Output:
    """A stream of bytes that knows when its reader has gone, and never complains twice.

    It does not own ``stream``: closing is up to whoever opened it.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.broken = False

    def write(self, data: bytes | memoryview) -> int:
        """Write all of ``data`` and flush; ``BrokenPipeError`` if the reader has gone."""
        if self.broken:
            return len(data)
        try:
            rest = memoryview(data)
            while rest:  # a signal that comes while the reader lets us wait cuts a write short (CPython's buffers, too)
                rest = rest[self._stream.write(rest) :]
            self._stream.flush()
        except BrokenPipeError:
            self.broken = True
            raise
        return len(data)

    # What pyarrow asks of a file to write to

    closed = False

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        """Every write is flushed already."""

    def close(self) -> None:
        """The stream stays open: it is not ours."""


class Closing(ABC):
    """``with``-statement for sinks: leaving it closes."""

    @abstractmethod
    def close(self) -> None:
        """Write what is still held and let go of everything."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
