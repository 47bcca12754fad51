from beespace.lang import Program, Struct, bpf, raw_tracepoint
from beespace.types import Raw, Text, raw, text


class Mac(Struct):
    data: Raw = raw(6)


class Short(Struct):
    name: Text = text(4)


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        name = bpf.comm()
        mac = Mac()
        tail = mac.data[-3:]
        part = mac.data[: bpf.cpu()]
        short = Short(name=name[bpf.cpu() :])
        cut = Short(name=name[2:])
        open = bpf.kernel_text(bpf.now())[bpf.cpu() :]
        every = name[::2]
        first = name[0]
        both = name + "/"
        upper = name.upper()
        found = bpf.pid() in name
