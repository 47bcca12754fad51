"""Programs of one socket, or of the sockets that share a port (socket(7), ``SO_ATTACH_BPF``; Linux 3.19, 4.5)."""

from __future__ import annotations

import os
import socket

from beespace.syscall import refusal
from beespace.syscall.descriptor import Fd, number

__all__ = ["attach_filter", "attach_reuseport", "detach_filter", "detach_reuseport"]

# include/uapi/asm-generic/socket.h
_DETACH_FILTER, _ATTACH_BPF, _ATTACH_REUSEPORT, _DETACH_REUSEPORT = 27, 50, 52, 68


def attach_filter(fd: Fd, program: Fd) -> None:
    """Let ``program`` say how many bytes of each packet socket ``fd`` gets."""
    _set(fd, _ATTACH_BPF, number(program), "put a program on a socket")


def detach_filter(fd: Fd) -> None:
    """Take the filter from socket ``fd``; ENOENT if it has none."""
    _set(fd, _DETACH_FILTER, 0, "take the filter from a socket")


def attach_reuseport(fd: Fd, program: Fd) -> None:
    """Let ``program`` choose among the sockets that share the port of ``fd`` (``SO_REUSEPORT``)."""
    _set(fd, _ATTACH_REUSEPORT, number(program), "put a program on a group of sockets")


def detach_reuseport(fd: Fd) -> None:
    """Take the program from the group of ``fd`` (5.3); ENOENT if it has none."""
    _set(fd, _DETACH_REUSEPORT, 0, "take the program from a group of sockets")


def _set(fd: Fd, option: int, value: int, what: str) -> None:
    try:
        with socket.socket(fileno=os.dup(number(fd))) as same:
            same.setsockopt(socket.SOL_SOCKET, option, value)
    except OSError as error:
        raise refusal.error("setsockopt", error.errno or 0, what) from error
