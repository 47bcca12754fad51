"""A service address that stands for another: connect() is sent elsewhere, getpeername() still shows the service."""

from beespace import Hash, Program, Struct
from beespace.lang import SocketStorage, cgroup_sock_addr
from beespace.types import Port, u32


class Service(Struct):
    address: u32
    port: Port
    padding: Port = 0


class Services(Program):
    """Connections of a cgroup to a service go to its back-end."""

    services = Hash(key=Service, value=Service)
    chosen = SocketStorage(Service)

    @cgroup_sock_addr("connect4")
    def on_connect(self, ctx):
        wanted = Service(address=ctx.user_ip4, port=ctx.user_port)
        backend = self.services.get(wanted)
        if backend is None:
            return
        kept = self.chosen.get_or_create(ctx.sk)
        if kept is not None:
            kept.address = wanted.address
            kept.port = wanted.port
        ctx.user_ip4 = backend.address
        ctx.user_port = backend.port

    @cgroup_sock_addr("getpeername4")
    def on_name(self, ctx):
        kept = self.chosen.get(ctx.sk)
        if kept is not None:
            ctx.user_ip4 = kept.address
            ctx.user_port = kept.port


if __name__ == "__main__":
    import sys
    import time

    with Services().start(cgroup=sys.argv[1]) as probe:
        probe.services[Service(address=0x0A000001, port=80)] = Service(address=0x7F000001, port=8080)
        time.sleep(3600)
