"""A program that may
sleep, at a function
where none may."""

from beespace.lang import Counter, Program, fentry


class Probe(Program):
    total = Counter()

    @fentry("vfs_read", sleepable=True)
    def on_read(self, ctx):
        self.total += 1
