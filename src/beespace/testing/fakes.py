"""What tests make up: tasks, and the packets of a capture.  Other contexts are plain dicts and lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beespace.capture import open_capture
from beespace.errors import FormatError, UsageError

__all__ = ["frames", "task"]


def task(
    pid: int = 1000,
    *,
    comm: str = "",
    tid: int | None = None,
    uid: int | None = None,
    gid: int | None = None,
    real_parent: Mapping[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """A ``struct task_struct``, to be given where a context or another struct points to one.

    ``pid`` is what user space calls so (``tgid`` in the kernel), ``tid`` the thread's number (the kernel's ``pid``;
    default: the same).  ``uid`` and ``gid`` are those of ``cred``.  ``fields`` are any others by their names in C; a
    dict is a struct, or one that is pointed to.

    >>> task(7, comm="nginx", real_parent=task(1))["real_parent"]["tgid"]
    1
    """
    made: dict[str, Any] = {"tgid": pid, "pid": pid if tid is None else tid, "comm": comm}
    ids = {name: {"val": value} for name, value in (("uid", uid), ("gid", gid)) if value is not None}
    if ids:
        made["cred"] = ids
    if real_parent is not None:
        made["real_parent"] = real_parent
    return made | fields


def frames(file: str | Path) -> list[bytes]:
    """The packets of a capture (pcap or pcapng, also with gzip), each from its link layer's header on.

    :class:`UsageError` if it cannot be read, :class:`FormatError` for one that is damaged or that ends too early.
    """
    try:
        with Path(file).open("rb") as stream:
            capture = open_capture(stream)
            found = [frame.data for frame in capture]
    except OSError as error:
        raise UsageError(f"{file}: no capture can be read there ({error.strerror})") from None
    if capture.cut is not None:
        raise FormatError(f"{file} ends in the middle of a packet", offset=capture.cut)
    return found
