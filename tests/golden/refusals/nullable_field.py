from beespace.lang import Counter, Program, btf_tracepoint


class Probe(Program):
    total = Counter()

    @btf_tracepoint("tcp_send_reset")
    def on_reset(self, sk, skb, reason):
        if sk.sk_protocol == 6:
            self.total += 1
