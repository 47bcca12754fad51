"""Facts about keys that come again, interval after interval: columns, and a number for each key that says where.

A hash table of numbers, with open addressing, that is asked for all keys at once: those that meet another key where
they look go on to the next place, together, until none is left.
"""

from __future__ import annotations

import secrets

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["Remembered"]

Facts = NDArray[np.void]
Keys = NDArray[np.uint64]
Numbers = NDArray[np.int64]

_EMPTY, _GONE = -1, -2  # in the table: nothing was ever here; what was here has been forgotten
_NEVER = np.iinfo(np.int64).max
_LEAST = 1024


class Remembered:
    """:attr:`facts` are records of ``dtype`` by number; those of a new key are zero.

    A key has ``words`` of 8 bytes.
    """

    def __init__(self, dtype: DTypeLike, words: int) -> None:
        self.facts: Facts = np.zeros(0, dtype)
        self._keys: Keys = np.zeros((0, words), np.uint64)
        self._seen: Numbers = np.zeros(0, np.int64)  # the order of the last sights; _NEVER: the number is free
        self._places: Numbers = np.zeros(0, np.int64)  # in the table
        self._free: list[int] = []
        self._sights = self._count = 0
        # Drawn by lot, so that nobody can choose keys that all look in the same place.
        self._factors: Keys = np.frombuffer(secrets.token_bytes(8 * words), np.uint64) | np.uint64(1)
        self._empty(2 * _LEAST)

    def __len__(self) -> int:
        return self._count

    def find(self, keys: Keys) -> Numbers:
        """The number of each key, shape ``(n, words)``; -1 if it is not known."""
        numbers = np.full(len(keys), -1)
        places, rest = self._first_places(keys), np.arange(len(keys))
        while len(rest):
            found = self._table[places]
            same = self._same(found, keys[rest])
            numbers[rest[same]] = found[same]
            further = ~same & (found != _EMPTY)
            rest, places = rest[further], places[further] + 1 & self._mask
        return numbers

    def seen(self, keys: Keys) -> tuple[Numbers, NDArray[np.bool_]]:
        """The numbers of ``keys``, which are now those seen last, in their order; and which of them are new."""
        numbers = self.find(keys)
        new = numbers < 0
        if new.any():
            numbers[new] = self._number(keys[new])
        self._seen[numbers] = np.arange(self._sights, self._sights + len(keys))
        self._sights += len(keys)
        return numbers, new

    def forget(self, limit: int) -> tuple[Keys, Facts]:
        """Let go of all but ``limit`` keys, the ones not seen for longest first; the keys, in that order, and facts."""
        extra = len(self) - limit
        if extra <= 0:
            return self._keys[:0], self.facts[:0]
        oldest = np.argpartition(self._seen, extra - 1)[:extra]
        oldest = oldest[np.argsort(self._seen[oldest])]
        self._table[self._places[oldest]] = _GONE
        self._seen[oldest] = _NEVER
        self._free += oldest.tolist()
        self._count -= extra
        return self._keys[oldest], self.facts[oldest]

    def _number(self, keys: Keys) -> Numbers:
        """Numbers for keys of which none is known; one that is there twice gets one."""
        if len(self._free) < len(keys):
            self._grow(len(self) + len(keys))
        if 2 * (self._filled + len(keys)) > len(self._table):
            self._rebuild(len(self) + len(keys))
        numbers = np.array(self._free[-len(keys) :])
        del self._free[-len(keys) :]
        self._keys[numbers] = keys
        self.facts[numbers] = np.zeros((), self.facts.dtype)
        given = self._put(numbers)
        twice = given != numbers
        self._free += numbers[twice].tolist()
        self._count += len(keys) - int(twice.sum())
        return given

    def _put(self, numbers: Numbers) -> Numbers:
        """Write numbers whose keys are not in the table into it; for a key that is among them twice, that of one."""
        given, keys = numbers.copy(), self._keys[numbers]
        places, rest = self._first_places(keys), np.arange(len(numbers))
        while len(rest):
            before = self._table[places]
            free = before < 0
            self._table[places[free]] = numbers[rest[free]]  # of several that want one place, one gets it
            found = self._table[places]
            won = found == numbers[rest]
            self._places[numbers[rest[won]]] = places[won]
            self._filled += int((before[won] == _EMPTY).sum())
            # The same key looks in the same places, so it is met where the other one has just got in.
            same = self._same(found, keys[rest])
            given[rest[same]] = found[same]
            rest, places = rest[~same], places[~same] + 1 & self._mask
        return given

    def _same(self, found: NDArray[np.int32], keys: Keys) -> NDArray[np.bool_]:
        """Where the key of a number found in the table is the one that is looked for."""
        same: NDArray[np.bool_] = found >= 0
        there = np.flatnonzero(same)
        same[there] = (self._keys[found[there]] == keys[there]).all(axis=1)
        return same

    def _first_places(self, keys: Keys) -> Numbers:
        mixed = (keys * self._factors).sum(axis=1, dtype=np.uint64)
        mixed = (mixed ^ mixed >> np.uint64(32)) * self._factors[0]
        return np.asarray(mixed >> np.uint64(64 - self._mask.bit_length()), np.int64)

    def _grow(self, least: int) -> None:
        """Room for more keys."""
        before = len(self._seen)
        more = max(least, 2 * before, _LEAST) - before
        self.facts = np.concatenate([self.facts, np.zeros(more, self.facts.dtype)])
        self._keys = np.concatenate([self._keys, np.zeros((more, self._keys.shape[1]), np.uint64)])
        self._seen = np.concatenate([self._seen, np.full(more, _NEVER)])
        self._places = np.concatenate([self._places, np.zeros(more, np.int64)])
        self._free += range(before + more - 1, before - 1, -1)

    def _rebuild(self, least: int) -> None:
        """A table of which a quarter is filled with ``least`` keys, and nothing of those that were forgotten."""
        self._empty(1 << (4 * least - 1).bit_length())
        self._put(np.flatnonzero(self._seen != _NEVER))

    def _empty(self, size: int) -> None:
        self._table: NDArray[np.int32] = np.full(size, _EMPTY, np.int32)  # numbers, or one of the above
        self._mask = size - 1
        self._filled = 0  # places that are not empty
