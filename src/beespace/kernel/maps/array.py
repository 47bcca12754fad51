"""``ArrayMap``: a fixed number of values, all there from the start and zero.  ARRAY (Linux 3.19)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from beespace.errors import KernelError, UsageError
from beespace.isa.constants import UpdateFlag
from beespace.kernel.maps.base import Container, write_flags
from beespace.kernel.maps.batches import NO_BATCH
from beespace.kernel.maps.words import load, store
from beespace.typed import Any, overload

__all__ = ["ArrayMap", "ArrayMemory"]


class ArrayMap(Container, Sequence[Any]):
    """A sequence whose elements can be written but not added or deleted.

    Indices and slices as of a list: ``counts[-1]``, ``counts[2:5] = [0, 0, 0]``.  An index past the end is
    :class:`IndexError`.
    """

    def _index(self, index: int) -> bytes:
        count = self.spec.max_entries
        if not -count <= index < count:
            raise IndexError(f"map {self.name!r} has {count} elements, so no {index}")
        return (index % count).to_bytes(4, sys.byteorder)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            places = range(*index.indices(len(self)))
            if 4 * len(places) > len(self):  # all of them, in batches, come faster than so many one by one
                return list(self)[index]
            return [self.read(place) for place in places]
        return self.read(index)

    def read(self, index: int, *, locked: bool = False) -> Any:
        """One element; ``locked`` takes the ``bpf_spin_lock`` in it while it is copied (Linux 5.1)."""
        data = self.raw.get(self._index(index), UpdateFlag.LOCK if locked else 0)
        if data is None:
            raise IndexError(f"map {self.name!r} has no element {index}")
        return self.value.decode(data)

    @overload
    def __setitem__(self, index: int, value: Any) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Sequence[Any]) -> None: ...
    def __setitem__(self, index: int | slice, value: Any) -> None:
        if isinstance(index, slice):
            self._write_slice(range(*index.indices(len(self))), list(value))
        else:
            self.write(index, value)

    def write(self, index: int, value: Any, *, locked: bool = False) -> None:
        """Write one element; ``locked`` holds the ``bpf_spin_lock`` in it meanwhile (Linux 5.1)."""
        self.raw.update(self._index(index), self.value.encode(value), write_flags(UpdateFlag.ANY, locked))

    def _write_slice(self, places: range, values: list[Any]) -> None:
        if len(places) != len(values):
            raise UsageError(f"{len(values)} values for {len(places)} elements of map {self.name!r}, which cannot grow")
        keys = [self._index(place) for place in places]
        data = [self.value.encode(value) for value in values]
        if len(keys) > 1:
            try:
                self.raw.update_batch(b"".join(keys), b"".join(data), len(keys))
            except KernelError as error:
                if error.errno not in NO_BATCH:
                    raise
            else:
                return
        for key, each in zip(keys, data, strict=True):
            self.raw.update(key, each)

    def __len__(self) -> int:
        return self.spec.max_entries

    def __iter__(self) -> Iterator[Any]:
        decode, stride = self.value.decode, self.raw.value_stride
        for entries in self.raw.batches():
            values = bytes(entries.values)
            for number in range(entries.number):
                yield decode(values[number * stride : (number + 1) * stride])

    def memory(self) -> ArrayMemory:
        """The elements in memory that is shared with the programs: no system call to read or to write one.

        Linux 5.5, and only for arrays made with ``BPF_F_MMAPABLE``: :class:`NotSupported` else.
        """
        return ArrayMemory(self)


class ArrayMemory(Sequence[Any]):
    """The elements of an array in shared memory.  Valid until the map is closed.

    ``view`` is the memory itself; element ``i`` starts at ``i * stride``.  A number of 1, 2, 4 or 8 bytes is
    read and written in one piece; of anything larger, a part may be older than the rest.
    """

    def __init__(self, array: ArrayMap) -> None:
        self.view = array.raw.memory()
        self.stride = -(-array.spec.value_size // 8) * 8
        self._array = array

    def _at(self, index: int) -> int:
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"map {self._array.name!r} has {count} elements, so no {index}")
        return index % count * self.stride

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        at = self._at(index)
        return self._array.value.decode(load(self.view, at, self._array.spec.value_size))

    def __setitem__(self, index: int, value: Any) -> None:
        if self.view.readonly:
            raise UsageError(f"map {self._array.name!r} is frozen, so its memory is for reading only")
        store(self.view, self._at(index), self._array.value.encode(value))

    def __len__(self) -> int:
        return len(self._array)
