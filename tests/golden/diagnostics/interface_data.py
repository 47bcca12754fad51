from beespace.lang import StructOps, struct_ops


class Probe(StructOps, implements="tcp_congestion_ops"):
    nam = "bee_golden"
    flags = 1 << 40
    name = "a_name_that_is_too_long"

    @struct_ops
    def ssthresh(self, sk):
        return 2
