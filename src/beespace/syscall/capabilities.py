"""Which capability the kernel asks for, as tables.

Source: ``is_net_admin_prog_type()``, ``is_perfmon_prog_type()``, ``map_create()`` and the commands of
kernel/bpf/syscall.c.  ``CAP_SYS_ADMIN`` stands in for each of them.
"""

from __future__ import annotations

BPF = "CAP_BPF"
PERFMON = "CAP_PERFMON"
NET_ADMIN = "CAP_NET_ADMIN"
SYS_ADMIN = "CAP_SYS_ADMIN"
DAC_OVERRIDE = "CAP_DAC_OVERRIDE"
DAC_READ_SEARCH = "CAP_DAC_READ_SEARCH"

# enum bpf_prog_type
_NET_ADMIN_PROGRAMS = {
    3, 4, 6,  # SCHED_CLS SCHED_ACT XDP
    9, 10, 11, 12, 19,  # CGROUP_SOCK LWT_IN LWT_OUT LWT_XMIT LWT_SEG6LOCAL
    13, 14, 15, 16,  # SOCK_OPS SK_SKB CGROUP_DEVICE SK_MSG
    18, 22, 23, 25,  # CGROUP_SOCK_ADDR FLOW_DISSECTOR CGROUP_SYSCTL CGROUP_SOCKOPT
    28, 32,  # EXT NETFILTER
}  # fmt: skip
_PERFMON_PROGRAMS = {
    2, 5, 7, 17, 24,  # KPROBE TRACEPOINT PERF_EVENT RAW_TRACEPOINT RAW_TRACEPOINT_WRITABLE
    26, 27, 28, 29,  # TRACING STRUCT_OPS EXT LSM
}  # fmt: skip
_CGROUP_SKB = 8
_CGROUP_SKB_ATTACH = {0, 1}  # CGROUP_INET_INGRESS CGROUP_INET_EGRESS

# enum bpf_map_type: DEVMAP SOCKMAP XSKMAP SOCKHASH DEVMAP_HASH
_NET_ADMIN_MAPS = {14, 15, 17, 18, 25}


def for_program(prog_type: int) -> tuple[str, ...]:
    """What loading a program of ``prog_type`` (``enum bpf_prog_type``) takes."""
    needed = [BPF]
    if prog_type in _PERFMON_PROGRAMS:
        needed.append(PERFMON)
    if prog_type in _NET_ADMIN_PROGRAMS:
        needed.append(NET_ADMIN)
    return tuple(needed)


def for_attaching(prog_type: int) -> tuple[str, ...]:
    """What loading and attaching take together: cgroup packet filters ask for ``CAP_NET_ADMIN`` only when attached."""
    needed = for_program(prog_type)
    return (*needed, NET_ADMIN) if prog_type == _CGROUP_SKB else needed


def for_attach_type(attach_type: int) -> tuple[str, ...]:
    """What attaching a loaded program takes besides (``enum bpf_attach_type``): only cgroup packet filters do."""
    return (NET_ADMIN,) if attach_type in _CGROUP_SKB_ATTACH else ()


def for_map(map_type: int) -> tuple[str, ...]:
    """What creating a map of ``map_type`` (``enum bpf_map_type``) takes."""
    return (BPF, NET_ADMIN) if map_type in _NET_ADMIN_MAPS else (BPF,)
