"""Which sysctls the processes of a cgroup read and write; writing is refused."""

from beespace import Event, Program, Ring, bpf
from beespace.lang import cgroup_sysctl
from beespace.types import Pid, Text, boolean, text


class Access(Event):
    pid: Pid
    write: boolean
    comm: Text = text(16)


class Sysctls(Program):
    """Refuses every write to a sysctl."""

    accesses = Ring(Access)

    @cgroup_sysctl
    def on_access(self, ctx):
        self.accesses.emit(Access(pid=bpf.pid(), write=ctx.write != 0, comm=bpf.comm()))
        return ctx.write == 0


if __name__ == "__main__":
    import sys

    with Sysctls().start(cgroup=sys.argv[1]) as probe:
        for event in probe.accesses:
            print(event.pid, event.comm, "writes" if event.write else "reads")
