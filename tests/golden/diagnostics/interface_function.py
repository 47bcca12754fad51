from beespace.lang import StructOps, struct_ops


class Probe(StructOps, implements="tcp_congestion_ops"):
    name = "bee_golden"

    @struct_ops
    def ssthreshold(self, sk):
        return 2
