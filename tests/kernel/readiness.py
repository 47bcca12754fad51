"""Knowing when a watching process has attached everything: it tells its service manager, and that is the test."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from pace import patience

__all__ = ["Readiness"]


class Readiness:
    """A socket for ``READY=1``; :attr:`environment` is for the process that is to tell."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="ready-"))  # in a file: other network namespaces see it
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._folder / "socket"))
        self._socket.settimeout(0.1)
        self.environment = {"NOTIFY_SOCKET": str(self._folder / "socket")}

    def wait(self, process: subprocess.Popen[Any]) -> None:
        """Until it has told; fails with what it wrote if it ends before."""
        deadline = time.monotonic() + patience(30)
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                assert self._socket.recv(100) == b"READY=1"
                return
            assert process.poll() is None, process.communicate()
        raise AssertionError("it was not ready within 30 s")

    def close(self) -> None:
        self._socket.close()
        shutil.rmtree(self._folder)
