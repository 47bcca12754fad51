"""Which attach types the kernel knows (``enum bpf_attach_type``), by loading a program for each.

Some are looked at only when a program is attached, so a kernel's own list (the enumeration in its BTF) is asked first.
"""

from __future__ import annotations

from collections.abc import Iterator

from beespace.btf import Kind
from beespace.btf.types import Enum
from beespace.errors import BeespaceError, NotSupported, VerifierError
from beespace.isa import AttachType, ProgramType
from beespace.kernel.features.feature import Feature, attempt
from beespace.kernel.features.program_types import FUNCTION, LSM_HOOK, Smallest, smallest
from beespace.kernel.vmlinux import vmlinux_btf

__all__ = ["attach_type", "attach_types", "enumerators"]

_A, _P = AttachType, ProgramType
_FUNCTION = (FUNCTION, Kind.FUNC)

# What is loaded for an attach type: its program type, what it returns, the BTF type that it is for.
_LOADED: dict[AttachType, tuple[ProgramType, int, tuple[str, Kind] | None]] = {
    _A.CGROUP_INET_INGRESS: (_P.CGROUP_SKB, 1, None),
    _A.CGROUP_INET_EGRESS: (_P.CGROUP_SKB, 1, None),
    **dict.fromkeys(
        (_A.CGROUP_INET_SOCK_CREATE, _A.CGROUP_INET_SOCK_RELEASE, _A.CGROUP_INET4_POST_BIND, _A.CGROUP_INET6_POST_BIND),
        (_P.CGROUP_SOCK, 1, None),
    ),
    **dict.fromkeys(
        (
            _A.CGROUP_INET4_BIND, _A.CGROUP_INET6_BIND, _A.CGROUP_INET4_CONNECT, _A.CGROUP_INET6_CONNECT,
            _A.CGROUP_UDP4_SENDMSG, _A.CGROUP_UDP6_SENDMSG, _A.CGROUP_UDP4_RECVMSG, _A.CGROUP_UDP6_RECVMSG,
            _A.CGROUP_INET4_GETPEERNAME, _A.CGROUP_INET6_GETPEERNAME, _A.CGROUP_INET4_GETSOCKNAME,
            _A.CGROUP_INET6_GETSOCKNAME, _A.CGROUP_UNIX_CONNECT, _A.CGROUP_UNIX_SENDMSG, _A.CGROUP_UNIX_RECVMSG,
            _A.CGROUP_UNIX_GETPEERNAME, _A.CGROUP_UNIX_GETSOCKNAME,
        ),
        (_P.CGROUP_SOCK_ADDR, 1, None),
    ),
    _A.CGROUP_GETSOCKOPT: (_P.CGROUP_SOCKOPT, 1, None),
    _A.CGROUP_SETSOCKOPT: (_P.CGROUP_SOCKOPT, 1, None),
    _A.CGROUP_SOCK_OPS: (_P.SOCK_OPS, 1, None),
    _A.CGROUP_DEVICE: (_P.CGROUP_DEVICE, 1, None),
    _A.CGROUP_SYSCTL: (_P.CGROUP_SYSCTL, 1, None),
    _A.SK_SKB_STREAM_PARSER: (_P.SK_SKB, 0, None),
    _A.SK_SKB_STREAM_VERDICT: (_P.SK_SKB, 1, None),
    _A.SK_SKB_VERDICT: (_P.SK_SKB, 1, None),
    _A.SK_MSG_VERDICT: (_P.SK_MSG, 1, None),
    _A.SK_LOOKUP: (_P.SK_LOOKUP, 1, None),
    _A.SK_REUSEPORT_SELECT: (_P.SK_REUSEPORT, 1, None),
    _A.SK_REUSEPORT_SELECT_OR_MIGRATE: (_P.SK_REUSEPORT, 1, None),
    _A.LIRC_MODE2: (_P.LIRC_MODE2, 0, None),
    _A.FLOW_DISSECTOR: (_P.FLOW_DISSECTOR, 0, None),
    _A.XDP: (_P.XDP, 2, None),
    _A.XDP_DEVMAP: (_P.XDP, 2, None),
    _A.XDP_CPUMAP: (_P.XDP, 2, None),
    _A.TCX_INGRESS: (_P.SCHED_CLS, 0, None),
    _A.TCX_EGRESS: (_P.SCHED_CLS, 0, None),
    _A.NETKIT_PRIMARY: (_P.SCHED_CLS, 0, None),
    _A.NETKIT_PEER: (_P.SCHED_CLS, 0, None),
    _A.NETFILTER: (_P.NETFILTER, 1, None),
    _A.PERF_EVENT: (_P.PERF_EVENT, 0, None),
    **dict.fromkeys(
        (_A.TRACE_KPROBE_MULTI, _A.TRACE_KPROBE_SESSION, _A.TRACE_UPROBE_MULTI, _A.TRACE_UPROBE_SESSION),
        (_P.KPROBE, 0, None),
    ),
    _A.TRACE_RAW_TP: (_P.TRACING, 0, ("btf_trace_sched_process_exec", Kind.TYPEDEF)),
    _A.TRACE_FENTRY: (_P.TRACING, 0, _FUNCTION),
    _A.TRACE_FEXIT: (_P.TRACING, 0, _FUNCTION),
    _A.TRACE_FSESSION: (_P.TRACING, 0, _FUNCTION),
    _A.MODIFY_RETURN: (_P.TRACING, 0, ("security_sb_statfs", Kind.FUNC)),
    _A.TRACE_ITER: (_P.TRACING, 0, ("bpf_iter_task", Kind.FUNC)),
    **dict.fromkeys(
        (_A.TRACE_FENTRY_MULTI, _A.TRACE_FEXIT_MULTI, _A.TRACE_FSESSION_MULTI), (_P.TRACING, 0, None)
    ),
    _A.LSM_MAC: (_P.LSM, 0, (LSM_HOOK, Kind.FUNC)),
    _A.LSM_CGROUP: (_P.LSM, 1, ("bpf_lsm_socket_post_create", Kind.FUNC)),
}  # fmt: skip


