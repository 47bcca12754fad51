"""What belongs to the one cgroup that is watched.

Packets are counted by programs of that cgroup alone.  That a connection failed is told of every socket of the host,
and leaves a flow without packets behind where nobody counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["of_cgroup"]

Records = NDArray[np.void]


def of_cgroup(rows: Records, cgroup: Path) -> Records:
    """``rows`` (of FlowKey and FlowStats) without flows that have no packets and are of nobody in ``cgroup``."""
    kept = (rows["tx_packets"] != 0) | (rows["rx_packets"] != 0)
    if kept.all():
        return rows
    inside = np.fromiter(_numbers(cgroup), np.uint64)
    kept |= (rows["owned"] != 0) & np.isin(rows["cgroup"], inside)
    return np.asarray(rows[kept])


def _numbers(cgroup: Path) -> Iterator[int]:
    """The ids of a cgroup and of those in it: the inodes of their folders."""
    for folder, _, _ in os.walk(cgroup):
        try:
            yield Path(folder).stat().st_ino
        except FileNotFoundError:
            continue  # removed meanwhile
