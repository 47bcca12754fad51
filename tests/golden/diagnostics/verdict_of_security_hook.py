from beespace.lang import Program, lsm


class Probe(Program):
    @lsm("file_open")
    def on_open(self, file):
        return 13
