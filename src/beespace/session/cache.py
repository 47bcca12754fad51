"""Compiled objects on disk, so that the second start needs no compiler.

The key covers all that the object depends on: the probe's source file, every constant and struct
that its kernel-side methods mention from elsewhere, the maps and options, the language's and
compiler's own sources, and the kernel's build.  A cache that cannot be written is no error.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from enum import Enum
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import beespace
from beespace.lang import Declaration
from beespace.lang.attach import SECTION
from beespace.schema import Struct


def directory() -> Path:
    """Where compiled objects are kept: ``$XDG_CACHE_HOME/beespace/objects`` or ``~/.cache/...``."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "beespace" / "objects"


def key(declaration: Declaration) -> str:
    """A text that changes whenever the compiled object could."""
    digest = hashlib.sha256()
    for part in _parts(declaration):
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def load(name: str) -> bytes | None:
    """The object of that key, or None."""
    try:
        return (directory() / f"{name}.bpf.o").read_bytes()
    except OSError:
        return None


def store(name: str, data: bytes) -> None:
    """Keep an object; whoever reads at the same time sees all of it or nothing."""
    import tempfile

    try:
        directory().mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=directory(), delete=False) as file:
            file.write(data)
        Path(file.name).replace(directory() / f"{name}.bpf.o")
    except OSError:
        return  # a read-only home is common in containers; the next start compiles again


def _parts(declaration: Declaration) -> Iterator[str]:
    yield declaration.name
    yield declaration.license
    yield _toolchain()
    yield _kernel()
    for base in declaration.source.__mro__:
        if base.__module__ != "builtins" and not base.__module__.startswith("beespace.lang"):
            yield _source(base)
    for name, declared_map in declaration.maps.items():
        yield f"{name} {type(declared_map).__name__} {sorted(map(_attribute, vars(declared_map).items()))}"
    for name, option in declaration.options.items():
        yield f"{name} {option}"
    yield f"{declaration.interface}"
    for name, function in declaration.functions.items():
        yield f"{name} {[declaration.programs[each].section for each in declaration.variants(name)]}"
        yield from _captured(function)


def _attribute(item: tuple[str, Any]) -> str:
    name, value = item
    return f"{name}={_stable(value)}" if name not in ("_backend", "name") else ""


def _source(cls: type) -> str:
    """The text that defines a class; its whole file where there is one."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    try:
        return Path(file or "").read_text()
    except OSError:
        from inspect import getsource

        return getsource(cls)


def _captured(function: FunctionType, above: tuple[FunctionType, ...] = ()) -> Iterator[str]:
    """The function's code, which need not be of the class's file (a cell, a shell), and values that it mentions."""
    code = function.__code__
    yield f"{function.__defaults__!r} {function.__kwdefaults__!r}"
    plain = [each for each in code.co_consts if not isinstance(each, CodeType)]
    yield f"{code.co_code!r} {code.co_names} {code.co_varnames} {plain}"
    for name in sorted(function.__code__.co_names):
        if name in function.__globals__:
            found = function.__globals__[name]
            yield f"{name}={_stable(found)}"
            if isinstance(found, FunctionType) and getattr(found, SECTION, None) == "" and found not in above:
                yield from _captured(found, (*above, function))  # a kernel-side function of a module
            if isinstance(found, ModuleType):
                used = [each for each in sorted(function.__code__.co_names) if each in vars(found)]
                yield from (f"{name}.{each}={_stable(vars(found)[each])}" for each in used)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield f"{name}={_stable(cell.cell_contents)}"


def _stable(value: Any) -> str:
    """A text for a value that is the same in every process (no addresses)."""
    if isinstance(value, type) and issubclass(value, Struct):
        return repr(value.layout)
    if isinstance(value, type) and issubclass(value, Enum):
        return repr([(member.name, member.value) for member in value])
    if isinstance(value, type | FunctionType):
        return f"{value.__module__}.{value.__qualname__}"
    return repr(value) if not isinstance(value, ModuleType) else value.__name__


@cache
def _toolchain() -> str:
    """Version, and size and time of every file of the language and the compiler."""
    root = Path(beespace.__file__).parent
    files = sorted(
        path for room in ("compiler", "lang", "schema", "hooks", "btf", "isa") for path in (root / room).rglob("*.py")
    )
    stats = [(str(path.relative_to(root)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return f"{beespace.__version__} {stats}"


@cache
def _kernel() -> str:
    """The running kernel's build: release, version and build id."""
    uname = os.uname()
    try:
        notes = Path("/sys/kernel/notes").read_bytes()
    except OSError:
        notes = b""
    return f"{uname.release} {uname.version} {uname.machine} {notes.hex()}"
