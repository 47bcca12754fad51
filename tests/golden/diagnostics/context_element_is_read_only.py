from beespace.lang import Program, sockops


class Probe(Program):
    @sockops
    def on_event(self, ctx):
        ctx.remote_ip6[0] = 5
