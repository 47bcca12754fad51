from enum import IntEnum

from beespace.lang import Program, raw_tracepoint


class Role(IntEnum):
    CLIENT = 1


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        x = Role.CLINT
