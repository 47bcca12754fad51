"""The programs of other projects that a guest needs, and the Debian package of each."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from beespace.errors import NotSupported

__all__ = ["EMULATORS", "HOST", "PACKAGES", "missing", "needed", "program"]

HOST = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
EMULATORS = {"amd64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64"}
_ALWAYS = ("virtiofsd", "busybox", "lz4", "zstd", "unshare", "setpriv", "apt-get", "dpkg-deb")

# Program, where it may be besides $PATH, and the package that has it.
_BESIDES: dict[str, tuple[str, ...]] = {
    "virtiofsd": ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd", "/usr/lib/virtiofsd"),
    "busybox": ("/bin/busybox",),
}
# Debian 12 has virtiofsd in qemu-system-common; since then it is a package of its own.
PACKAGES: dict[str, str] = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-system-aarch64": "qemu-system-arm",
    "virtiofsd": "virtiofsd",
    "busybox": "busybox-static",
    "lz4": "lz4",
    "zstd": "zstd",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
}


def program(name: str) -> str:
    """The path of a program; :class:`~beespace.errors.NotSupported` names its package if it is not installed."""
    found = _look(name)
    if found is None:
        package = PACKAGES.get(name, name)
        raise NotSupported(
            f"kernels in virtual machines without {name}: it is not installed",
            help=f"on Debian and Ubuntu it is in the package {package}; apt-get install installs it",
        )
    return found


def needed(architecture: str) -> None:
    """Raises :class:`~beespace.errors.NotSupported` for the first program that is missing."""
    for name in missing(architecture):
        program(name)


def missing(architecture: str = HOST) -> tuple[str, ...]:
    """Those of the programs that guests of an architecture need and that are not installed."""
    emulator = EMULATORS.get(architecture, f"qemu-system-{architecture}")
    return tuple(name for name in (emulator, *_ALWAYS) if _look(name) is None)


def _look(name: str) -> str | None:
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    found = shutil.which(name, path=path)
    if found is not None:
        return found
    return next((path for path in _BESIDES.get(name, ()) if Path(path).exists()), None)
