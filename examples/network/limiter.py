"""Packets of a cgroup, so many a second: a token bucket under a lock, which a timer fills."""

from beespace import Array, Counter, Program, Struct, cgroup_skb, function
from beespace.types import SpinLock, Timer, spin_lock, timer, u32, u64

SECOND = 1_000_000_000


class Bucket(Struct):
    lock: SpinLock = spin_lock()
    filling: u32
    timer: Timer = timer()
    tokens: u64


class Limiter(Program):
    """Lets ``rate`` packets a second out of a cgroup, and drops the others."""

    rate: u32 = 100
    buckets = Array(Bucket, 1)
    dropped = Counter()

    @cgroup_skb("egress")
    def on_packet(self, ctx):
        bucket = self.buckets[0]
        first = False
        passes = False
        with bucket.lock:
            if bucket.filling == 0:
                bucket.filling = 1
                bucket.tokens = self.rate
                first = True
            if bucket.tokens > 0:
                bucket.tokens = bucket.tokens - 1
                passes = True
        if first:
            bucket.timer.start(self.fill, SECOND)
        if not passes:
            self.dropped += 1
        return passes

    @function
    def fill(self, index: u32, bucket: Bucket):
        again = self.buckets[0]  # kernels before 6.2 do not follow locks of what a callback is given
        with again.lock:
            again.tokens = self.rate
        bucket.timer.start(self.fill, SECOND)


if __name__ == "__main__":
    import sys
    import time

    with Limiter(rate=int(sys.argv[2])).start(cgroup=sys.argv[1]) as probe:
        time.sleep(60)
        print("dropped:", probe.dropped.value)
