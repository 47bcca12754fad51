"""The programs of other projects that a guest needs, and the Debian package of each."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from beespace.errors import NotSupported

__all__ = ["PACKAGES", "missing", "program"]

# Program, where it may be besides $PATH, and the package that has it.
_BESIDES: dict[str, tuple[str, ...]] = {
    "virtiofsd": ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd", "/usr/lib/virtiofsd"),
    "busybox": ("/bin/busybox",),
}
PACKAGES: dict[str, str] = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-system-aarch64": "qemu-system-arm",
    "virtiofsd": "qemu-system-common (Debian 12) or virtiofsd",
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
        package = PACKAGES[name]
        raise NotSupported(
            f"kernels in virtual machines without {name}: it is not installed",
            help=f"on Debian and Ubuntu it is in the package {package}; apt-get install installs it",
        )
    return found


def missing(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the programs that are not installed."""
    return tuple(name for name in names if _look(name) is None)


def _look(name: str) -> str | None:
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    found = shutil.which(name, path=path)
    if found is not None:
        return found
    return next((path for path in _BESIDES.get(name, ()) if Path(path).exists()), None)
