from beespace.lang import Counter, Program, fentry, kprobe


class Probe(Program):
    bytes = Counter()

    @fentry("vfs_raed").otherwise(kprobe("vfs_reed"))
    def on_read(self, file, buf, count):
        self.bytes += count
        return file.f_inode.i_ino
