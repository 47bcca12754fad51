"""One record after another, as a reader brings them: waiting for more, with and without blocking."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

from beespace.typed import Protocol, TypeVar

__all__ = ["Reader", "async_records", "records"]


T = TypeVar("T")


class Reader(Protocol):
    """What brings the bytes: :class:`~beespace.kernel.RingBuffer` or :class:`~beespace.kernel.PerfBuffer`."""

    @property
    def name(self) -> str: ...

    @property
    def lost(self) -> int | None: ...

    def fileno(self) -> int: ...

    def poll(self, timeout: float | None = None) -> bool: ...

    def __iter__(self) -> Iterator[bytes]: ...

    def close(self) -> None: ...


def records(reader: Reader, timeout: float | None) -> Iterator[bytes]:
    """Records until none came for ``timeout`` seconds (``None``: for ever)."""
    yield from reader
    while reader.poll(timeout):
        yield from reader


async def async_records(reader: Reader, decode: Callable[[bytes], T]) -> AsyncIterator[T]:
    """Decoded records for ever, without blocking the event loop."""
    import asyncio  # takes longer to import than everything else that reads

    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(reader.fileno(), ready.set)
    try:
        while True:
            for record in reader:
                yield decode(record)
            ready.clear()
            await ready.wait()
    finally:
        loop.remove_reader(reader.fileno())
