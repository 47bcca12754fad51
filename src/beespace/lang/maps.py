"""Map declarations: the same names in the kernel and outside.

In a kernel-side method ``self.by_comm[key] += 1`` is compiled.  Outside, once the program runs, the
same object is a container over the live map.  Map types and sizes follow ``enum bpf_map_type``
(include/uapi/linux/bpf.h); each class says its minimum kernel.

Loss is never silent: a full ring, and a full hash in an insert-or-add, are counted by the
compiled code and shown as ``lost``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, overload

from beespace.errors import UsageError
from beespace.schema import Event, IntKind, Kind, Struct
from beespace.schema.codec import pack, unpack
from beespace.schema.kinds import kind_size

K = TypeVar("K")
V = TypeVar("V")
E = TypeVar("E", bound=Event)
S = TypeVar("S", bound=Struct)

BPF_F_NO_PREALLOC = 1
BPF_F_CLONE = 1 << 9


class RawMap(Protocol):
    """The live map behind a declaration, in bytes.  Sizes are those of the declaration."""

    def get(self, key: bytes) -> bytes | None: ...

    def update(self, key: bytes, value: bytes) -> None: ...

    def delete(self, key: bytes) -> bool: ...

    def keys(self) -> Iterator[bytes]: ...

    def items(self) -> Iterator[tuple[bytes, bytes]]: ...


class RawRing(Protocol):
    """The live ring behind a :class:`Ring`."""

    def fileno(self) -> int: ...

    def records(self, timeout: float | None) -> Iterator[bytes]:
        """Records until none came for ``timeout`` seconds (None: for ever)."""

    def batches(self, timeout: float | None) -> Iterator[Any]:
        """The same as Arrow batches."""

    def lost(self) -> int: ...


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


class _Keyed(Map, Generic[K, V]):
    """Keys to values, as a Python container; a missing key is :class:`KeyError`."""

    @overload
    def __init__(self, *, key: type[K], value: type[V], max_entries: int = ...) -> None: ...
    @overload
    def __init__(self, *, key: K, value: type[V], max_entries: int = ...) -> None: ...
    @overload
    def __init__(self, *, key: type[K], value: V, max_entries: int = ...) -> None: ...
    @overload
    def __init__(self, *, key: K, value: V, max_entries: int = ...) -> None: ...
    def __init__(self, *, key: Any, value: Any, max_entries: int = 10_240) -> None:
        super().__init__(_checked_kind(key, "key"), _checked_kind(value, "value"), _entries(max_entries))

    def __getitem__(self, key: K) -> V:
        data = self.backend.get(self._pack_key(key))
        if data is None:
            raise KeyError(key)
        return self._unpack_value(data)

    def __setitem__(self, key: K, value: V) -> None:
        self.backend.update(self._pack_key(key), self._pack_value(value))

    def __delitem__(self, key: K) -> None:
        if not self.backend.delete(self._pack_key(key)):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return self.backend.get(self._pack_key(key)) is not None

    def __iter__(self) -> Iterator[K]:
        for data in self.backend.keys():  # noqa: SIM118 - a RawMap is no container
            yield unpack(self._key_kind, data)

    def __len__(self) -> int:
        return sum(1 for _ in self.backend.keys())  # noqa: SIM118

    def get(self, key: K) -> V | None:
        """The value, or None.  In the kernel: a reference to the value in place, or None."""
        data = self.backend.get(self._pack_key(key))
        return None if data is None else self._unpack_value(data)

    def items(self) -> Iterator[tuple[K, V]]:
        """All entries; entries written meanwhile may or may not be among them."""
        for key, value in self.backend.items():
            yield unpack(self._key_kind, key), self._unpack_value(value)

    def keys(self) -> Iterator[K]:
        return iter(self)

    def values(self) -> Iterator[V]:
        for _, value in self.items():
            yield value

    def get_or_create(self, key: K) -> V | None:
        """Kernel only: the value in place, made of zeroes if it was missing; None if the map is full."""
        raise _kernel_only("get_or_create")

    def pop(self, key: K) -> V | None:
        """Remove an entry and give its value; None if there was none."""
        data = self.backend.get(self._pack_key(key))
        if data is None or not self.backend.delete(self._pack_key(key)):
            return None
        return self._unpack_value(data)

    @property
    def lost(self) -> int:
        """Insert-or-adds that found the map full."""
        return int(self.backend.lost())

    @property
    def _key_kind(self) -> Kind:
        assert self.key is not None
        return self.key

    def _pack_key(self, key: object) -> bytes:
        return pack(self._key_kind, key)

    def _pack_value(self, value: Any) -> bytes:
        assert self.value_kind is not None
        return pack(self.value_kind, value)

    def _unpack_value(self, data: bytes) -> V:
        assert self.value_kind is not None
        if not self.per_cpu:
            return unpack(self.value_kind, data)  # type: ignore[no-any-return]
        stride = -(-self.value_size // 8) * 8
        values = [unpack(self.value_kind, data[at : at + self.value_size]) for at in range(0, len(data), stride)]
        # Integers add up; structs come as one value a CPU.
        return sum(values) if isinstance(self.value_kind, IntKind) else values  # type: ignore[return-value]


class Hash(_Keyed[K, V]):
    """A hash table shared by all CPUs; ``+=`` on it is atomic.  Linux 3.19."""

    map_type = 1
    flags = BPF_F_NO_PREALLOC


class LruHash(_Keyed[K, V]):
    """A hash table that drops its oldest entries when full.  Linux 4.10."""

    map_type = 9


class PerCpuHash(_Keyed[K, V]):
    """A hash table with one value a CPU; integers are summed when read.  Linux 4.6."""

    map_type = 5
    per_cpu = True
    flags = BPF_F_NO_PREALLOC


class LruPerCpuHash(_Keyed[K, V]):
    """A per-CPU hash table that drops its oldest entries when full.  Linux 4.10."""

    map_type = 10
    per_cpu = True


class _Indexed(_Keyed[int, V]):
    @overload
    def __init__(self, value: type[V], length: int) -> None: ...
    @overload
    def __init__(self, value: V, length: int) -> None: ...
    def __init__(self, value: Any, length: int) -> None:
        super().__init__(key=IntKind("u32", 32), value=value, max_entries=length)  # type: ignore[call-overload]

    def __len__(self) -> int:
        return self.max_entries


class Array(_Indexed[V]):
    """``length`` values, all there from the start, zero.  Linux 3.19."""

    map_type = 2


class PerCpuArray(_Indexed[V]):
    """``length`` values a CPU; integers are summed when read.  Linux 4.6."""

    map_type = 6
    per_cpu = True


class Counter(Map):
    """One number.  Each CPU has its own, so ``+=`` never loses a count and never waits.  Linux 4.6."""

    map_type = 6
    per_cpu = True

    def __init__(self) -> None:
        super().__init__(IntKind("u32", 32), IntKind("u64", 64), 1)

    def __iadd__(self, amount: int) -> Self:
        raise _kernel_only("+=")

    @property
    def value(self) -> int:
        """The sum over all CPUs."""
        data: bytes = self.backend.get(bytes(4)) or b""
        return sum(int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8))


class Global(Map, Generic[V]):
    """A variable that both sides read and write, as ``.value``.  Linux 5.2."""

    map_type = 2

    @overload
    def __init__(self, kind: type[V], initial: V = ...) -> None: ...
    @overload
    def __init__(self, kind: V, initial: V = ...) -> None: ...
    def __init__(self, kind: Any, initial: Any = 0) -> None:
        super().__init__(IntKind("u32", 32), _checked_kind(kind, "kind"), 1)
        self.initial = initial

    @property
    def value(self) -> V:
        """The value now."""
        assert self.value_kind is not None
        return unpack(self.value_kind, self.backend.get(bytes(4)))  # type: ignore[no-any-return]

    @value.setter
    def value(self, value: V) -> None:
        assert self.value_kind is not None
        self.backend.update(bytes(4), pack(self.value_kind, value))


class Ring(Map, Generic[E]):
    """Events on their way to user space, in the order they happened.  ``lost`` counts what did not fit.  Linux 5.8.

    ``size`` is a text as ``"1 MiB"`` or a number of bytes; it is rounded up to a power of two pages.
    """

    map_type = 27

    def __init__(self, event: type[E], *, size: str | int = "1 MiB") -> None:
        super().__init__(None, event, _ring_bytes(size))
        self.event = event

    def emit(self, event: E) -> None:
        """Kernel only: send ``event``, built in place in the ring."""
        raise _kernel_only("emit")

    @property
    def lost(self) -> int:
        """Events that found the ring full."""
        return int(self.backend.lost())

    def fileno(self) -> int:
        """A descriptor that becomes readable when events are there."""
        return int(self.backend.fileno())

    def __iter__(self) -> Iterator[E]:
        return self.events(None)

    def events(self, timeout: float | None = None) -> Iterator[E]:
        """Events, until none came for ``timeout`` seconds (None: for ever)."""
        for record in self.backend.records(timeout):
            yield unpack(self.event, record)

    def available(self) -> Iterator[E]:
        """The events that are there now; does not wait."""
        return self.events(0)

    async def __aiter__(self) -> AsyncIterator[E]:
        async for record in self.backend.async_records():
            yield unpack(self.event, record)

    def batches(self, timeout: float | None = None) -> Iterator[Any]:
        """The same events as Arrow batches (:class:`beespace.stream.Batch`)."""
        yield from self.backend.batches(timeout)


class SocketStorage(Map, Generic[S]):
    """A struct that lives with a socket and dies with it.  Linux 5.2.

    ``clone=True``: a connection accepted from a listener starts with a copy of the listener's.
    """

    map_type = 24

    def __init__(self, value: type[S], *, clone: bool = False) -> None:
        super().__init__(IntKind("i32", 32, signed=True), _checked_kind(value, "value"), 0)
        self.flags = BPF_F_NO_PREALLOC | (BPF_F_CLONE if clone else 0)

    def get(self, socket: Any) -> S | None:
        """Kernel only: what is stored for ``socket``, in place, or None."""
        raise _kernel_only("get")

    def get_or_create(self, socket: Any) -> S | None:
        """Kernel only: the same, made of zeroes if it was missing."""
        raise _kernel_only("get_or_create")

    def delete(self, socket: Any) -> None:
        """Kernel only: forget what is stored for ``socket``."""
        raise _kernel_only("delete")


class TaskStorage(SocketStorage[S]):
    """A struct that lives with a thread and dies with it.  Linux 5.11."""

    map_type = 29


class Interval(Map, Generic[K, V]):
    """A hash table that user space takes whole, once an interval, without losing an update.

    Two inner tables stand behind one slot of an array of maps.  Taking swaps the slot; the kernel
    waits until no program uses the old table (map-in-map updates wait for an RCU grace period,
    kernel commit 1ae80cf31938), and only then is it read and emptied.  Linux 4.18.
    """

    map_type = 12  # BPF_MAP_TYPE_ARRAY_OF_MAPS

    @overload
    def __init__(self, *, key: type[K], value: type[V], max_entries: int = ...) -> None: ...
    @overload
    def __init__(self, *, key: K, value: type[V], max_entries: int = ...) -> None: ...
    def __init__(self, *, key: Any, value: Any, max_entries: int = 65_536) -> None:
        super().__init__(_checked_kind(key, "key"), _checked_kind(value, "value"), _entries(max_entries))

    def get(self, key: K) -> V | None:
        """Kernel only: the value in place, or None."""
        raise _kernel_only("get")

    def get_or_create(self, key: K) -> V | None:
        """Kernel only: the value in place, made of zeroes if it was missing; None if the map is full."""
        raise _kernel_only("get_or_create")

    def take(self) -> tuple[bytearray, bytearray, int]:
        """All entries since the last call, as packed keys, packed values and their number."""
        keys, values, count = self.backend.take()
        return keys, values, count

    @property
    def lost(self) -> int:
        """Insertions that found the table full."""
        return int(self.backend.lost())


def _kernel_only(what: str) -> UsageError:
    return UsageError(
        f"{what} is a word of the kernel side: it works inside a method with a hook decorator",
        help="outside, read the map: `probe.my_map[key]`, `.items()`, `.value`",
    )


def _checked_kind(kind: Any, what: str) -> Kind:
    try:
        size = kind_size(kind)
    except AttributeError:
        size = 0
    if not isinstance(size, int) or size <= 0:
        raise TypeError(f"{what} must be a type from beespace.types, text(n), raw(n) or a Struct; got {kind!r}")
    return kind  # type: ignore[no-any-return]


def _entries(count: int) -> int:
    if not isinstance(count, int) or not 0 < count <= 2**32 - 1:
        raise TypeError(f"max_entries must be 1 to 4294967295, not {count!r}")
    return count


_UNITS = {"": 1, "b": 1, "k": 1 << 10, "kib": 1 << 10, "kb": 1 << 10, "m": 1 << 20, "mib": 1 << 20, "mb": 1 << 20,
          "g": 1 << 30, "gib": 1 << 30}  # fmt: skip


def _ring_bytes(size: str | int) -> int:
    """A ring's size must be a power of two of at least one page."""
    if isinstance(size, str):
        digits = size.strip().rstrip("aAbBgGiIkKmM ")
        unit = size.strip()[len(digits) :].strip().lower()
        if not digits.isdigit() or unit not in _UNITS:
            raise TypeError(f'a ring size is a text as "256 KiB" or "1 MiB", or a number of bytes; got {size!r}')
        size = int(digits) * _UNITS[unit]
    if not 0 < size <= 1 << 30:
        raise TypeError(f"a ring has 4096 bytes to 1 GiB, not {size}")
    return max(4096, 1 << (size - 1).bit_length())


__all__ = [
    "Array", "Counter", "Global", "Hash", "Interval", "LruHash", "LruPerCpuHash", "Map", "PerCpuArray",
    "PerCpuHash", "RawMap", "RawRing", "Ring", "SocketStorage", "TaskStorage",
]  # fmt: skip
