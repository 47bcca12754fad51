from beespace.lang import StructOps, struct_ops


class Probe(StructOps, implements="tcp_congestion_ops"):
    name = "bee_golden"

    @struct_ops
    def ssthresh(self, sk):
        if sk.snd_cwnd > 4:
            return sk.snd_cwnd >> 1

    @struct_ops
    def cong_avoid(self, sk, ack, acked):
        return acked

    @struct_ops
    def undo_cwnd(self, sk):
        return -1
