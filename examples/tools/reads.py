"""Bytes read from and written to files, by process (as filetop), through vfs_read() and vfs_write()."""

import time

from beespace import Hash, Program, Struct, bpf, fentry, kprobe
from beespace.lang import fexit, kretprobe
from beespace.types import Pid, i64, u64


class Traffic(Struct):
    reads: u64
    writes: u64
    read_bytes: u64


class Files(Program):
    """Counts calls of vfs_read() and vfs_write(), and what the former gave."""

    traffic = Hash(key=Pid, value=Traffic)

    @fentry("vfs_write").otherwise(kprobe("vfs_write"))
    def on_write(self, file, buf, count):
        traffic = self.traffic.get_or_create(bpf.pid())
        if traffic is not None:
            traffic.writes += 1

    @fexit("vfs_read").otherwise(kretprobe("vfs_read"))
    def on_read(self, ctx):
        traffic = self.traffic.get_or_create(bpf.pid())
        if traffic is not None:
            traffic.reads += 1
            if ctx.result > 0:
                traffic.read_bytes += u64(i64(ctx.result))


if __name__ == "__main__":
    with Files() as probe:
        print(probe.explain())
        time.sleep(5)
        for pid, traffic in sorted(probe.traffic.items(), key=lambda item: -item[1].read_bytes)[:20]:
            print(f"{pid:<8} {traffic.reads:8} reads {traffic.read_bytes:12} bytes {traffic.writes:8} writes")
