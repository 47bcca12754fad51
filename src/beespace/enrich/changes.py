"""What is new since it was last asked for: the newest version of each row, bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Changes"]

Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row")


class Changes(Generic[Key, Row]):
    """Rows by key, oldest change first.  If nobody takes them, those beyond ``capacity`` are dropped and counted."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._rows: OrderedDict[Key, Row] = OrderedDict()
        self.dropped = 0

    def note(self, key: Key, row: Row) -> None:
        """``row`` is now what ``key`` stands for."""
        self._rows[key] = row
        self._rows.move_to_end(key)
        if len(self._rows) > self._capacity:
            self._rows.popitem(last=False)
            self.dropped += 1

    def take(self) -> list[Row]:
        """The rows noted since the last call."""
        rows, self._rows = self._rows, OrderedDict()
        return list(rows.values())

    def __len__(self) -> int:
        return len(self._rows)
