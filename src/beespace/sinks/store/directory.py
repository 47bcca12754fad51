"""The directory of a store: marker and lock, and what to say if it is not one."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from beespace.errors import StoreError, StoreInUse
from beespace.sinks.store.segment import TEMPORARY
from beespace.stream.tables import TABLES
from beespace.syscall.files import lock_file, share_file

MARKER = "beespace.json"
LOCK = "lock"
FORMAT = "beespace-store"
VERSION = 1

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}


@dataclass(slots=True)
class Lock:
    """The right to write; ends with :meth:`release` or with the process."""

    descriptor: int

    def release(self) -> None:
        """Let somebody else write; calling it again does nothing."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def check(directory: Path) -> None:
    """:class:`~beespace.errors.StoreError` that says why ``directory`` is not a store that can be read."""
    try:
        text = (directory / MARKER).read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise _no_store(directory) from None
    except OSError as error:
        raise StoreError(
            f"the store {directory} cannot be read: {_reason(error)}", help="run as the user that wrote it, or as root"
        ) from None
    except UnicodeDecodeError:
        text = ""
    try:
        marker = json.loads(text)
    except ValueError:
        raise StoreError(
            f"the store {directory} is damaged: its {MARKER} is not JSON",
            help=f'its contents should be {{"format": "{FORMAT}", "version": {VERSION}}}',
        ) from None
    if not isinstance(marker, dict) or marker.get("format") != FORMAT:
        raise _foreign(directory)
    if marker.get("version") != VERSION:
        raise StoreError(
            f"the store {directory} has format {marker.get('version')}, this beespace reads format {VERSION}",
            help="read it with the version of beespace that wrote it",
        )


def prepare(directory: Path) -> Lock:
    """Make ``directory`` a store if it is missing or empty, and take the right to write.

    :class:`~beespace.errors.StoreError` if it is something else, cannot be written, or has a writer.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        fresh = not (directory / MARKER).exists()
        if fresh and not _is_vacant(directory):
            raise _no_store(directory)
        lock = _take(directory)
        try:
            if fresh:
                replace_file(directory / MARKER, json.dumps({"format": FORMAT, "version": VERSION}).encode() + b"\n")
            check(directory)
            for table in TABLES:
                (directory / table).mkdir(exist_ok=True)
        except BaseException:
            lock.release()
            raise
    except (FileExistsError, NotADirectoryError):
        raise StoreError(f"{directory} is a file, not a store", help="give --store a directory") from None
    except OSError as error:
        raise cannot_write(directory, error) from error
    return lock


@contextmanager
def reading(directory: Path) -> Iterator[None]:
    """While this lasts, the writer keeps segments that are merged meanwhile, for a time."""
    with (directory / MARKER).open("rb") as marker:
        with suppress(OSError):  # a file system without locks: who meets a deletion there reads once more
            share_file(marker.fileno())
        yield


@contextmanager
def unread(directory: Path) -> Iterator[bool]:
    """Whether nobody reads now; then nobody begins to before this is over."""
    with (directory / MARKER).open("rb") as marker:
        yield lock_file(marker.fileno())


def replace_file(path: Path, content: bytes) -> None:
    """Write a small file so that it is there whole or not at all, even if the machine stops."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    commit(temporary, path)


def commit(temporary: Path, path: Path) -> None:
    """Give a finished file its name, for good."""
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def cannot_write(directory: Path, error: OSError) -> StoreError:
    """What is in the way, and what to do about it."""
    if error.errno in _FULL:
        return StoreError(
            f"the store {directory} cannot grow: {_reason(error)}",
            help="make room there, or keep less: --keep 1d, --keep-bytes 1GiB",
        )
    if error.errno in _FORBIDDEN:
        return StoreError(
            f"the store {directory} cannot be written: {_reason(error)}", help="give --store a directory that you own"
        )
    return StoreError(f"the store {directory} cannot be written: {_reason(error)}")


def _take(directory: Path) -> Lock:
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if not lock_file(descriptor):
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            raise StoreInUse(
                f"the store {directory} is being written by process {holder or '?'}",
                help="a store has one writer: stop that one, or give another directory with --store",
            )
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    except BaseException:
        os.close(descriptor)
        raise
    return Lock(descriptor)


def _no_store(directory: Path) -> StoreError:
    make = f"`beespace watch --store {directory}` makes one"
    if not directory.exists():
        return StoreError(f"there is no store at {directory}", help=make)
    if not directory.is_dir():
        return StoreError(f"{directory} is a file, not a store", help="give --store a directory")
    if _is_vacant(directory):
        return StoreError(f"{directory} is empty: there is no history in it yet", help=make)
    if any((directory / table).is_dir() for table in TABLES):
        return StoreError(
            f"the store {directory} is incomplete: its {MARKER} is missing",
            help=f'if the rest is whole, put {{"format": "{FORMAT}", "version": {VERSION}}} there',
        )
    return _foreign(directory)


def _foreign(directory: Path) -> StoreError:
    return StoreError(
        f"{directory} is not a beespace store, and there is something in it", help="give --store a directory of its own"
    )


def _is_vacant(directory: Path) -> bool:
    """Empty, or left by a writer that died before it had made the marker."""
    return all(entry.name == LOCK or entry.name.startswith(TEMPORARY) for entry in directory.iterdir())


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)
