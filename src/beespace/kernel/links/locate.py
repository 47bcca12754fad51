"""Which file a name such as ``libc``, ``libssl.so.3`` or ``bash`` means."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from beespace.errors import UsageError

__all__ = ["locate"]

_ELF = b"\x7fELF"
_LIBRARIES = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")
_LINKER = Path("/etc/ld.so.conf.d")


def locate(binary: str | os.PathLike[str], pid: int = 0) -> str:
    """The path to open for ``binary``.

    A name with a slash is a path.  Without, it is a library (``libc.so.6``, ``libc`` or ``c``) that process ``pid`` has
    mapped or that the linker's folders hold, or a program on ``PATH``.  With ``pid`` paths are those of that
    process (``/proc/PID/root``), which may be in a container.

    Raises :class:`UsageError` if there is no such file.
    """
    name = os.fspath(binary)
    root = "" if pid in (0, os.getpid()) or _same_root(pid) else f"/proc/{pid}/root"
    if "/" in name:
        if "!/" in name:
            raise UsageError(
                f"{name!r} is a library inside an archive", help="unpack the archive, and name the library's file"
            )
        if not Path(root + name).exists():
            whose = f" for process {pid}" if root else ""
            raise UsageError(f"there is no file {name!r}{whose}", help="give the path of a program or library")
        return root + name
    for path in _candidates(name, pid, root):
        if _is_elf(path):
            return path
    raise UsageError(
        f"{name!r} is neither a library nor a program that can be found",
        help="give its path; libraries are looked for where the linker does, programs on PATH",
    )


def _candidates(name: str, pid: int, root: str) -> Iterator[str]:
    pattern = _library(name)
    if pid:
        yield from _mapped(pid, pattern, root)
    if ".so" not in name:
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
            path = Path(root + str(Path(folder, name)))
            if os.access(path, os.X_OK) and path.is_file():
                yield str(path)
    for folder in _folders():
        try:
            with os.scandir(root + folder) as entries:
                found = sorted((entry.path for entry in entries if pattern.fullmatch(entry.name)), key=len)
        except OSError:
            continue
        yield from found


def _library(name: str) -> re.Pattern[str]:
    """``libc.so.6`` as it is, ``libc.so``, ``libc`` and ``c`` with any version."""
    if ".so" in name:
        return re.compile(re.escape(name) + r"(\.[\d.]+)?")
    return re.compile(rf"(lib)?{re.escape(name)}(-[\d.]+)?\.so(\.[\d.]+)?")


def _mapped(pid: int, pattern: re.Pattern[str], root: str) -> Iterator[str]:
    """The libraries of that name that a process runs, by the root that it sees."""
    try:
        text = Path(f"/proc/{pid}/maps").read_text(errors="surrogateescape")
    except OSError as error:
        raise UsageError(f"process {pid} cannot be looked at: {os.strerror(error.errno or 0)}") from None
    for line in text.splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5].startswith("/") and pattern.fullmatch(fields[5].rpartition("/")[2]):
            yield root + fields[5]


def _same_root(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/root").stat().st_ino == Path("/").stat().st_ino and os.path.samestat(
            Path(f"/proc/{pid}/ns/mnt").stat(), Path("/proc/self/ns/mnt").stat()
        )
    except OSError as error:
        raise UsageError(f"process {pid} cannot be looked at: {os.strerror(error.errno or 0)}") from None


def _folders() -> Iterator[str]:
    """Where the dynamic linker looks: ``LD_LIBRARY_PATH``, its configuration, the usual places."""
    seen: set[str] = set()
    configured: list[str] = []
    for file in sorted(_LINKER.glob("*.conf")) if _LINKER.is_dir() else ():
        try:
            configured += [line.strip() for line in file.read_text().splitlines() if line.startswith("/")]
        except OSError:
            continue
    here = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    for folder in (*here, *configured, *_LIBRARIES):
        if folder and folder not in seen:
            seen.add(folder)
            yield folder


def _is_elf(path: str) -> bool:
    """Whether the file is ELF: ``libc.so`` is often a script of the linker."""
    try:
        with Path(path).open("rb") as file:
            return file.read(4) == _ELF
    except OSError:
        return False
