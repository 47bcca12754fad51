"""Whom a process's own sockets are connected to, as ``getpeername(2)`` tells that process.

A program of a cgroup may give a connection another address when it is opened (``cgroup/connect4``), and tells the first
one to whoever asks (``cgroup/getpeername4``, Linux 5.8).  The kernel runs that program for the socket, whoever asks, so
a duplicate of the descriptor does (``pidfd_getfd``, Linux 5.6; takes ``CAP_SYS_PTRACE``).
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from collections.abc import Callable, Container
from contextlib import suppress

from beespace.syscall import door, refusal
from beespace.typed import NamedTuple

__all__ = ["Peer", "peers"]

_SO_COOKIE = 57  # include/uapi/asm-generic/socket.h, Linux 4.12
_MAPPED = b"\0" * 10 + b"\xff\xff"


class Peer(NamedTuple):
    """An address as 16 bytes (IPv4 mapped), a port in host order."""

    address: bytes
    port: int


def peers(
    pid: int, cookies: Container[int], until: float, clock: Callable[[], float] = time.thread_time
) -> tuple[dict[int, Peer | None], bool]:
    """The peers of those sockets of process ``pid`` that have one of ``cookies``; whether it has no others.

    None: a stream that is not connected yet.  Looks no longer than ``until`` (by ``clock``: CPU time).  Raises
    :class:`~beespace.errors.KernelError` if we may not look.  A process that has ended has no sockets.
    """
    found: dict[int, Peer | None] = {}
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return found, True
    except OSError as error:
        raise refusal.error("pidfd_open", error.errno or 0, "look at a process's sockets") from error
    try:
        for name in _sockets(pid):
            if clock() > until:
                return found, False
            descriptor = door.issue("pidfd_getfd", (process, name, 0))
            if descriptor in (-errno.EBADF, -errno.ESRCH):
                continue  # closed meanwhile
            if descriptor < 0:
                raise refusal.error("pidfd_getfd", -descriptor, "look at a process's sockets")
            with socket.socket(fileno=descriptor) as same:
                if same.family not in (socket.AF_INET, socket.AF_INET6):
                    continue
                cookie = int.from_bytes(same.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8), sys.byteorder)
                if cookie in cookies:
                    try:
                        found[cookie] = _peer(same)
                    except OSError:  # not connected yet, or not any more
                        if same.type == socket.SOCK_STREAM:
                            found[cookie] = None
    finally:
        os.close(process)
    return found, True


def _sockets(pid: int) -> list[int]:
    folder = f"/proc/{pid}/fd"
    found: list[int] = []
    with suppress(OSError):  # the process has ended
        for name in os.listdir(folder):
            with suppress(OSError):
                if os.readlink(f"{folder}/{name}").startswith("socket:"):
                    found.append(int(name))
    return found


def _peer(same: socket.socket) -> Peer:
    host, port = same.getpeername()[:2]
    if same.family == socket.AF_INET:
        return Peer(_MAPPED + socket.inet_aton(host), port)
    return Peer(socket.inet_pton(socket.AF_INET6, host.partition("%")[0]), port)
