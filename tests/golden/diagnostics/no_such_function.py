from beespace.lang import Program, fentry


class Probe(Program):
    @fentry("vfs_raed")
    def on_read(self, file):
        x = file.f_inode
