"""``Recording``: a recording, interval by interval, never all of it in memory."""

from __future__ import annotations

import heapq
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import pyarrow as pa

from beespace.errors import FormatError, InternalError, UsageError
from beespace.sinks.recording.manifest import BESIDE, IDENTITY, INTERVALS, MANIFEST, Manifest, table_member
from beespace.sinks.recording.writer import LOST, ORDER
from beespace.stream.batch import Batch
from beespace.stream.tables import TABLES

__all__ = ["Interval", "Recording"]

_LARGEST = 1 << 20  # bytes of the manifest, or of a line


@dataclass(frozen=True, slots=True)
class Interval:
    """What was collected at once, in the order in which it came.  ``time``: its end, ns since 1970."""

    time: int
    seconds: float
    batches: tuple[Batch, ...]
    unattributed: Mapping[str, int]
    end: int = 0  # what was written before this interval was over has a lower order


@dataclass(frozen=True, slots=True)
class Mark:
    """Where in the recording a batch stands, and what was lost before it."""

    order: int
    lost: Mapping[str, int]


class Recording:
    """The recording at ``path``, or in an open file.  A context manager.

    :class:`UsageError` if there is no such file, :class:`FormatError` where it is damaged.
    """

    def __init__(self, path: Path | BinaryIO, name: str | None = None) -> None:
        self.name = name or str(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError:
            raise UsageError(f"there is no file {path}") from None
        except OSError as error:
            raise UsageError(f"{self.name} cannot be read: {error.strerror}") from None
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise FormatError(
                f"{self.name} is no recording, or a damaged one: {error}", help="`beespace record -o FILE` makes them"
            ) from None
        try:
            self.members = frozenset(self._zip.namelist())
            with self._reading(MANIFEST), self.open(MANIFEST) as file:
                self.manifest = Manifest.from_json(file.read(_LARGEST))
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._zip.close()

    @property
    def unknown(self) -> tuple[str, ...]:
        """Tables in it that this beespace does not know."""
        known = {table_member(name) for name in (*TABLES, *BESIDE)}
        tables = (name for name in self.members if name.endswith(".arrow") and not name.startswith(IDENTITY))
        return tuple(sorted(name for name in tables if name not in known))

    def open(self, member: str) -> BinaryIO:
        """A file of the recording; :class:`FormatError` if it is not in there."""
        if member not in self.members:
            raise FormatError(f"{self.name} has no {member}")
        with self._reading(member):
            return cast(BinaryIO, self._zip.open(member))

    def intervals(self) -> Iterator[Interval]:
        """Everything, in order; :class:`FormatError` where the file is damaged."""
        batches = heapq.merge(
            *(self._batches(name) for name in TABLES if table_member(name) in self.members), key=lambda each: each[0]
        )
        ahead = next(batches, None)
        number = 0
        with self.open(INTERVALS) as lines:
            while True:
                with self._reading(INTERVALS):
                    line = lines.readline(_LARGEST)
                if not line:
                    break
                number += 1
                said = self._interval(line, number)
                own: list[Batch] = []
                while ahead is not None and ahead[0] < said["batches"]:
                    own.append(ahead[1])
                    ahead = next(batches, None)
                yield Interval(said["time"], said["seconds"], tuple(own), said.get("unattributed", {}), said["batches"])

    def table(self, name: str) -> Iterator[Batch]:
        """All batches of one table."""
        return (batch for _, batch in self._batches(name)) if table_member(name) in self.members else iter(())

    def marked(self, name: str) -> Iterator[tuple[Mark, pa.RecordBatch]]:
        """The batches of a table that is none of the catalogue, as they are."""
        return self._read(name) if table_member(name) in self.members else iter(())

    def _interval(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            said = json.loads(line)
            right = (
                isinstance(said["time"], int) and isinstance(said["batches"], int) and abs(said["time"]) < 1 << 63
                and isinstance(said["seconds"], int | float) and said["seconds"] >= 0
                and all(isinstance(each, int) for each in said.get("unattributed", {}).values())
            )  # fmt: skip
        except (ValueError, TypeError, KeyError, AttributeError):
            right = False
        if not right:
            raise FormatError(f"{self.name}: line {number} of {INTERVALS} is no interval")
        return cast("dict[str, Any]", said)

    def _batches(self, name: str) -> Iterator[tuple[int, Batch]]:
        for mark, records in self._read(name):
            with self._reading(table_member(name)):
                batch = Batch(name, TABLES[name].conform(records), mark.lost)
            yield mark.order, batch

    def _read(self, name: str) -> Iterator[tuple[Mark, pa.RecordBatch]]:
        member = table_member(name)
        before = -1
        with self.open(member) as file, self._reading(member):
            stream = pa.ipc.open_stream(file)
            while True:
                try:
                    read = stream.read_next_batch_with_custom_metadata()
                except StopIteration:
                    return
                read.batch.validate(full=True)
                said = {key.decode(): value for key, value in dict(read.custom_metadata or {}).items()}
                order = int(said.get(ORDER, b""))
                if order <= before:
                    raise FormatError(f"{self.name}: {member} is out of order")
                before = order
                lost = json.loads(said.get(LOST, b"{}"))
                if not isinstance(lost, dict) or not all(isinstance(rows, int) for rows in lost.values()):
                    raise FormatError(f"{self.name}: {member} has no sensible losses")
                yield Mark(order, lost), read.batch

    @contextmanager
    def _reading(self, member: str) -> Iterator[None]:
        try:
            yield
        except FormatError:
            raise
        except (
            RuntimeError,
            struct.error,  # of a member that says it is encrypted, of headers cut short
            pa.ArrowException,
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            ValueError,
            NotImplementedError,
            InternalError,  # a column of another type than the catalogue's
        ) as error:
            raise FormatError(f"{self.name}: {member} is damaged: {error}") from None
