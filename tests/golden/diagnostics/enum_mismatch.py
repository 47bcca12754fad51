from enum import IntEnum, IntFlag

from beespace import Hash, Program, Struct
from beespace.lang import raw_tracepoint
from beespace.types import u64


class State(IntEnum):
    OPEN = 1
    CLOSED = 2


class Colour(IntEnum):
    RED = 1


class Access(IntFlag):
    READ = 1
    WRITE = 2


class Key(Struct):
    state: State
    access: Access


class Probe(Program):
    seen = Hash(key=Key, value=u64)

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        key = Key(state=State.OPEN, access=Access.READ | Access.WRITE)
        key.state = Colour.RED
        key.state = 7
        key.access = 4
        if key.state == Colour.RED:
            return
        self.seen[key] += 1
