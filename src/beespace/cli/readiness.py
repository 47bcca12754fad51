"""Telling the service manager that the work has begun: ``READY=1``, as sd_notify(3) has it."""

from __future__ import annotations

import os
import socket
import sys

__all__ = ["tell_ready"]


def tell_ready() -> None:
    """Say ``READY=1`` to the socket that ``$NOTIFY_SOCKET`` names, if there is one: everything is attached.

    A manager that cannot be told is named on standard error, and it is no reason to end.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    name = "\0" + address[1:] if address.startswith("@") else address  # an abstract one
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
            manager.sendto(b"READY=1", name)
    except OSError as error:
        print(f"beespace: note: $NOTIFY_SOCKET ({address}) cannot be told: {error.strerror}", file=sys.stderr)
