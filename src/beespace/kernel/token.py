"""Finding a BPF token: rights that somebody delegated to this process's user namespace (Linux 6.9).

As libbpf does: the path in ``LIBBPF_BPF_TOKEN_PATH`` if that is set (empty: none is wanted), else ``/sys/fs/bpf``,
which is looked at only in a user namespace of its own, where a token makes a difference.
"""

from __future__ import annotations

import os

from beespace.errors import KernelError, UsageError
from beespace.syscall import Descriptor, HasFileno, bpf, process

__all__ = ["find_token"]

VARIABLE = "LIBBPF_BPF_TOKEN_PATH"
USUAL = "/sys/fs/bpf"


def find_token(asked: str | os.PathLike[str] | HasFileno | None) -> Descriptor | None:
    """The token to load with, which the caller closes; ``None``: there is none, and none was asked for.

    ``asked`` is the directory of a delegated bpf file system, or a token.  Raises :class:`UsageError` and
    :class:`KernelError` only for a path that was named, here or in the environment.
    """
    if asked is not None and not isinstance(asked, str | os.PathLike):
        return Descriptor(os.dup(asked.fileno()), "BPF token")
    path = os.environ.get(VARIABLE) if asked is None else asked
    if path is not None:
        return _create(path) if os.fspath(path) else None
    if process.in_initial_user_namespace():
        return None
    try:
        return _create(USUAL)
    except (KernelError, UsageError):
        return None  # nothing was delegated there: what the process may do by itself, it may


def _create(path: str | os.PathLike[str]) -> Descriptor:
    try:
        directory = Descriptor(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), "bpf file system")
    except OSError as error:
        raise UsageError(
            f"{os.fspath(path)} is no delegated bpf file system: {error.strerror}",
            help="give the directory where one is mounted, to load(token=...) or in LIBBPF_BPF_TOKEN_PATH",
        ) from None
    with directory:
        return bpf.token_create(directory)
