"""Names of network devices: of those in the network namespace that beespace runs in, and of every loopback.

An index means a device of one network namespace only; elsewhere it stays without a name.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from beespace.stream.text import spread
from beespace.syscall.netlink import Netlink

__all__ = ["Interfaces"]

LOOPBACK = 1  # LOOPBACK_IFINDEX (include/net/flow.h), in every namespace
REFRESH_S = 5.0


def own_netns() -> int:
    """The cookie of this process's network namespace; 0 before Linux 5.14."""
    with Netlink() as netlink:
        return netlink.namespace()


class Interfaces:
    """``netns``: the cookie of the namespace whose devices ``listed`` gives, by index and name."""

    def __init__(
        self,
        netns: int | None = None,
        listed: Callable[[], list[tuple[int, str]]] = socket.if_nameindex,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._netns = netns
        self._listed = listed
        self._clock = clock
        self._known: dict[int, str] = {}
        self._due = 0.0

    @property
    def netns(self) -> int:
        """The cookie of that namespace, asked when something needs it; 0: not known."""
        if self._netns is None:
            self._netns = own_netns()
        return self._netns

    def names(self, indices: NDArray[np.uint32], netns: NDArray[np.uint64]) -> pa.Array:
        """A name for each row, null where there is none."""
        here = (netns == self.netns) & (self.netns != 0)
        codes = np.where(here, indices.astype(np.int64), np.where(indices == LOOPBACK, -LOOPBACK, 0))
        distinct, inverse = np.unique(codes, return_inverse=True)
        return spread([self._name(code) for code in distinct.tolist()], pa.array(inverse))

    def _name(self, code: int) -> str | None:
        if code <= 0:
            return "lo" if code == -LOOPBACK else None
        if code not in self._known and self._clock() >= self._due:
            self._known = dict(self._listed())
            self._due = self._clock() + REFRESH_S
        return self._known.get(code)
