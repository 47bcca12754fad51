"""Lines that are typed into interactive shells (as bashreadline)."""

from beespace import Event, Program, Ring, bpf
from beespace.lang import uretprobe
from beespace.types import Pid, Text, text, u64


class Line(Event):
    pid: Pid
    line: Text = text(128)


class Commands(Program):
    """Prints what readline() of bash returns."""

    lines = Ring(Line)

    @uretprobe("/bin/bash:readline")
    def on_line(self, result: u64):
        if result != 0:
            self.lines.emit(Line(pid=bpf.pid(), line=bpf.user_text(result)))


if __name__ == "__main__":
    with Commands() as probe:
        for event in probe.lines:
            print(event.pid, event.line)
