"""TCP connections when they end: whose they were, how long they lasted, how much they carried (as tcplife)."""

from beespace import Event, LruHash, Program, Ring, Struct, bpf, btf_tracepoint
from beespace.kernel import tcp_sock
from beespace.types import Address, Duration, Pid, Port, Text, Timestamp, text, u64

IPPROTO_TCP, AF_INET = 6, 2
ESTABLISHED, SYN_SENT, CLOSE = 1, 2, 7


class Owner(Struct):
    born: Timestamp
    pid: Pid
    port: Port
    comm: Text = text(16)


class Life(Event):
    pid: Pid
    comm: Text = text(16)
    local: Address
    local_port: Port
    remote: Address
    remote_port: Port
    sent: u64  # bytes that the other side has acknowledged
    received: u64
    lasted: Duration


class ConnectionLives(Program):
    """Prints each connection that ends; what was accepted belongs to whoever ran when it was made."""

    owners = LruHash(key=u64, value=Owner)
    lives = Ring(Life)

    @btf_tracepoint("inet_sock_set_state")
    def on_state(self, sk, old, new):
        if sk.sk_protocol != IPPROTO_TCP:
            return
        common = sk.__sk_common
        key = u64(sk)
        if new == SYN_SENT or (new == ESTABLISHED and key not in self.owners):
            self.owners[key] = Owner(born=bpf.now(), pid=bpf.pid(), comm=bpf.comm())
        owner = self.owners.get(key)
        if owner is None:
            return
        if common.skc_num != 0:
            owner.port = common.skc_num  # which is gone when the socket closes
        if new != CLOSE:
            return
        local = bpf.v4(common.skc_rcv_saddr)
        remote = bpf.v4(common.skc_daddr)
        if common.skc_family != AF_INET:
            local = common.skc_v6_rcv_saddr
            remote = common.skc_v6_daddr
        tcp = bpf.cast(sk, tcp_sock)
        self.lives.emit(
            Life(
                pid=owner.pid, comm=owner.comm, local=local, local_port=owner.port, remote=remote,
                remote_port=common.skc_dport, sent=tcp.bytes_acked, received=tcp.bytes_received,
                lasted=bpf.now() - owner.born,
            )
        )  # fmt: skip
        del self.owners[key]


if __name__ == "__main__":
    with ConnectionLives() as probe:
        for event in probe.lives:
            print(
                f"{event.pid:<8} {event.comm:16} {event.local}:{event.local_port} {event.remote}:{event.remote_port}"
                f" {event.sent} {event.received} {event.lasted // 1_000_000} ms"
            )
