"""A helper that may sleep, while nothing else may run here."""

from beespace.lang import Counter, Program, Struct, bpf, syscall
from beespace.types import u64


class Item(Struct):
    a: u64


class Probe(Program):
    total = Counter()

    @syscall
    def on_call(self, ctx):
        item = Item()
        with bpf.preempt_disabled():
            bpf.copy_from_user(item, 0)
        self.total += item.a