def attach_type(number: int) -> Feature:
    """Whether programs for attach type ``number`` can be loaded.  ``ValueError`` for one that is not known by name.

    Of ``struct_ops``, which no program is loaded with, whether the kernel lists it.
    """
    kind = AttachType(number)
    return attempt("attach type", kind.name.lower(), lambda: _load(kind))


def attach_types() -> Iterator[Feature]:
    """Every attach type that beespace knows by name."""
    for number in AttachType:
        yield attach_type(number)


def enumerators(enumeration: str) -> frozenset[str] | None:
    """The names in an enumeration of the kernel; ``None`` if it has no BTF, or no enumeration of that name."""
    try:
        types = vmlinux_btf()
    except BeespaceError:
        return None
    for number in types.find_all(enumeration, Kind.ENUM):
        found = types.type(number)
        if isinstance(found, Enum):
            return frozenset(each.name for each in found.values)
    return None


# Names in the kernel that differ from ours by more than their prefix.
_SPELT = {"PERF_EVENT": "BPF_PERF_EVENT"}


def _load(kind: AttachType) -> None:
    listed = enumerators("bpf_attach_type")
    if listed is not None and _SPELT.get(kind.name, f"BPF_{kind.name}") not in listed:
        raise NotSupported(f"attach type {kind.name.lower()}: its list of attach types does not have it")
    if kind not in _LOADED:
        if listed is None:
            raise NotSupported(f"telling whether it has attach type {kind.name.lower()} (it has no BTF)")
        return
    program, returns, target = _LOADED[kind]
    try:
        smallest(program, like=Smallest(kind, returns, target=target)).close()
    except VerifierError:
        if target is not None or program is not ProgramType.TRACING:
            raise  # a program for many functions that names none was read as far as its code: the type is known
