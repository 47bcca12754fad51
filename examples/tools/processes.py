"""How many processes each parent has, by walking all tasks at once (an open-coded iterator, Linux 6.7)."""

from beespace import Hash, Program, bpf
from beespace.lang import syscall
from beespace.types import Pid, u32, u64


class Processes(Program):
    """Counts the children of every process."""

    children = Hash(key=Pid, value=u64, max_entries=65_536)

    @syscall
    def walk(self, ctx):
        with bpf.rcu():
            for task in bpf.tasks():
                self.children[u32(task.real_parent.tgid)] += 1


if __name__ == "__main__":
    with Processes() as probe:
        probe.test_run("walk")
        for pid, count in sorted(probe.children.items(), key=lambda item: -item[1])[:20]:
            print(f"{pid:<8} {count}")
