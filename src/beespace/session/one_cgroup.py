"""What belongs to the one cgroup that is watched.

Packets are counted by programs of that cgroup alone.  That a connection failed is told of every socket of the host,
and leaves a flow without packets behind where nobody counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from beespace.probes.flows import FlowKey, FlowStats
from beespace.stream import records_of

__all__ = ["of_cgroup"]


def of_cgroup(taken: tuple[bytearray, bytearray, int], cgroup: Path) -> tuple[bytearray, bytearray, int]:
    """Keys, values and their number, without flows that have no packets and are of nobody in ``cgroup``."""
    keys, values, count = taken
    rows = records_of(keys, values, count, FlowKey.layout, FlowStats.layout)
    kept = (rows["tx_packets"] != 0) | (rows["rx_packets"] != 0)
    if kept.all():
        return taken
    inside = np.fromiter(_numbers(cgroup), np.uint64)
    kept |= (rows["owned"] != 0) & np.isin(rows["cgroup"], inside)
    parts = []
    for data, size in ((keys, FlowKey.layout.size), (values, FlowStats.layout.size)):
        octets = np.frombuffer(data, np.uint8, count * size).reshape(count, size)
        parts.append(bytearray(octets[kept].tobytes()))
    return parts[0], parts[1], int(kept.sum())


def _numbers(cgroup: Path) -> Iterator[int]:
    """The ids of a cgroup and of those in it: the inodes of their folders."""
    for folder, _, _ in os.walk(cgroup):
        try:
            yield Path(folder).stat().st_ino
        except FileNotFoundError:
            continue  # removed meanwhile
