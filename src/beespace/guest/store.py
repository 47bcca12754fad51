"""The kernels on disk: fetched once through apt, unpacked, kept in the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from beespace.errors import FormatError, NotSupported
from beespace.guest import modules, vmlinux
from beespace.guest.apt import Archive, Build
from beespace.guest.catalogue import Kernel
from beespace.guest.programs import program
from beespace.record import dataclass

__all__ = ["Unpacked", "directory", "fetch", "unpacked"]

_TRIED = 3  # builds of a kernel, the newest first: an index may be ahead of or behind the files


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A kernel that is ready to start: ``image`` for QEMU's ``-kernel``, its modules and its configuration."""

    kernel: Kernel
    release: str
    folder: Path

    @property
    def full_release(self) -> str:
        """As ``uname -r`` tells it."""
        return self.release + self.kernel.packages[0].partition("{release}")[2]

    @property
    def image(self) -> Path:
        return self.folder / "kernel"

    @property
    def configuration(self) -> Path:
        return self.folder / "config"

    @property
    def modules(self) -> Path:
        """What ``/lib/modules/RELEASE`` is in the guest."""
        return self.folder / "modules"


def directory() -> Path:
    """``$XDG_CACHE_HOME/beespace/kernels`` or ``~/.cache/beespace/kernels``."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "beespace" / "kernels"


def unpacked(kernel: Kernel) -> Unpacked | None:
    """The kernel as it was fetched last; None if it never was."""
    folder = directory() / kernel.name
    try:
        release = (folder / "release").read_text().strip()
    except FileNotFoundError:
        return None
    return Unpacked(kernel, release, folder / release)


def fetch(kernel: Kernel, *, newest: bool = False, say: Callable[[str], None] = lambda line: None) -> Unpacked:
    """The kernel, from the cache or, the first time and with ``newest``, from Debian's archive.

    Raises :class:`~beespace.errors.NotSupported` if the archive cannot be reached or has no build of the series.
    """
    there = unpacked(kernel)
    if there is not None and not newest:
        return there
    directory().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory(), prefix=".apt-") as scratch:
        return _fetch(Archive(Path(scratch), kernel.architecture, kernel.suite), kernel, say)


def _fetch(archive: Archive, kernel: Kernel, say: Callable[[str], None]) -> Unpacked:
    say(f"{kernel.name}: reading the package list of {kernel.suite}")
    archive.update()
    builds = archive.builds(kernel)
    if not builds:
        raise NotSupported(
            f"Linux {kernel.name}: Debian's {kernel.suite} has no complete build of it any more",
            help="the list of kernels is kernels.toml of the folder beespace/guest",
        )
    for build in builds[:_TRIED]:
        made = Unpacked(kernel, build.release, directory() / kernel.name / build.release)
        if not made.folder.exists():
            say(f"{kernel.name}: fetching {build.release}")
            if not _unpack(archive, build, made):
                continue
        (directory() / kernel.name / "release").write_text(build.release)
        return made
    raise NotSupported(
        f"Linux {kernel.name}: none of its newest builds can be fetched from {kernel.suite}: {archive.refused}",
        help="an index may be ahead of its mirror: try again later, or name another mirror in BEESPACE_DEBIAN_MIRROR",
    )


def _unpack(archive: Archive, build: Build, made: Unpacked) -> bool:
    made.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=made.folder.parent, prefix=".new-") as scratch:
        work, tree, ready = Path(scratch), Path(scratch, "tree"), Path(scratch, "ready")
        files = archive.download(build.packages, work)
        if not files:
            return False
        for file in files:
            subprocess.run([program("dpkg-deb"), "-x", str(file), str(tree)], check=True)
        ready.mkdir()
        _arrange(tree, build, made.kernel, ready)
        try:
            ready.rename(made.folder)
        except OSError:
            if not made.folder.exists():
                raise  # else another process was faster
    return True


def _arrange(tree: Path, build: Build, kernel: Kernel, ready: Path) -> None:
    """Sort out what the packages have: its places changed with 6.12 (usr/lib) and 7.2 (nothing in boot)."""
    full = Unpacked(kernel, build.release, ready).full_release
    found = next(
        (path for path in (tree / "usr/lib/modules" / full, tree / "lib/modules" / full) if path.exists()), None
    )
    if found is None:
        raise FormatError(f"the packages of Linux {build.release} have no folder lib/modules/{full}")
    places = (
        (ready / "vmlinuz", (tree / "boot" / f"vmlinuz-{full}", found / "vmlinuz")),
        (ready / "config", (tree / "boot" / f"config-{full}", found / "config")),
    )
    for target, candidates in places:
        source = next((path for path in candidates if path.exists()), None)
        if source is None:
            raise FormatError(f"the packages of Linux {build.release} have no {target.name}")
        shutil.copyfile(source, target)
    shutil.move(found, ready / "modules")
    modules.index(ready / "modules")
    if kernel.architecture == "amd64":
        (ready / "kernel").write_bytes(vmlinux.extract((ready / "vmlinuz").read_bytes()))
        (ready / "vmlinuz").unlink()
    else:
        (ready / "vmlinuz").rename(ready / "kernel")
