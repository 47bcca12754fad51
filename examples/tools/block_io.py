"""How long disks take to answer, by operation (as biolatency)."""

import time

from beespace import Hash, Histogram, Program, bpf, btf_tracepoint
from beespace.types import u8, u32, u64

OPERATIONS = {0: "read", 1: "write", 2: "flush", 3: "discard", 9: "write zeroes"}  # enum req_op


class BlockIo(Program):
    """A histogram of the time between issue and completion for each operation."""

    issued = Hash(key=u64, value=u64)
    latency = Histogram(key=u8, unit="us")

    @btf_tracepoint("block_rq_issue")
    def on_issue(self, request):
        self.issued[u64(request)] = bpf.now()

    @btf_tracepoint("block_rq_complete")
    def on_complete(self, request):
        issued = self.issued.pop(u64(request))
        if issued is not None:
            self.latency[u8(u32(request.cmd_flags) & 0xFF)].add((bpf.now() - issued) // 1000)


if __name__ == "__main__":
    with BlockIo() as probe:
        time.sleep(5)
        probe.latency.show()
