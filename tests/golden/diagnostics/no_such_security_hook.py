from beespace.lang import Program, lsm


class Probe(Program):
    @lsm("file_opne")
    def on_open(self, file):
        return 0 if file.f_inode is not None else -1
