from beespace.lang import Program, bpf, cgroup_sock_addr


class Probe(Program):
    @cgroup_sock_addr("connect6")
    def on_event(self, ctx):
        ctx.user_ip6[bpf.random() % 4] = 1
        return True
