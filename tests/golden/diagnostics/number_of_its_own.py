from enum import IntEnum

from beespace.lang import Array, Program, raw_tracepoint
from beespace.types import u64


class Level(IntEnum):
    LOW = 1

    def __add__(self, other: int) -> int:
        return 99


class Probe(Program):
    results = Array(u64, 4)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.results[0] = Level.LOW + 1
