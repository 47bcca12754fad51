from beespace import Counter, Program, bpf, function
from beespace.lang import raw_tracepoint
from beespace.kernel import bpf_attach_type, file, task_strukt, task_struct
from beespace.lang import exists, offsetof


class Probe(Program):
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        self.look(task)
        other = bpf.cast(0xFFFF0000, task_strukt)
        if exists(self.total):
            return
        if offsetof(task_struct, "no_such") == 0:
            return
        self.total += bpf_attach_type.BPF_CGROUP_INET_EGRES
        self.total += task_struct.tgid
        self.total += bpf.read(task, file)
        self.total += bpf.cast(self.total, file)

    @function
    def look(self, found: file):
        pass
