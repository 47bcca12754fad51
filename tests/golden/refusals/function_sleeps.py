"""A function that may sleep, in a program that may not."""

from beespace.lang import Counter, Program, Struct, bpf, raw_tracepoint
from beespace.types import Text, text, u64


class Item(Struct):
    a: u64
    name: Text = text(16)


class Probe(Program):
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        item = Item()
        bpf.copy_from_user_str(item, 0)
        self.total += item.a
