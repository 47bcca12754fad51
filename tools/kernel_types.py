"""Make ``src/beespace/btf/shipped.btf.xz``: the types that programs are compiled with where no kernel tells its own.

usage: kernel_types.py [FILE]

Takes the running kernel's types, or those of FILE, and keeps what probes mention: every tracepoint, security hook,
iterator and function for programs, the contexts and constants of programs, the structs that editors know, and the
functions of the families that are commonly probed.  A struct that is only pointed to keeps its name alone.
"""

from __future__ import annotations

import lzma
import os
import sys
from pathlib import Path

from beespace.btf import Btf, Kind, subset
from beespace.btf.shipped import FILE
from beespace.btf.types import DeclTag
from beespace.compiler.kernel.functions import kernel_functions
from beespace.compiler.kernel.stubs import COMMON
from beespace.hooks.table import HOOKS

# Everything of these kinds whose name begins so.
FAMILIES: dict[str, tuple[Kind, ...]] = {
    "trace_event_raw_": (Kind.STRUCT, Kind.FUNC),  # records, and who fills them
    "btf_trace_": (Kind.TYPEDEF,),
    "__traceiter_": (Kind.FUNC,),
    "bpf_lsm_": (Kind.FUNC,),
    "bpf_iter_": (Kind.STRUCT, Kind.FUNC),
    "bpf_struct_ops_": (Kind.STRUCT,),
    "bpf_": (Kind.ENUM, Kind.ENUM64, Kind.STRUCT),
    "sched_ext_ops": (Kind.STRUCT,),
    "__x64_sys_": (Kind.FUNC,),
    "xdp_": (Kind.STRUCT, Kind.ENUM),
} | dict.fromkeys((
    "__alloc_skb", "__kfree_skb", "__kmalloc", "__netif_", "__skb_", "__tcp_", "begin_new_exec", "bio_", "blk_",
    "dev_", "do_", "exit_", "ext4_", "filp_", "inet_", "inet6_", "ip_", "ip6_", "kernel_", "kfree", "kmalloc", "kmem_",
    "ksys_", "kvfree", "link_path_", "mark_page_", "mem_cgroup_", "mmput", "netif_", "nf_", "oom_", "path_", "ping_",
    "pipe_", "proc_", "schedule", "security_", "shmem_", "skb_", "sk_", "sock_", "submit_bio", "tcp_", "tcp4_",
    "tcp6_", "try_to_", "udp_", "udpv6_", "unix_", "vfs_", "vm_", "wake_up", "wp_", "__sys_", "__x64_",
), (Kind.FUNC,))  # fmt: skip
NAMED = (
    "__sk_buff", "tcp_congestion_ops", "sk_msg_md", "sk_reuseport_md", "net_device_ops", "kernel_clone_args",
    "skb_drop_reason", "tcp_info", "sock_type", "blk_unique_id", "tc_action_ops", "cgroup_subsys_id", "pid_type",
    "zone_stat_item", "node_stat_item", "mm_event", "seq_operations", "file_operations", "cpumask", "page_type",
    "trace_event_raw_sys_enter", "user_pt_regs", "tcp_bbr_info", "rusage", "hid_bpf_ctx", "irq_desc", "rt_rq", "cfs_rq",
)  # fmt: skip


def main(arguments: list[str]) -> int:
    if len(arguments) > 1 or any(each.startswith("-") for each in arguments):
        print(__doc__, file=sys.stderr)
        return 2
    btf = Btf(Path(arguments[0] if arguments else "/sys/kernel/btf/vmlinux").read_bytes())
    names = {name for prefix, kinds in FAMILIES.items() for name, _ in btf.with_prefix(prefix, *kinds)}
    names |= {name for name in (*COMMON, *NAMED, *(hook.context_type for hook in HOOKS)) if name and btf.find_all(name)}
    names |= kernel_functions(btf)
    content = subset(btf, dict.fromkeys(sorted(names)))
    FILE.write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
    tags = sum(isinstance(Btf(content).type(each), DeclTag) for each in Btf(content).ids(Kind.DECL_TAG))
    print(f"{FILE.name} of Linux {os.uname().release if not arguments else arguments[0]}: {len(names)} names, "
          f"{tags} tags, {len(content)} bytes, packed {FILE.stat().st_size}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
