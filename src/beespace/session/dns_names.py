"""Names of addresses, from the DNS answers that this host has seen: who was told what, and until when it holds.

A name is the one that was asked for, however many CNAMEs lead to the address.  An address has, for a cgroup, the name
that this cgroup was told last; for any other a name only if all that were told of this address agree.  So behind an
address that many names share, a flow has the name that its own process was told, or none.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from beespace.session.dns_message import Message

__all__ = ["Names"]

ADDRESSES = 100_000  # that are remembered; those not named for longest go first
GRACE_NS = 300 * 1_000_000_000  # programs keep addresses longer than their TTL allows
NAMES_EACH = 16  # names of one address, by who was told; the oldest go first


class Names:
    """``limit`` addresses at most; :attr:`forgotten` counts those that had to go."""

    def __init__(self, limit: int = ADDRESSES) -> None:
        self._limit = limit
        # address -> cgroup -> name, told when, until when a connection may begin by it (ns since boot)
        # (an OrderedDict forgets its oldest at once: a dict looks for it among all that have gone before)
        self._known: OrderedDict[bytes, dict[int, tuple[str, int, int]]] = OrderedDict()
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, answer: Message, cgroup: int, time: int) -> None:
        """What an answer that ``cgroup`` got at ``time`` says."""
        ttl = min((record.ttl for record in answer.records), default=0)
        until = time + ttl * 1_000_000_000 + GRACE_NS
        for record in answer.records:
            if record.address is None:
                continue
            told = self._known.setdefault(record.address, {})
            told.pop(cgroup, None)
            told[cgroup] = answer.name, time, until
            if len(told) > NAMES_EACH:
                del told[next(iter(told))]
            self._known.move_to_end(record.address)  # named last
        while len(self._known) > self._limit:
            self._known.popitem(last=False)
            self.forgotten += 1

    def name(self, address: bytes, cgroup: int, began: int, last: int) -> str | None:
        """Of a flow of ``cgroup`` that began and was last seen then."""
        told = self._known.get(address)
        if told is None:
            return None
        own = told.get(cgroup)
        if own is not None:
            return own[0] if own[1] <= last and began <= own[2] else None
        valid = {name for name, since, until in told.values() if since <= last and began <= until}
        return valid.pop() if len(valid) == 1 else None

    def column(
        self, remote: NDArray[np.uint8], cgroups: NDArray[np.uint64], began: NDArray[np.int64], last: NDArray[np.int64]
    ) -> pa.Array:
        """The name of each row, null where none is known.  ``remote`` has shape (n, 16)."""
        if not self._known:
            return pa.nulls(len(remote), pa.string())
        addresses = np.ascontiguousarray(remote).view("V16").ravel().tolist()
        facts = zip(addresses, cgroups.tolist(), began.tolist(), last.tolist(), strict=True)
        return pa.array([self.name(*each) for each in facts], pa.string())
