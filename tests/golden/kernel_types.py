"""Makes ``kernel.btf`` from the running kernel: the types that the golden tests mention.

usage: python tests/golden/kernel_types.py

The messages name fields of kernel types, so they are held against the same types everywhere.
"""

from __future__ import annotations

from pathlib import Path

from beespace.btf import Btf, subset

TYPES = Path(__file__).parent / "kernel.btf"

# Types, and of each the members (None: all of them).
MENTIONED: dict[str, set[str] | None] = {
    "bpf_attach_type": None,
    "__sk_buff": None,
    "bpf_sock": None,
    "bpf_tcp_sock": None,
    "bpf_sock_addr": None,
    "bpf_sock_ops": None,
    "bpf_iter__task": None,
    "bpf_iter__task_file": None,
    "bpf_iter_meta": None,
    "bpf_iter__bpf_map_elem": None,
    "xdp_md": None,
    "sk_msg_md": None,
    "sk_reuseport_md": None,
    "bpf_sk_lookup": None,
    "bpf_sockopt": None,
    "bpf_sysctl": None,
    "bpf_cgroup_dev_ctx": None,
    "bpf_perf_event_data": None,
    "bpf_nf_ctx": None,
    "nf_hook_state": {"hook", "pf"},
    "sk_buff": {"len"},
    "bpf_flow_keys": None,
    "pt_regs": None,
    "vfs_read": None,
    "vfs_write": None,
    "bpf_obj_new_impl": None,
    "bpf_obj_drop_impl": None,
    "bpf_list_push_back_impl": None,
    "bpf_list_push_front_impl": None,
    "bpf_list_pop_front": None,
    "bpf_list_pop_back": None,
    "bpf_list_front": None,
    "bpf_list_back": None,
    "bpf_rbtree_add_impl": None,
    "bpf_rbtree_first": None,
    "bpf_rbtree_remove": None,
    "bpf_lsm_file_open": None,
    "bpf_lsm_socket_create": None,
    "trace_event_raw_sys_enter": None,
    "trace_event_raw_sched_process_exec": None,
    "task_struct": {
        "tgid", "pid", "comm", "mm", "group_leader", "real_parent", "start_boottime", "signal", "exit_code", "cred",
        "prio",
    },
    "mm_struct": {"arg_start", "arg_end"},
    "signal_struct": {"live"},
    "cred": {"uid"},
    "linux_binprm": {"filename"},
    "file": {"f_inode", "f_path"},
    "path": {"dentry"},
    "dentry": {"d_name"},
    "inode": {"i_ino"},
    "socket": {"sk"},
    "sock": {"__sk_common", "sk_protocol"},
    "sock_common": {"skc_family", "skc_state", "skc_num", "skc_net", "skc_dport", "skc_v6_daddr",
        "skc_prot",
    },
    "net": {"net_cookie"},
    "proto": {"memory_allocated"},
    "tcp_congestion_ops": None,
    "bpf_struct_ops_tcp_congestion_ops": None,
    "tcp_sock": {"snd_cwnd", "snd_ssthresh", "prior_cwnd", "inet_conn"},
    "inet_connection_sock": {"icsk_inet"},
    "inet_sock": {"sk"},
    "__traceiter_sched_process_exec": None,
    "__traceiter_sched_process_exit": None,
    "__traceiter_sched_switch": None,
    "__traceiter_sock_send_length": None,
    "btf_trace_sched_process_exec": None,
    "btf_trace_sched_process_exit": None,
    "btf_trace_sched_wakeup": None,
    "btf_trace_sched_wakeup_new": None,
    "trace_event_raw_sched_wakeup_template": None,
    "trace_event_raw_event_sched_wakeup_template": None,
    "trace_event_raw_sched_process_template": None,
    "trace_event_raw_event_sched_process_template": None,
}  # fmt: skip


if __name__ == "__main__":
    TYPES.write_bytes(subset(Btf(Path("/sys/kernel/btf/vmlinux").read_bytes()), MENTIONED))
    print(f"{TYPES.name}: {TYPES.stat().st_size} bytes")
