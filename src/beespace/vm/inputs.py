"""What a program learns from outside of its memory: everything that differs from run to run on a real machine."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from beespace.record import dataclass

__all__ = ["Inputs"]


@dataclass(slots=True)
class Inputs:
    """Set them before a run, or between runs; nothing else is ever asked.

    ``time`` is nanoseconds since boot (``bpf_ktime_get_ns``), and goes on by ``tick`` each time somebody
    looks; ``slept`` is what of the time since boot the machine was suspended, ``epoch`` the wall clock at boot, both
    in nanoseconds.  ``seed`` begins the row of random numbers.  ``cpu`` is where programs run, one of ``cpus``.
    ``tgid`` is what user space calls a process id, ``pid`` a thread's; ``cgroup`` the cgroup v2's id,
    ``netns`` the cookie of the network namespace, ``cookie`` what programs were attached with.  ``kernel_stack`` and
    ``user_stack`` are addresses, the innermost first, that ``bpf_get_stackid`` and ``bpf_get_stack`` find.
    """

    time: int = 1_000_000_000
    tick: int = 0
    slept: int = 0
    epoch: int = 1_700_000_000_000_000_000
    seed: int = 0
    cpu: int = 0
    cpus: int = 4
    numa_node: int = 0
    pid: int = 1000
    tgid: int = 1000
    uid: int = 1000
    gid: int = 1000
    comm: str = "program"
    cgroup: int = 1
    netns: int = 1
    cookie: int = 0
    kernel_stack: Sequence[int] = ()
    user_stack: Sequence[int] = ()
    _random: Random | None = None

    def now(self) -> int:
        """The time, and it goes on."""
        time = self.time
        self.time += self.tick
        return time

    def random(self) -> int:
        """The next number, 32 bits."""
        if self._random is None:
            self._random = Random(self.seed)
        return self._random.getrandbits(32)
