from beespace.lang import Event, Program, Ring, bpf, raw_tracepoint
from beespace.types import Pid, Raw, Text, raw, text


class Said(Event):
    pid: Pid
    line: Text = text(8, variable=True)


class Sent(Event):
    data: Raw = raw(8, variable=True)


class Probe(Program):
    lines = Ring(Said)
    sent = Ring(Sent)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        with self.lines.reserve() as said:
            if said is None:
                return
        kept = Said(pid=bpf.pid(), line="a line")
        if kept.line == "a line":
            self.lines.emit(kept)
        if kept == Said(pid=1):
            self.lines.emit(kept)
        self.lines.emit(Said(line="longer than eight"))
        self.lines.emit(Said(line=b"bytes"))
        self.sent.emit(Sent(data="text"))
        self.sent.emit(Sent(data=bpf.comm()))
