"""Compiled objects on disk, so that the second start needs no compiler.

The key covers all that the object depends on: the probe's source file and the author's modules that it imports from,
every constant and struct that its kernel-side methods mention from elsewhere, the maps and options, the language's
and compiler's own sources, and the kernel's build.  A cache that cannot be written is no error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from enum import Enum
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

import beespace
from beespace.lang import Declaration
from beespace.lang.attach import SECTION
from beespace.schema import IntKind, Struct
from beespace.syscall.small_files import read_bytes

try:
    from _blake2 import blake2b  # the same function; hashlib loads OpenSSL, which takes longer than all else here
except ImportError:
    from hashlib import blake2b


def directory() -> str:
    """Where compiled objects are kept: ``$XDG_CACHE_HOME/beespace/objects`` or ``~/.cache/...``."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(root, "beespace", "objects")


def key(declaration: Declaration, types: str = "") -> str:
    """A text that changes whenever the compiled object could; ``types`` says which, if not the running kernel's."""
    digest = blake2b(digest_size=32)
    for part in (types, *_parts(declaration)):
        digest.update(part.encode("utf-8", "surrogateescape"))
        digest.update(b"\0")
    return digest.hexdigest()


def load(name: str) -> bytes | None:
    """The object of that key, or None."""
    try:
        return read_bytes(_file(name))
    except OSError:
        return None


def store(name: str, data: bytes) -> None:
    """Keep an object; whoever reads at the same time sees all of it or nothing."""
    import tempfile

    try:
        os.makedirs(directory(), exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=directory(), delete=False) as file:
            file.write(data)
        os.replace(file.name, _file(name))
    except OSError:
        return  # a read-only home is common in containers; the next start compiles again


def _file(name: str) -> str:
    return os.path.join(directory(), f"{name}.bpf.o")


def _parts(declaration: Declaration) -> Iterator[str]:
    yield declaration.name
    yield declaration.license
    yield _toolchain()
    yield _kernel()
    for base in declaration.source.__mro__:
        if base.__module__ != "builtins" and not base.__module__.startswith("beespace.lang"):
            yield _source(base)
    for module in _imported(declaration):
        yield _text(module) or ""
    mentioned = {name for function in declaration.functions.values() for name in function.__code__.co_names}
    for base in declaration.source.__mro__:
        found = ((name, value) for name, value in vars(base).items() if name in mentioned)
        yield from (f"{name}={_stable(value)}" for name, value in found if isinstance(value, _CONSTANTS))
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
    text = _text(sys.modules.get(cls.__module__))
    if text is None:
        from inspect import getsource

        try:
            return getsource(cls)
        except (OSError, TypeError):
            return ""  # python -c, standard input, exec(): who compiles it says that its text is not there
    return text


def _text(module: ModuleType | None) -> str | None:
    """The file of a module, whatever its encoding; None if there is none."""
    try:
        return read_bytes(getattr(module, "__file__", None) or "").decode("utf-8", "surrogateescape")
    except OSError:
        return None


_CONSTANTS = (int, str, bytes, tuple, Enum, Struct)
_NOT_THE_AUTHORS = ("site-packages", "dist-packages")


def _imported(declaration: Declaration) -> list[ModuleType]:
    """The author's modules that names of the kernel-side methods' modules lead to, directly or not."""
    waiting = [sys.modules.get(function.__module__) for function in declaration.functions.values()]
    found: dict[str, ModuleType] = {}
    while waiting:
        module = waiting.pop()
        if module is None or module.__name__ in found or not _is_the_authors(module):
            continue
        found[module.__name__] = module
        for value in list(vars(module).values()):
            if isinstance(value, ModuleType):
                waiting.append(value)
            else:
                waiting.append(sys.modules.get(_module_of(value)))
    return [found[name] for name in sorted(found)]


def _module_of(value: Any) -> str:
    name = getattr(value if isinstance(value, type | FunctionType) else type(value), "__module__", None)
    return name if isinstance(name, str) else ""


def _is_the_authors(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None) or ""
    top = module.__name__.partition(".")[0]
    if top == "beespace" or top in sys.stdlib_module_names or not file.endswith(".py"):
        return False
    return not any(f"/{each}/" in file for each in _NOT_THE_AUTHORS)


def _captured(function: FunctionType, above: tuple[FunctionType, ...] = ()) -> Iterator[str]:
    """The function's code, which need not be of the class's file (a cell, a shell), and values that it mentions."""
    code = function.__code__
    yield f"{function.__defaults__!r} {function.__kwdefaults__!r}"
    plain = [each for each in code.co_consts if not isinstance(each, CodeType)]
    yield f"{sorted((name, _stable(kind)) for name, kind in function.__annotations__.items())}"
    kinds = ((name, value) for name, value in sorted(function.__globals__.items()) if isinstance(value, IntKind))
    yield f"{[(name, kind.name) for name, kind in kinds if kind.name != name]}"
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
    root = os.path.dirname(beespace.__file__)
    rooms = [os.path.join(root, room) for room in ("compiler", "lang", "schema", "hooks", "btf", "isa")]
    stats = [each for room in rooms for each in _sources(room)]
    return f"{beespace.__version__} {sorted(stats)}"


def _sources(folder: str) -> Iterator[tuple[str, int, int]]:
    """Path, size and time of change of every source file in and below a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                found = entry.stat()
                yield entry.path, found.st_size, found.st_mtime_ns
            elif entry.is_dir(follow_symlinks=False) and entry.name != "__pycache__":
                yield from _sources(entry.path)


@cache
def _kernel() -> str:
    """The running kernel's build: release, version and build id."""
    uname = os.uname()
    try:
        notes = read_bytes("/sys/kernel/notes")
    except OSError:
        notes = b""
    return f"{uname.release} {uname.version} {uname.machine} {notes.hex()}"
