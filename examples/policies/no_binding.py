"""Ports that the processes of a cgroup may not listen on."""

from beespace import Counter, Program
from beespace.lang import cgroup_sock_addr
from beespace.types import Port


class NoBinding(Program):
    """Refuses bind() to ports below a limit."""

    limit: Port = 1024
    refused = Counter()

    @cgroup_sock_addr("bind4")
    def on_bind4(self, ctx):
        if 0 < ctx.user_port < self.limit:
            self.refused += 1
            return 0
        return 1

    @cgroup_sock_addr("bind6")
    def on_bind6(self, ctx):
        if 0 < ctx.user_port < self.limit:
            self.refused += 1
            return 0
        return 1


if __name__ == "__main__":
    import sys
    import time

    with NoBinding().start(cgroup=sys.argv[1]) as probe:
        time.sleep(60)
        print("refused:", probe.refused.value)
