"""Maps with a value of its own for each CPU: a value is a tuple, one element for each CPU that there may ever be.

PERCPU_HASH, PERCPU_ARRAY (Linux 4.6), LRU_PERCPU_HASH (4.10).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from beespace.errors import UsageError
from beespace.kernel.maps.array import ArrayMap
from beespace.kernel.maps.coding import PerCpu
from beespace.kernel.maps.hash import HashMap
from beespace.typed import Any

__all__ = ["PerCpuArrayMap", "PerCpuHashMap", "merge"]


def merge(values: Sequence[Any]) -> Any:
    """Values of several CPUs as one: numbers are added, arrays and structs element by element.

    The result is of the type of the values.  :class:`UsageError` for what cannot be added (text, bytes).
    """
    first = values[0]
    if isinstance(first, int | float):
        return sum(values)
    if isinstance(first, tuple):
        merged = [merge(each) for each in zip(*values, strict=True)]
        return tuple.__new__(type(first), merged)  # a Record stays a Record
    raise UsageError(f"values such as {first!r} cannot be added up", help="read them CPU by CPU: map[key]")


def _spread(value: Any, coding: Any) -> bytes:
    """The same value for all CPUs."""
    assert isinstance(coding, PerCpu)
    return coding.encode([value] * coding.cpus)


class PerCpuHashMap(HashMap):
    """Keys to tuples of one value a CPU."""

    def sum(self, key: Any) -> Any:
        """The values of all CPUs added up, as :func:`merge` does; :class:`KeyError` if there are none."""
        return merge(self[key])

    def sums(self) -> Iterator[tuple[Any, Any]]:
        """Every key with its values added up."""
        for key, values in self.items():
            yield key, merge(values)

    def fill(self, key: Any, value: Any) -> None:
        """Write one value for all CPUs."""
        self.raw.update(self.key.encode(key), _spread(value, self.value))


class PerCpuArrayMap(ArrayMap):
    """A fixed number of tuples of one value a CPU."""

    def sum(self, index: int) -> Any:
        """The values of all CPUs added up, as :func:`merge` does."""
        return merge(self[index])

    def sums(self) -> list[Any]:
        """All elements, each added up."""
        return [merge(values) for values in self]

    def fill(self, index: int, value: Any) -> None:
        """Write one value for all CPUs."""
        self.raw.update(self._index(index), _spread(value, self.value))
