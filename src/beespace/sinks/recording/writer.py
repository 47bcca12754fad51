"""``RecordingSink``: batches of any table, interval by interval, and at the end one file.

While it records, each table is an Arrow stream in a folder beside the file.  Closing packs them into a ZIP under
a temporary name, which is renamed when it is whole and on disk.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from beespace.errors import StoreError, UsageError
from beespace.sinks.recording.manifest import BESIDE, IDENTITY, INTERVALS, MANIFEST, Manifest, table_member
from beespace.sinks.sink import Closing
from beespace.stream.batch import Batch

__all__ = ["RecordingSink"]

ORDER, LOST = "order", "lost"  # of a batch's metadata
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every member: the same recording is the same file


class RecordingSink(Closing):
    """Writes ``path``; ``manifest`` says where we are, and is completed at the end.

    ``tables`` are the tables that are kept (None: all).  A failure is raised once, as
    :class:`~beespace.errors.StoreError`; what comes after is counted as lost.
    """

    def __init__(self, path: Path, manifest: Manifest, tables: frozenset[str] | None = None) -> None:
        self.path, self.manifest = path, manifest
        self._tables = tables
        self._streams: dict[str, tuple[BinaryIO, Any]] = {}
        self._files: dict[str, BinaryIO] = {}
        self._rows: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._order = 0
        self._failed = self._closed = False
        if path.is_dir():
            raise UsageError(f"{path} is a folder", help="name a file: -o shop.beespace")
        try:
            self._folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
            (self._folder / MANIFEST).write_bytes(manifest.to_json())
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}") from error
        self._intervals = self.file(INTERVALS)

    def file(self, name: str) -> BinaryIO:
        """Another file of the recording, to write to until it is closed."""
        self._files[name] = open(self._folder / name, "wb")  # noqa: SIM115, PTH123  # closed by close()
        return self._files[name]

    def write(self, batch: Batch) -> None:
        """Take a batch."""
        beside = batch.table in BESIDE or batch.table.startswith(IDENTITY)
        if self._tables is not None and batch.table not in self._tables and not beside:
            return
        if self._failed:
            self._lost[batch.table] += len(batch)
            return
        lost = {stage: rows for stage, rows in batch.lost.items() if rows}
        said = {ORDER: str(self._order), **({LOST: json.dumps(lost)} if lost else {})}
        try:
            if batch.table not in self._streams:
                file = self.file(table_member(batch.table))
                options = pa.ipc.IpcWriteOptions(compression="zstd")
                self._streams[batch.table] = file, pa.ipc.new_stream(file, batch.records.schema, options=options)
            self._streams[batch.table][1].write_batch(batch.records, custom_metadata=said)
        except OSError as error:
            self._lost[batch.table] += len(batch)
            raise self._failure(error) from error
        self._order += 1
        self._rows[batch.table] += len(batch)

    def mark(self, time_ns: int, seconds: float, unattributed: Mapping[str, int]) -> None:
        """An interval of ``seconds`` ended at ``time_ns``: the batches since the last mark are its own."""
        if self._failed:
            return
        line: dict[str, Any] = {"time": time_ns, "seconds": seconds, "batches": self._order}
        if any(unattributed.values()):
            line["unattributed"] = {reason: packets for reason, packets in unattributed.items() if packets}
        try:
            self._intervals.write(json.dumps(line).encode() + b"\n")
            for file in self._files.values():
                file.flush()
        except OSError as error:
            raise self._failure(error) from error
        self.manifest = replace(self.manifest, ended=time_ns)

    def note(self, **changes: Any) -> None:
        """Change what the manifest will say."""
        self.manifest = replace(self.manifest, **changes)

    def close(self) -> None:
        """Make the file; calling it again does nothing.  Where that fails, what was recorded stays in its folder."""
        if self._closed:
            return
        self._closed = True
        self.note(rows=dict(self._rows), lost=dict(self._lost))
        temporary = self._folder.with_suffix(".zip")
        try:
            for _, stream in self._streams.values():
                stream.close()
            for file in self._files.values():
                file.close()
            (self._folder / MANIFEST).write_bytes(self.manifest.to_json())
            _pack(self._folder, [MANIFEST, *sorted(self._files)], temporary)
            temporary.replace(self.path)
        except (OSError, pa.ArrowException) as error:
            temporary.unlink(missing_ok=True)
            raise StoreError(
                f"cannot write {self.path}: {error}", help=f"what was recorded is in {self._folder}"
            ) from error
        shutil.rmtree(self._folder)

    def discard(self) -> None:
        """Forget what was recorded; instead of :meth:`close`, where there is nothing worth a file."""
        if self._closed:
            return
        self._closed = True
        for file in self._files.values():
            file.close()
        shutil.rmtree(self._folder)

    def _failure(self, error: OSError) -> StoreError:
        self._failed = True
        return StoreError(f"cannot write {self.path}: {error.strerror}", help="the recording ends here")


def _pack(folder: Path, names: list[str], target: Path) -> None:
    """A ZIP of the files, on disk when this returns."""
    with open(target, "wb") as file:  # noqa: PTH123
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
            for name in names:
                info = zipfile.ZipInfo(name, _EPOCH)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = 0o644 << 16
                with packed.open(info, "w", force_zip64=True) as member, open(folder / name, "rb") as source:  # noqa: PTH123
                    shutil.copyfileobj(source, member, 1 << 20)
        file.flush()
        os.fsync(file.fileno())
