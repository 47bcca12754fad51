"""Names that programs look up, and how long it takes: getaddrinfo() of the C library (as gethostlatency)."""

from beespace import Event, Hash, Program, Ring, Struct, bpf, uprobe
from beespace.lang import uretprobe
from beespace.types import Duration, Pid, Text, Tid, i32, text, u64


class Asked(Struct):
    time: u64
    name: u64


class Lookup(Event):
    pid: Pid
    comm: Text = text(16)
    took: Duration
    result: i32
    name: Text = text(128)


class Names(Program):
    """Prints every name that is looked up."""

    asked = Hash(key=Tid, value=Asked)
    lookups = Ring(Lookup)

    @uprobe("libc.so.6:getaddrinfo")
    def on_entry(self, name: u64):
        self.asked[bpf.tid()] = Asked(time=bpf.now(), name=name)

    @uretprobe("libc.so.6:getaddrinfo")
    def on_return(self, result: i32):
        asked = self.asked.get(bpf.tid())
        if asked is not None:
            self.lookups.emit(
                Lookup(pid=bpf.pid(), comm=bpf.comm(), took=bpf.now() - asked.time, result=result,
                       name=bpf.user_text(asked.name))
            )  # fmt: skip
            del self.asked[bpf.tid()]


if __name__ == "__main__":
    with Names() as probe:
        for event in probe.lookups:
            print(f"{event.pid:<8} {event.comm:16} {event.took / 1e6:10.3f} ms {event.name}")
