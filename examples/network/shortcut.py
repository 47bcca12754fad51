"""Local TCP connections without the network stack: what one socket sends goes straight into the other's queue."""

from beespace import Counter, Program, Struct
from beespace.lang import SockHash, sk_msg, sockops, uapi
from beespace.types import u32


class Ends(Struct):
    local_address: u32
    remote_address: u32
    local_port: u32
    remote_port: u32


class Shortcut(Program):
    """Joins both ends of the IPv4 connections that begin and end in a cgroup."""

    sockets = SockHash(Ends)
    messages = Counter()

    @sockops
    def on_event(self, ctx):
        if ctx.op == uapi.BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB or ctx.op == uapi.BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
            self.sockets.add(
                ctx,
                Ends(local_address=ctx.local_ip4, remote_address=ctx.remote_ip4, local_port=ctx.local_port,
                     remote_port=ctx.remote_port),
            )  # fmt: skip

    @sk_msg(map="sockets")
    def on_message(self, ctx):
        self.messages += 1
        other = Ends(local_address=ctx.remote_ip4, remote_address=ctx.local_ip4, local_port=ctx.remote_port,
                     remote_port=ctx.local_port)  # fmt: skip
        return self.sockets.redirect(ctx, other, ingress=True)


if __name__ == "__main__":
    import sys
    import time

    with Shortcut().start(cgroup=sys.argv[1]) as probe:
        time.sleep(60)
        print("messages:", probe.messages.value)
