"""All TCP sockets of this network namespace, from an iterator (as ss -t)."""

from beespace import Hash, Program, iterator
from beespace.types import u8, u64


class Sockets(Program):
    """Counts TCP sockets by state."""

    states = Hash(key=u8, value=u64)

    @iterator("tcp")
    def on_socket(self, ctx):
        socket = ctx.sk_common
        if socket is not None:
            self.states[socket.skc_state] += 1


if __name__ == "__main__":
    with Sockets() as probe:
        probe.iterate("on_socket")
        for state, count in probe.states.items():
            print(state, count)
