"""Files whose attributes programs ask for, by their full path (as statsnoop), where the kernel decides about it."""

from beespace import Event, Program, Ring, bpf, fentry
from beespace.lang import option
from beespace.types import Pid, Text, text, u64


class Question(Event):
    pid: Pid
    comm: Text = text(16)
    size: u64
    path: Text = text(256)


class Attributes(Program):
    """Prints each stat() of a file below ``prefix``."""

    prefix: Text = option(text(64), "", help="what the paths begin with")
    questions = Ring(Question)

    @fentry("security_inode_getattr")
    def on_question(self, path):
        inode = path.dentry.d_inode
        if inode is None:
            return
        name = text(256)
        name = bpf.path(path)
        if name.startswith(self.prefix):
            self.questions.emit(Question(pid=bpf.pid(), comm=bpf.comm(), size=u64(inode.i_size), path=name))


if __name__ == "__main__":
    with Attributes() as probe:
        for event in probe.questions:
            print(f"{event.pid:<8} {event.comm:16} {event.size:>10} {event.path}")
