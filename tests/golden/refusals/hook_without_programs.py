"""A security hook
that kernels keep
from programs."""

from beespace.lang import Counter, Program, lsm


class Probe(Program):
    total = Counter()

    @lsm("inode_need_killpriv")
    def on_event(self, ctx):
        self.total += 1
        return 0
