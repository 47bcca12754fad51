"""Processes of a user that may not execute programs in /tmp: a security policy."""

from beespace import Counter, Program, bpf
from beespace.lang import lsm
from beespace.types import text, u32

EPERM = 1


class ExecGuard(Program):
    """Refuses executables in /tmp to everybody from a user id on."""

    first_uid: u32 = 1000
    refused = Counter()

    @lsm("bprm_check_security")
    def on_exec(self, bprm):
        path = text(64)
        path = bpf.kernel_text(bprm.filename)
        if bpf.uid() >= self.first_uid and path.startswith("/tmp/"):
            self.refused += 1
            return -EPERM
        return 0


if __name__ == "__main__":
    import time

    with ExecGuard() as probe:
        time.sleep(60)
        print("refused:", probe.refused.value)
