"""Kernel helpers by name: the numbers of ``enum bpf_func_id`` (include/uapi/linux/bpf.h).

Invariant: only what the language uses, each with the kernel that has it first.
"""

from __future__ import annotations

from beespace.compiler import ir

__all__ = ["NUMBERS", "call"]

NUMBERS = {
    "map_lookup_elem": 1,  # 3.19
    "map_update_elem": 2,  # 3.19
    "map_delete_elem": 3,  # 3.19
    "get_prandom_u32": 7,  # 4.1
    "get_smp_processor_id": 8,  # 4.1
    "tail_call": 12,  # 4.2
    "get_current_pid_tgid": 14,  # 4.2
    "get_current_uid_gid": 15,  # 4.2
    "get_current_comm": 16,  # 4.2
    "get_stackid": 27,  # 4.6
    "get_socket_cookie": 46,  # 4.12
    "skb_cgroup_id": 79,  # 4.18
    "get_current_cgroup_id": 80,  # 4.18
    "sk_fullsock": 95,  # 5.1
    "tcp_sock": 96,  # 5.1
    "sk_storage_get": 107,  # 5.2
    "sk_storage_delete": 108,  # 5.2
    "probe_read_user": 112,  # 5.5
    "probe_read_kernel": 113,  # 5.5
    "probe_read_user_str": 114,  # 5.5
    "probe_read_kernel_str": 115,  # 5.5
    "get_netns_cookie": 122,  # 5.7
    "ktime_get_boot_ns": 125,  # 5.8
    "seq_write": 127,  # 5.8
    "ringbuf_reserve": 131,  # 5.8
    "ringbuf_submit": 132,  # 5.8
    "task_storage_get": 156,  # 5.11
    "task_storage_delete": 157,  # 5.11
    "get_current_task_btf": 158,  # 5.11
    "sock_from_file": 162,  # 5.11
    "get_attach_cookie": 174,  # 5.15
}


def call(name: str, result: ir.Type, *arguments: ir.Expression) -> ir.Helper:
    """A call of ``bpf_<name>()``."""
    return ir.Helper(NUMBERS[name], name, arguments, result)
