from beespace.lang import Program, bpf, netfilter, raw_tracepoint
from beespace.lang.packet import IPv4


class Probe(Program):
    @netfilter("local_in")
    def on_packet(self, ctx):
        header = IPv4()
        bpf.store_bytes(ctx, header, 0)
        found = bpf.load_bytes(ctx, IPv4, 0)
        return 1 if found is not None and bpf.packet_length(ctx) > 20 else 0

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        bpf.packet_bytes(task, 0, 4)
