"""A result that
no program may
change."""

from beespace.lang import Counter, Program, fmod_ret


class Probe(Program):
    total = Counter()

    @fmod_ret("vfs_read")
    def on_read(self, ctx):
        self.total += 1
        return 0
