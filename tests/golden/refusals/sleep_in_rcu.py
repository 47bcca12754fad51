"""A helper that may sleep, in an RCU section."""

from beespace.lang import Counter, Program, Struct, bpf, fentry
from beespace.types import u64


class Item(Struct):
    a: u64


class Probe(Program):
    total = Counter()

    @fentry("bpf_lsm_file_open", sleepable=True)
    def on_open(self, ctx):
        item = Item()
        with bpf.rcu():
            bpf.copy_from_user(item, 0)
        self.total += item.a
