from beespace.lang import Program, btf_tracepoint


class Probe(Program):
    @btf_tracepoint("sock_send_length")
    def on_event(self, sk):
        pages = sk.__sk_common.skc_prot.memory_allocated.counter
