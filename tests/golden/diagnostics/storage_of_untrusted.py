from beespace.lang import Program, SocketStorage, Struct, raw_tracepoint
from beespace.types import u16, u32


class Key(Struct):
    pid: u32
    port: u16


class Probe(Program):
    owners = SocketStorage(Key)

    @raw_tracepoint("sock_send_length")
    def on_event(self, sk):
        owner = self.owners.get(sk)
