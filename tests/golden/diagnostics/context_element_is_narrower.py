from beespace.lang import Program, bpf, cgroup_sock_addr


class Probe(Program):
    @cgroup_sock_addr("connect6")
    def on_event(self, ctx):
        ctx.user_ip6[3] = bpf.now()
        return True
