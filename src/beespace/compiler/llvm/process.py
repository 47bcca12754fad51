"""The process that runs LLVM.  Started before all else of the compiler is imported, it is ready when it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

__all__ = ["Process", "start"]

_SCRIPT = Path(__file__).parent / "__main__.py"


class Process:
    """A child with pipes, and a file for what it says when it fails."""

    def __init__(self) -> None:
        self.errors = _nameless_file()
        # -P: the script's own folder does not belong on the path.
        self.child = subprocess.Popen(
            [sys.executable, "-P", str(_SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors
        )

    @property
    def pid(self) -> int:
        """Its number."""
        return self.child.pid

    def kill(self) -> None:
        """End it now."""
        self.child.kill()

    def close(self) -> None:
        """Let it end.  Calling it again does nothing."""
        assert self.child.stdin is not None and self.child.stdout is not None
        try:
            self.child.stdin.close()
        except BrokenPipeError:
            pass
        self.child.stdout.close()
        self.child.wait()
        self.errors.close()


def _nameless_file() -> BinaryIO:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("beespace-llvm"), "w+b")
    import tempfile  # takes longer to import than the rest of this

    return tempfile.TemporaryFile()


def start() -> Process | None:
    """A process, unless what LLVM makes is kept (``$BEESPACE_LLVM_CACHE``): then it is seldom needed."""
    return None if os.environ.get("BEESPACE_LLVM_CACHE") else Process()
