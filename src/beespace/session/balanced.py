"""What a client called where a program of its cgroup gave the connection another address (socket load balancing).

Packets and the kernel's socket have the back-end's address alone.  Who asks the socket by its own descriptor is told
the Service (``getpeername``), because a balancer attaches a program for that, too.  So where there is one, each new
connection of a client is asked for once, as long as its process has it open, for ``budget_s`` of CPU time an interval
at most.
"""

from __future__ import annotations

import errno
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from beespace.errors import BeespaceError, KernelError
from beespace.lang.packet import IPPROTO_TCP, IPPROTO_UDP
from beespace.probes.flows import FlowKey, Role
from beespace.session.nat import Called
from beespace.stream import keys_of
from beespace.syscall import bpf
from beespace.syscall.descriptor import Descriptor
from beespace.syscall.mounts import cgroup2_root
from beespace.syscall.peers import Peer, peers

__all__ = ["Balanced"]

Records: TypeAlias = "NDArray[np.void]"
Ask: TypeAlias = Callable[[int, Container[int], float], tuple[Mapping[int, Peer | None], bool]]
GETPEERNAME = (29, 30)  # BPF_CGROUP_INET4_GETPEERNAME, BPF_CGROUP_INET6_GETPEERNAME (include/uapi/linux/bpf.h)
EFFECTIVE = 1  # BPF_F_QUERY_EFFECTIVE
LOOK_S = 10.0  # how often it is looked for a balancer
REMEMBERED = 200_000
PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
Key: TypeAlias = tuple[bytes, int]  # of the flow, and its cookie: a datagram socket may be connected anew


def balancer(cgroup: Path | None) -> bool:
    """Whether programs say who the peer is of sockets in ``cgroup`` (None: the root)."""
    try:
        root = Descriptor(os.open(cgroup, os.O_RDONLY | os.O_CLOEXEC)) if cgroup is not None else cgroup2_root()
    except (OSError, BeespaceError):
        return False
    with root:
        return any(_attached(root, kind) for kind in GETPEERNAME)


def _attached(cgroup: Descriptor, kind: int) -> bool:
    try:
        return bool(bpf.prog_query(kind, target_fd=cgroup, query_flags=EFFECTIVE).prog_ids)
    except KernelError:
        return False  # no such hook before Linux 5.8


class Balanced:
    """Fills in what was called.  ``present`` tells whether there is a balancer; without one nobody is asked."""

    def __init__(
        self,
        present: Callable[[], bool],
        *,
        ask: Ask = peers,
        budget_s: float = 0.02,
        clock: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        self._present = present
        self._ask = ask
        self._budget_s = budget_s
        self._clock = clock
        self._due = 0.0
        self._there = False
        self._spent = spent
        # Or the process that does not have it: a socket that is handed over is its next owner's.
        self._known: OrderedDict[Key, Peer | int] = OrderedDict()
        self._answered = False
        self.note: str | None = None
        self.deferred = 0

    def fill(self, rows: Records, called: Called) -> None:
        """Put the Service's address and port into ``called`` where a row's client called another than its peer."""
        if self.note is not None or not len(rows):
            return
        if self._clock() >= self._due:
            self._there, self._due = self._present(), self._clock() + LOOK_S
        if not self._there:
            return
        ours = (rows["role"] == Role.CLIENT) & (rows["owned"] != 0) & (rows["cookie"] != 0)
        ours &= np.isin(rows["protocol"], (IPPROTO_TCP, IPPROTO_UDP)) & (called.ports == 0) & (rows["remote_port"] != 0)
        places = np.flatnonzero(ours)
        these = rows[places]
        keys = list(zip(keys_of(these, FlowKey.layout), these["cookie"].tolist(), strict=True))
        self._learn(dict(zip(keys, these["pid"].tolist(), strict=True)))
        for row, key in zip(places.tolist(), keys, strict=True):
            peer = self._known.get(key)
            if not isinstance(peer, Peer) or peer == (bytes(rows["remote"][row]), int(rows["remote_port"][row])):
                continue
            called.addresses[row] = np.frombuffer(peer.address, np.uint8)
            called.ports[row] = peer.port

    def _learn(self, owners: Mapping[Key, int]) -> None:
        wanted: dict[int, list[Key]] = {}
        for key, pid in owners.items():
            known = self._known.get(key)
            if isinstance(known, Peer) or known == pid:
                self._known.move_to_end(key)
            else:
                wanted.setdefault(pid, []).append(key)
        until = self._spent() + self._budget_s
        for pid, keys in wanted.items():
            found, all_seen = self._ask_process(pid, {cookie for _, cookie in keys}, until)
            for key in keys:
                peer = found.get(key[1])
                if peer is not None:
                    self._known[key] = peer
                elif all_seen and key[1] not in found:  # nobody can ask for what it does not have any more
                    self._known[key] = pid
                elif not all_seen:
                    self.deferred += 1
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _ask_process(self, pid: int, cookies: Container[int], until: float) -> tuple[Mapping[int, Peer | None], bool]:
        if self.note is not None or self._spent() > until:
            return {}, False
        try:
            found, all_seen = self._ask(pid, cookies, until)
        except KernelError as error:
            if error.errno in PASSING:
                return {}, False
            if not self._answered:
                self.note = f"what clients called is not known where their cgroup's programs balance: {error}"
            return {}, True  # others could be asked: it is this process that may not be looked at
        self._answered |= bool(found)
        return found, all_seen
