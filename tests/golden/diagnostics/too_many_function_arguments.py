from beespace.lang import Program, fexit


class Probe(Program):
    @fexit("vfs_read")
    def on_read(self, file, buf, count, pos, flags, result):
        x = flags
