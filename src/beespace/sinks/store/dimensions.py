"""Names that come with rows are split off: facts keep the key, and who it is becomes a row of its own.

A row is written for a key only when something is new about it, so a process that talks all day is
one row.  What is remembered for that is bounded; a key that was forgotten is simply written again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from beespace.sinks.store.shape import RECORDED, STORED_TIME, stored_schema
from beespace.stream.table import Table
from beespace.stream.tables import CONTAINERS, PROCESSES, TABLES

Key: TypeAlias = tuple[Any, ...]

CAPACITY = 65_536  # keys remembered of each dimension
SAME_START = 20_000  # µs: start times closer than two clock ticks are one process's

# What a program is called belongs together: a new name makes the old arguments wrong.
_PROGRAM = frozenset({"process_name", "process_executable", "process_args"})


@dataclass(frozen=True, slots=True)
class Version:
    """What is known of a key from ``valid_from`` on (µs since 1970).

    ``told``: the dimension's own rows said so, and know better than what came along with a fact.
    """

    valid_from: int
    valid_to: int | None
    attributes: Mapping[str, Any]
    told: bool = field(default=False, compare=False)


@dataclass(slots=True)
class _Memory:
    """One dimension: the newest version of each key, and the rows that are to be written."""

    known: OrderedDict[Key, Version] = field(default_factory=OrderedDict)
    changes: list[tuple[Key, Version]] = field(default_factory=list)


class Dimensions:
    """Learns from rows who is who; :meth:`take_changes` gives what has to be written."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._starts: OrderedDict[int, list[int]] = OrderedDict()
        self._memory = {table.name: _Memory() for table in TABLES.values() if table.kind == "dimension"}

    # -- learning --------------------------------------------------------------------------------------------

    def learn(self, table: Table, rows: pa.Table) -> None:
        """Take in ``rows`` of a fact table, or of a dimension itself.  Times are in µs."""
        if table.kind == "dimension":
            self._learn_versions(table, rows)
            return
        for dimension in (PROCESSES, CONTAINERS):
            self._learn_names(dimension, rows)

    def steady(self, rows: pa.Table) -> pa.Table:
        """``rows`` with one start time for one process.

        The kernel counts from boot; what to add is measured, so the same start comes out a
        microsecond apart now and then, and ``/proc`` rounds to ticks.  As a part of a key it must not.
        """
        if not {"process_pid", "process_start_time"} <= set(rows.schema.names) or not rows.num_rows:
            return rows
        pids, starts = rows.column("process_pid"), rows.column("process_start_time")
        usable = pc.and_(pids.is_valid(), starts.is_valid()).to_numpy(zero_copy_only=False)
        # One number for a pid (31 bits) and which of the starts it has: sorting pairs takes ten times as long.
        known = pc.fill_null(starts.cast(pa.int64()), 0).combine_chunks().dictionary_encode()
        pairs = (known.indices.to_numpy().astype(np.int64) << 32) | pc.fill_null(pids, 0).to_numpy()
        distinct, inverse = np.unique(pairs, return_inverse=True)
        first = known.dictionary.to_numpy()[distinct >> 32]
        told = zip((distinct & 0xFFFF_FFFF).tolist(), first.tolist(), strict=True)
        steady = np.array([self._start_of(pid, start) for pid, start in told], np.int64)
        column = pa.array(steady[inverse], mask=~usable).cast(STORED_TIME)
        return rows.set_column(rows.schema.get_field_index("process_start_time"), "process_start_time", column)

    def restore(self, table: Table, rows: pa.Table) -> None:
        """Remember what the store says already, the newest versions last."""
        memory = self._memory[table.name]
        before = len(memory.changes)
        self._learn_versions(table, rows, told=False)
        del memory.changes[before:]

    def forget(self) -> None:
        """What was to be written could not be: everything counts as unknown again."""
        for memory in self._memory.values():
            memory.known.clear()
            memory.changes.clear()

    # -- writing ---------------------------------------------------------------------------------------------

    def take_changes(self, recorded: int) -> dict[str, pa.Table]:
        """The rows to write now, at ``recorded`` (µs), by dimension."""
        taken: dict[str, pa.Table] = {}
        for name, memory in self._memory.items():
            if not memory.changes:
                continue
            table, schema = TABLES[name], stored_schema(TABLES[name])
            rows = [
                {
                    **dict(zip(table.key, key, strict=True)),
                    **version.attributes,
                    "valid_from": version.valid_from,
                    "valid_to": version.valid_to,
                    RECORDED: recorded,
                }
                for key, version in memory.changes
            ]
            arrays = [pa.array([row.get(column.name) for row in rows], column.type) for column in schema]
            taken[name] = pa.Table.from_arrays(arrays, schema=schema)
            memory.changes = []
        return taken

    # -- one thing after another -----------------------------------------------------------------------------

    def _learn_names(self, dimension: Table, rows: pa.Table) -> None:
        """From the columns of a fact table that describe keys of ``dimension``."""
        present = set(rows.schema.names)
        names = [column.name for column in dimension.columns if column.name in present]
        if not set(dimension.key) <= present or len(names) == len(dimension.key):
            return
        ended = (
            pc.if_else(rows.column("exit_code").is_valid(), rows.column("time"), pa.scalar(None, STORED_TIME))
            if "exit_code" in present and dimension is PROCESSES
            else pa.nulls(rows.num_rows, STORED_TIME)
        )
        seen = rows.select([*names, "time"]).append_column("ended", ended)
        for name in dimension.key:
            seen = seen.filter(seen.column(name).is_valid())
        grouped = seen.group_by(names, use_threads=False).aggregate([("time", "min"), ("ended", "max")])
        seen_at: dict[tuple[Key, int], tuple[int | None, dict[str, Any]]] = {}
        for row in _python_rows(grouped.sort_by("time_min")):
            at, end = row.pop("time_min"), row.pop("ended_max")
            seen_at[tuple(row.pop(name) for name in dimension.key), at] = (end, row)
        for (key, at), (end, attributes) in seen_at.items():
            self._see(dimension.name, key, at, end, attributes)

    def _learn_versions(self, dimension: Table, rows: pa.Table, *, told: bool = True) -> None:
        names = [column.name for column in dimension.columns]
        for row in _python_rows(rows.select(names)):
            key = tuple(row.pop(name) for name in dimension.key)
            start, end = row.pop("valid_from"), row.pop("valid_to")
            if start is None or None in key:
                continue
            self._note_version(dimension.name, key, Version(start, end, row, told))

    def _see(self, dimension: str, key: Key, at: int, end: int | None, attributes: Mapping[str, Any]) -> None:
        """``attributes`` were seen with ``key`` at a time: a repair of what is known, or something new."""
        memory = self._memory[dimension]
        values = _known_only(attributes)
        known = memory.known.get(key)
        if known is None:
            if values:
                self._keep(memory, key, Version(at, end, values))
            return
        merged = dict(known.attributes)
        changed = {name for name, value in values.items() if merged.get(name, value) != value}
        if known.told:
            values = {name: value for name, value in values.items() if name not in changed}
            changed = set()
        if changed and at < known.valid_from:
            return  # late, and of a version that has passed
        if changed & _PROGRAM:
            merged = {name: value for name, value in merged.items() if name not in _PROGRAM}
        merged.update(values)
        start = at if changed else known.valid_from
        end = end if end is not None else None if changed else known.valid_to
        self._keep(memory, key, Version(start, end, merged, known.told))

    def _note_version(self, name: str, key: Key, version: Version) -> None:
        """Somebody who knows says what was true from when on."""
        memory = self._memory[name]
        values = _known_only(version.attributes)
        version = replace(version, attributes=values)
        known = memory.known.get(key)
        if known is not None and version.valid_from < known.valid_from:
            memory.changes.append((key, version))  # an older version, repaired
            return
        if known is not None and version.valid_from == known.valid_from:
            end = known.valid_to if version.valid_to is None else version.valid_to
            version = Version(version.valid_from, end, {**known.attributes, **values}, version.told)
        self._keep(memory, key, version)

    def _keep(self, memory: _Memory, key: Key, version: Version) -> None:
        if memory.known.get(key) != version:
            memory.changes.append((key, version))
        memory.known[key] = version
        memory.known.move_to_end(key)
        while len(memory.known) > self._capacity:
            memory.known.popitem(last=False)

    def _start_of(self, pid: int, start: int) -> int:
        starts = self._starts.setdefault(pid, [])
        self._starts.move_to_end(pid)
        for known in starts:
            if abs(known - start) < SAME_START:
                return known
        starts.append(start)
        del starts[:-4]
        while len(self._starts) > self._capacity:
            self._starts.popitem(last=False)
        return start


def _known_only(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def _python_rows(rows: pa.Table) -> Iterable[dict[str, Any]]:
    columns = [
        (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for column in rows.columns
    ]
    return (dict(zip(rows.schema.names, values, strict=True)) for values in zip(*columns, strict=True))
