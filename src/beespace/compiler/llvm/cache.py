"""Objects that LLVM has made before, in the folder that ``$BEESPACE_LLVM_CACHE`` names; without it nothing is kept.

In an emulated machine LLVM takes forty times as long as everything else that the compiler does: guests of the kernel
matrix read what was compiled outside.  Invariant: an object is found only by all that it was made of.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
from pathlib import Path

from beespace.record import dataclass

__all__ = ["ObjectCache", "from_environment"]


@dataclass(frozen=True, slots=True)
class ObjectCache:
    """A folder of objects; several processes may use it at once."""

    folder: Path

    def load(self, text: str, cpu: str) -> bytes | None:
        """The object of this LLVM assembly, or None."""
        try:
            return self._path(text, cpu).read_bytes()
        except FileNotFoundError:
            return None

    def store(self, text: str, cpu: str, code: bytes) -> None:
        """Keep an object; whoever reads at the same time sees all of it or nothing.  A folder may be read-only."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as file:
                file.write(code)
            Path(file.name).replace(self._path(text, cpu))

    def _path(self, text: str, cpu: str) -> Path:
        made_of = f"{_llvm()} {cpu}\n{text}".encode()
        return self.folder / f"{hashlib.sha256(made_of).hexdigest()[:32]}.llvm.o"


@functools.cache
def _llvm() -> str:
    """What makes objects: llvmlite's version, and our script that drives it."""
    from importlib.metadata import PackageNotFoundError, version  # slow to import, and seldom wanted

    try:
        installed = version("llvmlite")
    except PackageNotFoundError:
        installed = ""
    script = (Path(__file__).parent / "__main__.py").read_bytes()
    return f"{installed} {hashlib.sha256(script).hexdigest()}"


def from_environment() -> ObjectCache | None:
    """The folder that the environment names, if it names one."""
    folder = os.environ.get("BEESPACE_LLVM_CACHE")
    return ObjectCache(Path(folder)) if folder else None
