"""Which devices the processes of a cgroup may use: character devices of memory (null, zero, random) alone."""

from beespace import Counter, Program
from beespace.lang import cgroup_device


class Devices(Program):
    """Allows the devices of major number 1."""

    refused = Counter()

    @cgroup_device
    def on_access(self, ctx):
        if (ctx.access_type & 0xFFFF) == 2 and ctx.major == 1:
            return 1
        self.refused += 1
        return 0


if __name__ == "__main__":
    import sys
    import time

    with Devices().start(cgroup=sys.argv[1]) as probe:
        time.sleep(60)
        print("refused:", probe.refused.value)
