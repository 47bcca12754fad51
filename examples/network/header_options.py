"""A TCP option of our own: both ends of the connections of a cgroup tell each other a number."""

from beespace import Counter, Hash, Program, Struct, bpf
from beespace.lang import sizeof, sockops, uapi
from beespace.types import be16, be32, i32, u8, u32, u64

EXPERIMENT = 254  # RFC 4727


class Option(Struct):
    kind: u8
    length: u8
    magic: be16
    number: be32


class HeaderOptions(Program):
    """Writes ``number`` into each segment, and counts the numbers that come."""

    number: u32 = 7
    written = Counter()
    heard = Hash(key=u32, value=u64)

    @sockops
    def on_event(self, ctx):
        match ctx.op:
            case uapi.BPF_SOCK_OPS_TCP_CONNECT_CB | uapi.BPF_SOCK_OPS_TCP_LISTEN_CB:
                flags = uapi.BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG | uapi.BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG
                bpf.sock_ops_cb_flags_set(ctx, i32(ctx.bpf_sock_ops_cb_flags) | i32(flags))
            case uapi.BPF_SOCK_OPS_HDR_OPT_LEN_CB:
                bpf.reserve_hdr_opt(ctx, sizeof(Option))
            case uapi.BPF_SOCK_OPS_WRITE_HDR_OPT_CB:
                ours = Option(kind=EXPERIMENT, length=8, magic=0xBEE5, number=self.number)
                if bpf.store_hdr_opt(ctx, ours) == 0:
                    self.written += 1
            case uapi.BPF_SOCK_OPS_PARSE_HDR_OPT_CB:
                theirs = Option(kind=EXPERIMENT, length=4, magic=0xBEE5)  # these four bytes are looked for
                if bpf.load_hdr_opt(ctx, theirs) > 0:
                    self.heard[theirs.number] += 1


if __name__ == "__main__":
    import sys
    import time

    with HeaderOptions().start(cgroup=sys.argv[1]) as probe:
        time.sleep(60)
        print(dict(probe.heard.items()))
