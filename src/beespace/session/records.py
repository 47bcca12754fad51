"""``Events``: the records of a ring or of a perf event array, as they come, typed by the object's own BTF."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

from beespace.errors import UsageError
from beespace.kernel import RingBuffer
from beespace.session.waiting import Reader, async_records, records
from beespace.typed import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from beespace.btf.codec import Codec
    from beespace.schema import Layout
    from beespace.stream import Batch

__all__ = ["BATCH_ROWS", "Events"]

BATCH_ROWS = 16_384


class Events:
    """Iterating gives one event after another, and waits for the next; so does ``async for``.

    An event is a :class:`~beespace.btf.codec.Record` of ``struct``, or bytes where nothing says what they are
    (``struct`` is ``""``) and where a record is shorter than the struct.  One reader for a ring: what one has read,
    another does not see.  A ring needs Linux 5.8, a perf event array 4.4.
    """

    def __init__(self, reader: Reader, codec: Codec | None, layout: Layout | None, struct: str, why: str) -> None:
        self.name = reader.name
        #: The C name of the events' type.
        self.struct = struct
        #: Why it was taken, or why none was.
        self.why = why
        #: Records that were shorter than the struct, so far.
        self.malformed = 0
        self._reader = reader
        self._codec = codec
        #: Bytes that every record has.
        self._least = codec.size if codec is not None else 0
        if layout is not None and layout.variable is not None:
            from beespace.schema.kinds import LENGTH_SIZE  # brings typing: who opens an object needs no schema

            self._least = layout.variable.offset + LENGTH_SIZE
        self._layout = layout
        if isinstance(reader, RingBuffer) and codec is not None:
            reader.expect(codec.size)

    def fileno(self) -> int:
        """A descriptor that is readable while there are events, for ``select`` and event loops."""
        return self._reader.fileno()

    @property
    def lost(self) -> int | None:
        """Events that found no room, as far as is known now.

        Of a perf event array the kernel's own count.  Of a ring, 0 if there was always room for one more, and
        ``None`` (unknown) if there was not: the kernel does not count those.
        """
        return self._reader.lost

    def available(self) -> Iterator[Any]:
        """The events that are there now; does not wait."""
        return map(self._decode, self._reader)

    def until(self, timeout: float | None = None) -> Iterator[Any]:
        """Events until none came for ``timeout`` seconds (``None``: for ever)."""
        return map(self._decode, records(self._reader, timeout))

    def __iter__(self) -> Iterator[Any]:
        return self.until(None)

    def read(self, count: int, timeout: float | None = None) -> list[Any]:
        """The next ``count`` events; fewer if they did not come within ``timeout`` seconds in all."""
        end = None if timeout is None else time.monotonic() + timeout
        found: list[Any] = []
        while len(found) < count:
            for event in self.available():
                found.append(event)
                if len(found) == count:
                    return found
            left = None if end is None else max(end - time.monotonic(), 0)
            if not self._reader.poll(left):
                break
        return found

    def __aiter__(self) -> AsyncIterator[Any]:
        return async_records(self._reader, self._decode)

    def batches(self, timeout: float | None = None) -> Iterator[Batch]:
        """The same events as columns (:class:`beespace.stream.Batch`), whenever some are there.

        Ends when none came for ``timeout`` seconds.  Columns are the struct's fields (:mod:`beespace.session.columns`).
        Rings are decoded without a loop over their records.  :class:`UsageError` where no struct is known.
        """
        while True:
            batch, more = self._drain()
            if len(batch):
                yield batch
            if not more and not self._reader.poll(timeout):
                return

    def _drain(self) -> tuple[Batch, bool]:
        from itertools import islice

        from beespace.stream import Batch, Decoder, drain  # Arrow: only who wants columns pays for it

        if self._layout is None:
            raise UsageError(f"nothing says what the records of {self.name!r} are", help="name the struct")
        decoder = Decoder(self._layout)
        if isinstance(self._reader, RingBuffer) and not self._reader.overwritable:  # those change while they are read
            drained = drain(self._reader, decoder)
            self.malformed += drained.malformed
            return Batch(self._layout.name, drained.records).with_lost("malformed", drained.malformed), drained.more
        before = self._reader.lost or 0
        taken = list(islice(self._reader, BATCH_ROWS))
        whole = [record for record in taken if len(record) >= decoder.least]
        self.malformed += len(taken) - len(whole)
        batch = Batch(self._layout.name, decoder.each(whole))
        batch = batch.with_lost("malformed", len(taken) - len(whole))
        return batch.with_lost("ring", (self._reader.lost or 0) - before), len(taken) == BATCH_ROWS

    def _decode(self, record: bytes) -> Any:
        codec = self._codec
        if codec is None:
            return record
        if len(record) < codec.size and self._least <= len(record):
            record = record.ljust(codec.size, b"\0")
        if len(record) < codec.size:
            self.malformed += 1
            return record
        return codec.decode(record)

    def close(self) -> None:
        """Stop reading; the map stays open.  Calling it again does nothing."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Events of {self.name!r}: {self.struct or 'bytes'}>"
