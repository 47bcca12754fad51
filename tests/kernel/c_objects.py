"""Small BPF objects from C, made by clang and kept in ``$BEESPACE_OBJECT_CACHE`` if that is set.

clang takes seconds in the guests of the kernel matrix, so they share what was compiled once.  The source is kept beside
each object, so that the matrix can compile it for a guest that has no clang.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["compiled", "compiled_for"]

TARGETS = {"x86_64": "x86", "aarch64": "arm64"}
FLAGS = ("-target", "bpf", "-O2", "-g", "-Wall", "-Werror", "-I/usr/include/x86_64-linux-gnu")


def compiled(source: str, flags: tuple[str, ...], folder: Path) -> bytes:
    """The object, for this machine; ``folder`` is for clang to work in."""
    cache = Path(os.environ.get("BEESPACE_OBJECT_CACHE", folder))
    kept = cache / f"{_name(source, flags, platform.machine())}.bpf.o"
    if not kept.exists():
        refused = kept.with_suffix(".refused")
        if refused.exists():
            pytest.fail(f"clang refuses it for this machine: {refused.read_text()}")
        if shutil.which("clang") is None:
            pytest.skip("clang is not installed, and no object of this source was kept")
        cache.mkdir(parents=True, exist_ok=True)
        said = _compile(source, flags, platform.machine(), folder, kept)
        assert kept.exists(), said
        (cache / f"{kept.name}.json").write_text(json.dumps({"source": source, "flags": flags}))
    return kept.read_bytes()


def compiled_for(machine: str, cache: Path, folder: Path) -> None:
    """Compile every source that ``cache`` has for another machine too; what cannot be fails who wants it there."""
    for path in cache.glob("*.json"):
        kept = json.loads(path.read_text())
        source, flags = kept["source"], tuple(kept["flags"])
        target = cache / f"{_name(source, flags, machine)}.bpf.o"
        if not target.exists():
            said = _compile(source, flags, machine, folder, target)
            if not target.exists():
                target.with_suffix(".refused").write_text(said)


def _name(source: str, flags: tuple[str, ...], machine: str) -> str:
    return hashlib.sha256("\0".join([machine, *FLAGS, *flags, source]).encode()).hexdigest()[:32]


def _compile(source: str, flags: tuple[str, ...], machine: str, folder: Path, target: Path) -> str:
    """What clang said, if it refused; else ``target`` is there."""
    (folder / "probe.c").write_text(source)
    done = subprocess.run(
        ["clang", *FLAGS, f"-D__TARGET_ARCH_{TARGETS[machine]}", *flags, "-c", "probe.c", "-o", "probe.bpf.o"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return done.stderr
    unfinished = target.with_name(f".{target.name}.{os.uname().nodename}.{os.getpid()}")
    shutil.move(folder / "probe.bpf.o", unfinished)
    unfinished.rename(target)  # whoever looks at the same time sees all of it or nothing
    return ""
