"""What every map declaration has: its kernel type, its sizes, and the live map behind it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any, ClassVar, Protocol, Self

from beespace.errors import UsageError
from beespace.schema import Kind, Struct
from beespace.schema.kinds import as_kind, has_pointer, is_variable, kind_size

__all__ = ["BPF_F_NO_PREALLOC", "Map", "RawMap", "checked_kind", "entries", "kernel_only", "plain"]

BPF_F_NO_PREALLOC = 1


class RawMap(Protocol):
    """The live map behind a declaration, in bytes.  Sizes are those of the declaration."""

    def get(self, key: bytes) -> bytes | None: ...

    def update(self, key: bytes, value: bytes) -> None: ...

    def put(self, key: bytes, value: bytes, flags: int) -> bool: ...

    def pop(self, key: bytes) -> bytes | None: ...

    def delete(self, key: bytes) -> bool: ...

    def keys(self) -> Iterator[bytes]: ...

    def items(self) -> Iterator[tuple[bytes, bytes]]: ...


class Map:
    """What every map declaration has: its kernel type and sizes."""

    map_type: ClassVar[int]
    flags: int = 0
    per_cpu: ClassVar[bool] = False

    def __init__(self, key: Kind | None, value: Kind | None, max_entries: int) -> None:
        self.key = key
        self.value_kind = value
        self.max_entries = max_entries
        self.name = ""
        self._backend: Any = None

    @property
    def key_size(self) -> int:
        return 0 if self.key is None else kind_size(self.key)

    @property
    def value_size(self) -> int:
        return 0 if self.value_kind is None else kind_size(self.value_kind)

    def bound(self, name: str) -> Self:
        """A copy for one program instance."""
        other = object.__new__(type(self))
        vars(other).update(vars(self), name=name)
        return other

    def plain(self) -> Any:
        """What it holds, as numbers, texts, lists and dicts; None if that cannot be listed."""
        return None

    def render(self) -> str | None:
        """What it holds as a picture; None if it has none, so that :meth:`plain` is printed."""
        return None

    def attach_backend(self, backend: Any) -> None:
        self._backend = backend

    def detach_backend(self) -> None:
        self._backend = None

    @property
    def backend(self) -> Any:
        if self._backend is None:
            raise UsageError(
                f"map {self.name or type(self).__name__} can be read only while its program runs",
                help="use the program as a context manager: `with MyProgram() as probe:`",
            )
        return self._backend


def plain(value: Any) -> Any:
    """A key or value as JSON has it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Enum):
        return value.name or int(value.value)  # flags of which none is set have no name
    if isinstance(value, Struct):
        return {name: plain(part) for name, part in vars(value).items()}
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def kernel_only(what: str) -> UsageError:
    return UsageError(
        f"{what} is a word of the kernel side: it works inside a method with a hook decorator",
        help="outside, read the map: `probe.my_map[key]`, `.items()`, `.value`",
    )


def checked_kind(kind: Any, what: str) -> Kind:
    found = as_kind(kind)
    if found is None or kind_size(found) <= 0:
        raise TypeError(
            f"{what} must be a type from beespace.types, text(n), raw(n), bool, an IntEnum or a Struct; got {kind!r}"
        )
    if is_variable(found):
        raise TypeError(f"{what} has one size; what has a variable length goes into a Ring or PerfEvents")
    if has_pointer(found):
        raise TypeError(f"{what} has a pointer, and pointers stand in an Arena alone")
    return found


def entries(count: int) -> int:
    if not isinstance(count, int) or not 0 < count <= 2**32 - 1:
        raise TypeError(f"max_entries must be 1 to 4294967295, not {count!r}")
    return count
