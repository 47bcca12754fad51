"""Decorators: which methods of a program run in the kernel, and where they attach.

One file for each part of the system: :mod:`tracing`, :mod:`user`, :mod:`network`, :mod:`sockets`, :mod:`cgroups`.
Every hook is a record of :mod:`beespace.hooks`.
"""

from beespace.lang.attach.cgroups import (
    cgroup_device,
    cgroup_skb,
    cgroup_sock,
    cgroup_sock_addr,
    cgroup_sockopt,
    cgroup_sysctl,
)
from beespace.lang.attach.mark import OPTIONAL, SECTION, VARIANTS, Decorator, Variant
from beespace.lang.attach.network import (
    flow_dissector,
    lwt_in,
    lwt_out,
    lwt_seg6local,
    lwt_xmit,
    netfilter,
    netkit,
    socket_filter,
    tc,
    xdp,
)
from beespace.lang.attach.sockets import sk_lookup, sk_msg, sk_reuseport, sk_skb, sockops
from beespace.lang.attach.tail_call import TAIL_CALL, tail_call
from beespace.lang.attach.tracing import (
    btf_tracepoint,
    fentry,
    fexit,
    fmod_ret,
    freplace,
    fsession,
    function,
    iterator,
    kprobe,
    kprobe_multi,
    kprobe_session,
    kretprobe,
    kretprobe_multi,
    kretsyscall,
    ksyscall,
    lsm,
    lsm_cgroup,
    perf_event,
    raw_tracepoint,
    syscall,
    tracepoint,
)
from beespace.lang.attach.user import uprobe, uprobe_multi, uprobe_session, uretprobe, uretprobe_multi, usdt

DECORATORS = (
    tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session,
    ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit,
    fmod_ret, fsession, freplace, lsm, lsm_cgroup, iterator, perf_event, syscall, xdp, tc, netkit, socket_filter,
    flow_dissector, netfilter, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, sockops, sk_msg, sk_skb, sk_lookup,
    sk_reuseport, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device,
)  # fmt: skip

__all__ = [
    "DECORATORS", "OPTIONAL", "SECTION", "TAIL_CALL", "VARIANTS", "Decorator", "Variant", "function", "tail_call",
    "btf_tracepoint", "cgroup_device", "cgroup_skb", "cgroup_sock", "cgroup_sock_addr", "cgroup_sockopt",
    "cgroup_sysctl", "fentry", "fexit", "flow_dissector", "fmod_ret", "freplace", "fsession", "iterator", "kprobe",
    "kprobe_multi", "kprobe_session", "kretprobe", "kretprobe_multi", "kretsyscall", "ksyscall", "lsm", "lsm_cgroup",
    "lwt_in", "lwt_out", "lwt_seg6local", "lwt_xmit", "netfilter", "netkit", "perf_event", "raw_tracepoint",
    "sk_lookup", "sk_msg", "sk_reuseport", "sk_skb", "socket_filter", "sockops", "syscall", "tc", "tracepoint",
    "uprobe", "uprobe_multi", "uprobe_session", "uretprobe", "uretprobe_multi", "usdt", "xdp",
]  # fmt: skip
