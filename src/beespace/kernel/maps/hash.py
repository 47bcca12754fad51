"""``HashMap``: keys to values, as a mutable mapping over a live map.

HASH (Linux 3.19), LRU_HASH (4.10), RHASH (7.3); the base of what else has keys that come and go.
"""

from __future__ import annotations

import errno
from collections.abc import ItemsView, Iterable, Iterator, MutableMapping, ValuesView

from beespace.errors import KernelError
from beespace.isa.constants import UpdateFlag
from beespace.kernel.maps.base import Container, write_flags
from beespace.kernel.maps.batches import NO_BATCH
from beespace.typed import Any

__all__ = ["HashMap"]

_MISSING: Any = object()


class HashMap(Container, MutableMapping[Any, Any]):
    """Keys to values.  A missing key is :class:`KeyError`; a full map a :class:`KernelError` with its max_entries.

    A key or value that does not fit its type is a :class:`UsageError`, also for ``in``.  Programs may write at the
    same time: iteration then gives what was there all the time, and maybe what came or went meanwhile.  ``len()``
    counts, so it costs as much as reading the keys.  An LRU map makes room by itself.  Fields of a value that are the
    kernel's own (``bpf_spin_lock``, ``bpf_timer``, pointers to objects) read as zero and are left alone by writing.
    """

    # -- one entry -----------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        data = self.raw.get(self.key.encode(key))
        if data is None:
            raise KeyError(key)
        return self.value.decode(data)

    def get(self, key: Any, default: Any = None, *, locked: bool = False) -> Any:
        """The value, or ``default``.

        ``locked`` takes the ``bpf_spin_lock`` of the value while it is copied (``BPF_F_LOCK``, Linux 5.1), so that it
        is never seen half written.
        """
        data = self.raw.get(self.key.encode(key), UpdateFlag.LOCK if locked else 0)
        return default if data is None else self.value.decode(data)

    def __contains__(self, key: object) -> bool:
        return self.raw.get(self.key.encode(key)) is not None

    def __setitem__(self, key: Any, value: Any) -> None:
        self.raw.update(self.key.encode(key), self.value.encode(value))

    def put(self, key: Any, value: Any, *, locked: bool = False) -> None:
        """As ``map[key] = value``; ``locked`` holds the value's ``bpf_spin_lock`` meanwhile (Linux 5.1)."""
        self.raw.update(self.key.encode(key), self.value.encode(value), write_flags(UpdateFlag.ANY, locked))

    def add(self, key: Any, value: Any, *, locked: bool = False) -> bool:
        """Write an entry only if the key is not there (``BPF_NOEXIST``); whether it was written."""
        return self._written(key, value, UpdateFlag.NOEXIST, locked, errno.EEXIST)

    def replace(self, key: Any, value: Any, *, locked: bool = False) -> bool:
        """Write an entry only if the key is there (``BPF_EXIST``); whether it was written."""
        return self._written(key, value, UpdateFlag.EXIST, locked, errno.ENOENT)

    def _written(self, key: Any, value: Any, kind: UpdateFlag, locked: bool, refused: int) -> bool:
        try:
            self.raw.update(self.key.encode(key), self.value.encode(value), write_flags(kind, locked))
        except KernelError as error:
            if error.errno != refused:
                raise
            return False
        return True

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """The value, after ``default`` was written if there was none."""
        while True:
            found = self.get(key, _MISSING)
            if found is not _MISSING:
                return found
            if self.add(key, default):  # else a program was faster
                return default

    def __delitem__(self, key: Any) -> None:
        if not self.raw.delete(self.key.encode(key)):
            raise KeyError(key)

    def pop(self, key: Any, default: Any = _MISSING) -> Any:
        """Take an entry out: its value, else ``default``, else :class:`KeyError`.

        In one step since Linux 5.14; before, what programs write between reading and deleting is lost.
        """
        data = self.raw.pop(self.key.encode(key))
        if data is not None:
            return self.value.decode(data)
        if default is _MISSING:
            raise KeyError(key)
        return default

    def popitem(self) -> tuple[Any, Any]:
        """Take out any entry; :class:`KeyError` if there is none."""
        while True:
            key = self.raw.next_key()
            if key is None:
                raise KeyError(f"map {self.name!r} is empty")
            data = self.raw.pop(key)
            if data is not None:
                return self.key.decode(key), self.value.decode(data)

    # -- all entries ---------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Any]:
        decode, size = self.key.decode, self.spec.key_size
        for entries in self.raw.batches():
            keys = bytes(entries.keys)
            for number in range(entries.number):
                yield decode(keys, number * size)

    def _pairs(self, *, remove: bool = False) -> Iterator[tuple[Any, Any]]:
        key, value, size, stride = self.key.decode, self.value.decode, self.spec.key_size, self.raw.value_stride
        for entries in self.raw.batches(remove=remove):
            keys, values = bytes(entries.keys), bytes(entries.values)
            for number in range(entries.number):
                at, end = number * stride, (number + 1) * stride
                yield key(keys, number * size), value(values[at:end])

    def items(self) -> ItemsView[Any, Any]:
        """All entries, read some thousand at a time."""
        return _Items(self)

    def values(self) -> ValuesView[Any]:
        """All values, read some thousand at a time."""
        return _Values(self)

    def __len__(self) -> int:
        return sum([entries.number for entries in self.raw.batches()])

    def __bool__(self) -> bool:
        return self.raw.next_key() is not None

    def update(self, other: Any = (), /, **named: Any) -> None:
        """Write many entries: of a mapping or of pairs, in one call of the kernel where it can (Linux 5.6)."""
        pairs = list(other.items() if hasattr(other, "items") else other) + list(named.items())
        keys = [self.key.encode(key) for key, _ in pairs]
        values = [self.value.encode(value) for _, value in pairs]
        if len(pairs) > 1:
            try:
                self.raw.update_batch(b"".join(keys), b"".join(values), len(pairs))
            except KernelError as error:
                if error.errno not in NO_BATCH:
                    raise
            else:
                return
        for key, value in zip(keys, values, strict=True):
            self.raw.update(key, value)

    def remove(self, keys: Iterable[Any]) -> int:
        """Delete many keys; how many of them were there."""
        wanted = [self.key.encode(key) for key in keys]
        at = removed = 0
        while at < len(wanted):
            rest = wanted[at:]
            try:
                done = self.raw.delete_batch(b"".join(rest), len(rest))
            except KernelError as error:
                if error.errno not in NO_BATCH:
                    raise
                return removed + sum([self.raw.delete(key) for key in rest])
            removed += done
            at += done + 1  # it stopped at one that is not there
        return removed

    def take(self) -> list[tuple[Any, Any]]:
        """All entries, and the map emptied: each entry is given once (see :meth:`beespace.kernel.Map.take`)."""
        return list(self._pairs(remove=True))

    def clear(self) -> None:
        """Delete every entry that is there now."""
        for entries in self.raw.batches(remove=self.raw.drainable):
            keys, size = bytes(entries.keys), self.spec.key_size
            for number in range(0 if self.raw.drainable else entries.number):
                self.raw.delete(keys[number * size : (number + 1) * size])


class _Items(ItemsView[Any, Any]):
    """Entries as the batches give them, not one key after the other."""

    _mapping: HashMap

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return self._mapping._pairs()


class _Values(ValuesView[Any]):
    """The same of the values alone."""

    _mapping: HashMap

    def __iter__(self) -> Iterator[Any]:
        return (value for _, value in self._mapping._pairs())

    def __contains__(self, value: object) -> bool:
        return any(value is each or value == each for each in self)
