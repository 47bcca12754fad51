"""Every change of state of every TCP connection (as tcpstates)."""

from beespace import Event, Hash, Program, Ring, bpf, tracepoint
from beespace.types import Address, Duration, Port, Timestamp, u8, u64

STATES = (
    "", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT",
    "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV", "BOUND_INACTIVE",
)  # fmt: skip
IPPROTO_TCP = 6


class Change(Event):
    time: Timestamp
    lasted: Duration  # in the old state; 0 if its begin was not seen
    old: u8
    new: u8
    port: Port
    remote_port: Port
    address: Address
    remote_address: Address


class TcpStates(Program):
    """Prints changes of state of TCP connections."""

    since = Hash(key=u64, value=u64)  # of each socket: when it came into its state
    changes = Ring(Change)

    @tracepoint("sock:inet_sock_set_state")
    def on_change(self, ctx):
        if ctx.protocol != IPPROTO_TCP:
            return
        socket = u64(ctx.skaddr)
        now = bpf.now()
        before = self.since.get(socket)
        lasted: u64 = 0
        if before is not None:
            lasted = now - before
        self.changes.emit(
            Change(time=now, lasted=lasted, old=u8(ctx.oldstate), new=u8(ctx.newstate), port=ctx.sport,
                   remote_port=ctx.dport, address=ctx.saddr_v6, remote_address=ctx.daddr_v6)
        )  # fmt: skip
        if ctx.newstate == 7:  # closed
            del self.since[socket]
        else:
            self.since[socket] = now


if __name__ == "__main__":
    with TcpStates() as probe:
        for event in probe.changes:
            here, there = f"{event.address}:{event.port}", f"{event.remote_address}:{event.remote_port}"
            change = f"{STATES[event.old]} -> {STATES[event.new]}"
            print(f"{here:30} {there:30} {change:30} {event.lasted / 1e6:10.3f} ms")
