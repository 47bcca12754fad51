"""Files below a folder that may be read and not be written, and who tries (as file monitoring of Tetragon)."""

from beespace import Event, Program, Ring, bpf
from beespace.lang import exists, lsm, option
from beespace.types import Pid, Text, text

FMODE_WRITE = 2
EPERM = 1


class Write(Event):
    pid: Pid
    comm: Text = text(16)
    executable: Text = text(256)
    path: Text = text(256)


class Writes(Program):
    """Reports files below ``prefix`` that are opened for writing; ``deny`` forbids that."""

    prefix: Text = option(text(64), "/etc/", help="what the paths begin with")
    deny: bool = False
    writes = Ring(Write)

    @lsm("file_open")
    def on_open(self, file):
        if file.f_mode & FMODE_WRITE == 0:
            return 0
        path = text(256)
        path = bpf.path(file.f_path)
        if not path.startswith(self.prefix):
            return 0
        executable = text(256)
        if exists(bpf.get_task_exe_file):  # Linux 6.12
            with bpf.get_task_exe_file(bpf.task()) as image:
                if image is not None:
                    executable = bpf.path(image.f_path)
        self.writes.emit(Write(pid=bpf.pid(), comm=bpf.comm(), executable=executable, path=path))
        return -EPERM if self.deny else 0


if __name__ == "__main__":
    import sys

    with Writes(prefix=sys.argv[1], deny=True) as probe:
        for event in probe.writes:
            print(f"{event.pid:<8} {event.comm:16} {event.executable} -> {event.path}")
