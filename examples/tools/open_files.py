"""Open files of all processes, from an iterator (as lsof)."""

from beespace import Hash, Program, iterator
from beespace.types import Pid, u32, u64


class OpenFiles(Program):
    """Counts the open descriptors of each process, once, when it is asked."""

    files = Hash(key=Pid, value=u64, max_entries=65_536)

    @iterator("task_file")
    def on_file(self, ctx):
        task = ctx.task
        if task is not None and ctx.file is not None and task.pid == task.tgid:
            self.files[u32(task.tgid)] += 1


if __name__ == "__main__":
    with OpenFiles() as probe:
        probe.iterate("on_file")
        for pid, count in sorted(probe.files.items(), key=lambda item: -item[1])[:20]:
            print(f"{pid:<8} {count}")
