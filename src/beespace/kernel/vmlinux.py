"""``vmlinux_btf``: the running kernel's types, with their index kept on disk.

Indexing the records takes some tens of milliseconds, reading an index back one or two.  The index is
kept by the kernel's build id, so that it cannot be taken for another kernel's.  Whatever is wrong with the
cache (no home, read-only, somebody else's, damaged), the index is simply made anew.
"""

from __future__ import annotations

import os
import stat
import struct
from contextlib import suppress
from functools import cache

from beespace.btf import Btf
from beespace.errors import KernelError, NotSupported
from beespace.syscall import Descriptor
from beespace.syscall.memory import map_memory
from beespace.syscall.small_files import read_bytes
from beespace.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["cache_directory", "vmlinux_btf"]

VMLINUX = "/sys/kernel/btf/vmlinux"
_NOTES = "/sys/kernel/notes"
_NT_GNU_BUILD_ID = 3


@cache
def vmlinux_btf() -> Btf:
    """The types of the running kernel (Linux 5.4 with ``CONFIG_DEBUG_INFO_BTF``), once a process.

    The data is mapped, not read, where the kernel allows it (Linux 6.16).  Raises
    :class:`NotSupported` if the kernel tells nothing about its types.
    """
    data = _data()
    kept = _kept_index(data)
    index = None if kept is None else _read(kept)
    btf = Btf(data, index=index)
    if kept is not None and not btf.index_was_used:
        _write(kept, btf.index())
    return btf


def _data() -> memoryview | bytes:
    try:
        with Descriptor(os.open(VMLINUX, os.O_RDONLY | os.O_CLOEXEC), "vmlinux BTF") as file:
            try:
                # Mapped until the process ends; the kernel's types do not change.
                return map_memory(file, os.fstat(file.fileno()).st_size, 0, writable=False, shared=False).view
            except KernelError:
                return read_bytes(VMLINUX)
    except OSError as error:
        raise NotSupported(
            f"type information about itself: {VMLINUX} cannot be read ({os.strerror(error.errno or 0)})",
            since="5.4, CONFIG_DEBUG_INFO_BTF=y",
            call="open",
            errno=error.errno or 0,
            help="use a kernel built with CONFIG_DEBUG_INFO_BTF; the kernels of current distributions are",
        ) from None


def cache_directory() -> Path | None:
    """``$XDG_CACHE_HOME/beespace`` or ``~/.cache/beespace``; ``None`` if there is no home."""
    from pathlib import Path

    directory = _directory()
    return None if directory is None else Path(directory)


def _directory() -> str | None:
    root = os.environ.get("XDG_CACHE_HOME", "")
    if not root.startswith("/"):
        home = os.path.expanduser("~")
        if not home.startswith("/"):
            return None
        root = f"{home}/.cache"
    return os.path.join(root, "beespace")


def _kept_index(data: memoryview | bytes) -> str | None:
    """Where the index of these types is kept: the name says which kernel's."""
    directory = _directory()
    if directory is None:
        return None
    try:
        notes = read_bytes(_NOTES)
    except OSError:
        notes = b""
    build = _build_id(notes) or _digest(notes or bytes(data))
    # The header says how much there is of types and of strings.
    return f"{directory}/vmlinux-{build}-{bytes(data[8:24]).hex()}.index"


def _build_id(notes: bytes) -> str | None:
    """The linker's hash of the whole kernel (ELF notes, each ``{u32 name_size, size, type}``, name, content)."""
    at = 0
    while at + 12 <= len(notes):
        name_size, size, kind = struct.unpack_from("=III", notes, at)
        start = at + 12 + -(-name_size // 4) * 4
        if kind == _NT_GNU_BUILD_ID and notes[at + 12 : start] == b"GNU\0":
            return notes[start : start + size].hex()
        at = start + -(-size // 4) * 4
    return None


def _digest(data: bytes) -> str:
    from hashlib import blake2b  # brings OpenSSL: three megabytes

    return blake2b(data, digest_size=16).hexdigest()


def _read(path: str) -> bytes | None:
    """A kept index that nobody else could have written (``sudo`` may keep the user's home); Btf sees if it is whole."""
    try:
        with Descriptor(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "index") as file:
            status = os.fstat(file.fileno())
            others = stat.S_IWGRP | stat.S_IWOTH
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & others:
                return None
            return os.read(file.fileno(), status.st_size)
    except OSError:
        return None


def _write(path: str, index: bytes) -> None:
    """Keep an index; whoever reads meanwhile sees the old one or the whole new one."""
    unfinished = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"  # tempfile costs 10 ms to import
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return  # no room, no right: the next start indexes again
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(index)
        os.replace(unfinished, path)
    except OSError:
        with suppress(OSError):
            os.unlink(unfinished)
