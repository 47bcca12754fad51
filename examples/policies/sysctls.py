"""Which sysctls the processes of a cgroup read and write; writing is refused."""

from beespace import Event, Program, Ring, bpf
from beespace.lang import cgroup_sysctl
from beespace.types import Text, boolean, text


class Access(Event):
    write: boolean
    name: Text = text(64)


class Sysctls(Program):
    """Refuses every write to a sysctl."""

    accesses = Ring(Access)

    @cgroup_sysctl
    def on_access(self, ctx):
        name = text(64)
        bpf.sysctl_get_name(ctx, name, 0)
        self.accesses.emit(Access(write=ctx.write != 0, name=name))
        return ctx.write == 0


if __name__ == "__main__":
    import sys

    with Sysctls().start(cgroup=sys.argv[1]) as probe:
        for event in probe.accesses:
            print("write" if event.write else "read", event.name)
