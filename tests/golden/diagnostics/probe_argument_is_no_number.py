from beespace.lang import Program, uprobe
from beespace.types import Text


class Probe(Program):
    @uprobe("libc:getenv")
    def on_getenv(self, name: Text):
        x = name
