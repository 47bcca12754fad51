"""Files that are closed after writing, by their full path (fexit on filp_close)."""

from beespace import Event, Program, Ring, bpf
from beespace.lang import fexit, option
from beespace.types import Pid, Text, text, u64

FMODE_WRITE = 2


class Close(Event):
    pid: Pid
    comm: Text = text(16)
    size: u64
    path: Text = text(256)


class Closes(Program):
    """Prints each file below ``prefix`` that was open for writing."""

    prefix: Text = option(text(64), "", help="what the paths begin with")
    closes = Ring(Close)

    @fexit("filp_close")
    def on_close(self, filp):
        if filp.f_mode & FMODE_WRITE == 0:
            return
        path = text(256)
        path = bpf.path(filp.f_path)
        if path.startswith(self.prefix):
            self.closes.emit(Close(pid=bpf.pid(), comm=bpf.comm(), size=u64(filp.f_inode.i_size), path=path))


if __name__ == "__main__":
    with Closes() as probe:
        for event in probe.closes:
            print(f"{event.pid:<8} {event.comm:16} {event.size:>10} {event.path}")
