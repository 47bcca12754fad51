"""The files that a guest sees as its root: the host's own, or a small Debian for another architecture."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from beespace.errors import NotSupported
from beespace.guest.apt import Archive
from beespace.guest.catalogue import ROOT_PACKAGES, ROOT_SUITE, Kernel
from beespace.guest.programs import HOST, program
from beespace.guest.store import directory
from beespace.record import dataclass

__all__ = ["Root", "root"]


@dataclass(frozen=True, slots=True)
class Root:
    """``python`` is a path in it; ``busybox`` one on the host, of a program without shared libraries."""

    folder: Path
    python: str
    busybox: Path
    own: bool  # the host's: commands find what they find on the host


def root(kernel: Kernel, say: Callable[[str], None] = lambda line: None) -> Root:
    """What a guest with ``kernel`` starts in; the first time, another architecture's is fetched.

    Raises :class:`~beespace.errors.NotSupported` if it cannot be.
    """
    if kernel.architecture == HOST:
        return Root(Path("/"), sys.executable, Path(program("busybox")), own=True)
    wanted = zlib.crc32(" ".join((ROOT_SUITE, *ROOT_PACKAGES)).encode())  # another list makes another folder
    folder = directory() / f"root-{kernel.architecture}-{wanted:08x}"
    if not folder.exists():
        say(f"{kernel.name}: fetching a small Debian {ROOT_SUITE} for {kernel.architecture}")
        _make(folder, kernel.architecture)
    return Root(folder, "/usr/bin/python3", folder / "usr/bin/busybox", own=False)


def _make(folder: Path, architecture: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as scratch:
        archive = Archive(Path(scratch, "apt"), architecture, ROOT_SUITE)
        archive.update()
        files = archive.download(tuple(archive.dependencies(ROOT_PACKAGES)), Path(scratch, "files"))
        if not files:
            raise NotSupported(
                f"a guest of {architecture} here: its files cannot be fetched from {ROOT_SUITE}: {archive.refused}",
                help="an index may be ahead of its mirror: try again later, or name another in BEESPACE_DEBIAN_MIRROR",
            )
        tree = Path(scratch, "tree")
        # base-files has the links /bin, /lib and /sbin, through which the others' files must go.
        for file in sorted(files, key=lambda path: not path.name.startswith("base-files_")):
            subprocess.run([program("dpkg-deb"), "-x", str(file), str(tree)], check=True)
        for place in ("proc", "sys", "dev", "run", "tmp", "boot"):
            (tree / place).mkdir(exist_ok=True)
        try:
            tree.rename(folder)
        except OSError:
            if not folder.exists():
                raise  # else another process was faster
