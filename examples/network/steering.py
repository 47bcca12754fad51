"""Connections to any port of a range reach one listening socket (sk_lookup)."""

from beespace import Counter, Program
from beespace.lang import SockMap, sk_lookup
from beespace.lang.verdicts import SK_PASS
from beespace.types import Port


class Steering(Program):
    """Sends connections to ports first..last to the socket in ``listeners[0]``."""

    first: Port = 7000
    last: Port = 7999
    listeners = SockMap(1)
    steered = Counter()

    @sk_lookup
    def on_lookup(self, ctx):
        if self.first <= ctx.local_port <= self.last and self.listeners.assign(ctx, 0):
            self.steered += 1
        return SK_PASS


if __name__ == "__main__":
    import socket

    with socket.create_server(("127.0.0.1", 8080)) as server, Steering() as probe:
        probe.listeners[0] = server
        connection, peer = server.accept()
        print(peer, "came to", connection.getsockname())
