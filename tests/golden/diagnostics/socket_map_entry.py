from beespace.lang import Program, SockMap, bpf, tc


class Probe(Program):
    sockets = SockMap(4)

    @tc("ingress")
    def on_packet(self, ctx):
        self.sockets[0] = ctx.len
        socket = self.sockets.get(0)
        with self.sockets.get(1) as socket:
            self.sockets[2] = socket
