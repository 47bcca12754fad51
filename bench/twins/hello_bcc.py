"""The same for BCC, which compiles on the node: run by the system's Python."""

from bcc import BPF

TEXT = """
#include <linux/sched.h>
BPF_HASH(counts, u32, u64);
RAW_TRACEPOINT_PROBE(sched_process_exec)
{
    u32 pid = bpf_get_current_pid_tgid() >> 32;
    counts.increment(pid);
    return 0;
}
"""
probe = BPF(text=TEXT)
print("attached", flush=True)
input()
