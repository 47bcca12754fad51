from beespace.lang import Hash, Program, Struct, bpf, raw_tracepoint
from beespace.types import u32, u64


class Key(Struct):
    port: u32


class Other(Struct):
    port: u32


class Probe(Program):
    keys = Hash(key=u32, value=Key)
    total = Hash(key=u32, value=u64)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        match self.keys.get(bpf.pid()):
            case None:
                return
            case Key(port=80 | 443) as key:
                key.port = 1
            case Key(port=port) if port > 5:
                self.total[port] += 1
        match bpf.pid():
            case [1, *rest]:
                pass
        match bpf.pid():
            case {"port": 80}:
                pass
        match Key(port=1):
            case Other(port=2):
                pass
        match Key(port=1):
            case Key(2):
                pass
        match bpf.pid():
            case (1 as number) | (2 as number):
                pass
        match bpf.comm():
            case 5:
                pass
