from beespace.lang import Program, bpf, raw_tracepoint


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        name = bpf.comm()
        tail = name[-3:]
        part = name[: bpf.pid()]
        every = name[::2]
        first = name[0]
        both = name + "/"
        upper = name.upper()
        found = bpf.pid() in name
