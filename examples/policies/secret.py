"""A file name that only root may open: a security policy."""

from beespace import Counter, Program, bpf
from beespace.lang import lsm
from beespace.types import text

EPERM = 1


class Secret(Program):
    """Refuses to open files of that name to everybody but root."""

    denied = Counter()

    @lsm("file_open")
    def on_open(self, file):
        name = text(16)
        name = bpf.kernel_text(file.f_path.dentry.d_name.name)
        if name == "bee-secret" and bpf.uid() != 0:
            self.denied += 1
            return -EPERM
        return 0


if __name__ == "__main__":
    import time

    with Secret() as probe:
        time.sleep(60)
        print("denied:", probe.denied.value)
