"""Rows of flows made fewer, their totals exact: connections that share what is kept of them become one.

What is added up stays exact.  A measure (round-trip time, state, error ...) is that of the connection seen last.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from beespace.probes.flows import Role
from beespace.session.detail import Detail
from beespace.session.nat import SUMS, Called, Resolved
from beespace.stream.text import is_v4, octets

__all__ = ["Coarse", "coarse"]

Records = NDArray[np.void]


class Coarse(NamedTuple):
    """What :func:`coarse` makes: rows, their first sights and retransmissions."""

    resolved: Resolved
    first: NDArray[np.int64]
    retransmits: NDArray[np.int64]


def coarse(detail: Detail, resolved: Resolved, first: NDArray[np.int64], retransmits: NDArray[np.int64]) -> Coarse:
    """``resolved`` with as much detail as ``detail`` leaves; ``first`` and ``retransmits`` are of its rows."""
    rows, called, into = resolved
    if detail < Detail.PAIRS or not len(rows):
        return Coarse(resolved, first, retransmits)
    rows, ports = rows.copy(), called.ports.copy()
    # Of a connection's two ports one is the service's; the other is whatever was free.
    rows["local_port"][rows["role"] == Role.CLIENT] = 0
    rows["remote_port"][rows["role"] == Role.SERVER] = 0
    if detail >= Detail.OWNERS:
        ports[:] = 0
        unknown = rows["role"] == Role.UNKNOWN  # nobody knows which of them is the service's
        rows["local_port"][unknown] = rows["remote_port"][unknown] = 0
    groups, newest, begins, order = _grouped(_kept(detail, rows, Called(called.addresses, ports)), rows["last"])
    made = rows[newest]
    for name in SUMS:
        made[name] = np.add.reduceat(rows[name][order], begins)
    made["first"] = np.minimum.reduceat(rows["first"][order], begins)
    return Coarse(
        Resolved(made, Called(called.addresses[newest], ports[newest]), groups[into]),
        np.minimum.reduceat(first[order], begins),
        np.add.reduceat(retransmits[order], begins),
    )


def _kept(detail: Detail, rows: Records, called: Called) -> NDArray[np.uint8]:
    """Of each row what tells it from others, as bytes."""
    names = ["netns", "protocol", "role", "owned", "pid", "uid", "start", "cgroup", "local_port", "remote_port"]
    columns: list[NDArray[Any]] = [rows[name] for name in names]
    columns.append(rows["cookie"] == 0)  # which is another reason to have no owner
    if detail >= Detail.OWNERS:
        columns.append(is_v4(octets(rows["local"])))
        return np.concatenate([octets(column) for column in columns], axis=1)
    columns += [rows["local"], rows["remote"], called.ports]
    return np.concatenate([*(octets(column) for column in columns), called.addresses], axis=1)


def _grouped(
    keys: NDArray[np.uint8], last: NDArray[np.uint64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """The group of each row; the newest row of each group; where groups begin in the order; rows in order of groups."""
    count, width = keys.shape
    packed = pa.Array.from_buffers(pa.binary(width), count, [None, pa.py_buffer(np.ascontiguousarray(keys))])
    groups = packed.dictionary_encode().indices.to_numpy().astype(np.intp)
    order = np.lexsort((last, groups))
    begins = np.flatnonzero(np.r_[True, np.diff(groups[order]) != 0])
    newest = order[np.r_[begins[1:], count] - 1]
    return groups, newest, begins, order
