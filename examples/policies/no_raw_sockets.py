"""Processes of a cgroup that may not make raw sockets: a security hook for one cgroup."""

from beespace import Counter, Program
from beespace.lang import lsm_cgroup

SOCK_RAW = 3


class NoRawSockets(Program):
    """Refuses socket(..., SOCK_RAW, ...)."""

    refused = Counter()

    @lsm_cgroup("socket_create")
    def on_create(self, family, type, protocol, kern):
        if type == SOCK_RAW and kern == 0:
            self.refused += 1
            return False
        return True


if __name__ == "__main__":
    import sys
    import time

    with NoRawSockets().start(cgroup=sys.argv[1]) as probe:
        time.sleep(60)
        print("refused:", probe.refused.value)
