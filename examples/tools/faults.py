"""Page faults of user programs, counted by process (as faults)."""

import time

from beespace import Program, bpf, btf_tracepoint
from beespace.lang import LruHash
from beespace.types import text, u64


class Faults(Program):
    """Counts page faults."""

    faults = LruHash(key=text(16), value=u64)

    @btf_tracepoint("page_fault_user")
    def on_fault(self, ctx):
        self.faults[bpf.comm()] += 1


if __name__ == "__main__":
    with Faults() as probe:
        time.sleep(5)
        for comm, count in sorted(probe.faults.items(), key=lambda item: -item[1]):
            print(f"{comm:16} {count}")
