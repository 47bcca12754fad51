"""Where programs can be attached, by attaching one that does nothing for a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from beespace.btf import Kind
from beespace.errors import NotSupported
from beespace.isa import AttachType, ProgramType
from beespace.kernel.features.feature import Feature, attempt
from beespace.kernel.features.program_types import FUNCTION, TRACEPOINT, Smallest, smallest
from beespace.syscall import Descriptor, bpf, mounts, perf

LOOPBACK = 1  # the interface number of lo in every network namespace
_TCX_NEXT = -1  # the verdict that leaves the packet to others
_SELF_ONLY = 1  # BPF_CGROUP_ITER_SELF_ONLY


def attach_kind(name: str) -> Feature:
    """Whether programs can be attached that way.  ``KeyError`` for a name that is not in :data:`ATTACH_KINDS`.

    Nothing stays attached; what was attached for the moment returns what lets everything pass.
    """
    return attempt("attach", name, ATTACH_KINDS[name])


def attach_kinds() -> Iterator[Feature]:
    """Every way to attach that beespace can try without harm."""
    for name in ATTACH_KINDS:
        yield attach_kind(name)


def _tracepoint() -> None:
    with ExitStack() as stack:
        event = _tracepoint_event(stack)
        program = stack.enter_context(smallest(ProgramType.TRACEPOINT))
        perf.set_bpf(event, program)
        perf.enable(event)


def _perf_link() -> None:
    with ExitStack() as stack:
        event = _tracepoint_event(stack)
        program = stack.enter_context(smallest(ProgramType.TRACEPOINT))
        bpf.link_create(program, AttachType.PERF_EVENT, target_fd=event).close()


def _tracepoint_event(stack: ExitStack) -> Descriptor:
    tracefs = stack.enter_context(mounts.tracefs())
    number = int(mounts.read_at(tracefs, f"events/sched/{TRACEPOINT}/id"))
    return stack.enter_context(perf.open_tracepoint(number))


def _raw_tracepoint() -> None:
    with smallest(ProgramType.RAW_TRACEPOINT) as program:
        bpf.raw_tracepoint_open(program, TRACEPOINT).close()


def _btf_tracepoint() -> None:
    with smallest(ProgramType.TRACING) as program:
        bpf.raw_tracepoint_open(program).close()


def _fentry() -> None:
    like = Smallest(AttachType.TRACE_FENTRY, target=(FUNCTION, Kind.FUNC))
    with smallest(ProgramType.TRACING, like=like) as program:
        bpf.raw_tracepoint_open(program).close()


def _fexit() -> None:
    like = Smallest(AttachType.TRACE_FEXIT, target=(FUNCTION, Kind.FUNC))
    with smallest(ProgramType.TRACING, like=like) as program:
        bpf.raw_tracepoint_open(program).close()


def _lsm() -> None:
    with smallest(ProgramType.LSM) as program:
        bpf.raw_tracepoint_open(program).close()
    with mounts.root_of("securityfs") as security:
        active = mounts.read_at(security, "lsm").decode().strip()
    if "bpf" not in active.split(","):
        raise NotSupported(f"BPF as a security module now (active: {active}; boot with lsm=...,bpf)")


def _probe_event(kind: str) -> int:
    file = Path(f"/sys/bus/event_source/devices/{kind}/type")
    if not file.exists():
        raise NotSupported(f"{kind}s (built without them: {file.parent} does not exist)")
    return int(file.read_text())


def _kprobe() -> None:
    kind = _probe_event("kprobe")
    with smallest(ProgramType.KPROBE) as program:
        function = {"kprobe_func": FUNCTION.encode() + b"\0"}
        with perf.perf_event_open(kind, 0, fields=dict(function), what=f"put a kprobe on {FUNCTION}") as event:
            perf.set_bpf(event, program)
            perf.enable(event)


def _kprobe_multi() -> None:
    _probe_event("kprobe")
    like = Smallest(AttachType.TRACE_KPROBE_MULTI)
    with smallest(ProgramType.KPROBE, like=like) as program:
        where = bpf.KprobeMulti(symbols=(FUNCTION,))  # addresses are hidden from most
        bpf.link_create(program, AttachType.TRACE_KPROBE_MULTI, where=where).close()


def _uprobe() -> None:
    _probe_event("uprobe")
    smallest(ProgramType.KPROBE).close()


def _iterator(target: str) -> Callable[[], None]:
    def walk() -> None:
        like = Smallest(AttachType.TRACE_ITER, target=(f"bpf_iter_{target}", Kind.FUNC))
        with (
            smallest(ProgramType.TRACING, like=like) as program,
            bpf.link_create(program, AttachType.TRACE_ITER) as link,
        ):
            bpf.iter_create(link).close()

    return walk


def _cgroup_iterator() -> None:
    like = Smallest(AttachType.TRACE_ITER, target=("bpf_iter_cgroup", Kind.FUNC))
    with mounts.reachable_cgroup2() as root, smallest(ProgramType.TRACING, like=like) as program:
        where = bpf.IteratorTarget.of_cgroup(root, _SELF_ONLY)
        with bpf.link_create(program, AttachType.TRACE_ITER, where=where) as link:
            bpf.iter_create(link).close()


def _cgroup(program_type: int, attach_type: int) -> Callable[[], None]:
    def attach() -> None:
        like = Smallest(attach_type, 1)
        with mounts.reachable_cgroup2() as root, smallest(program_type, like=like) as program:
            bpf.link_create(program, attach_type, target_fd=root).close()

    return attach


def _tcx() -> None:
    like = Smallest(AttachType.TCX_INGRESS, _TCX_NEXT)
    with smallest(ProgramType.SCHED_CLS, like=like) as program:
        bpf.link_create(program, AttachType.TCX_INGRESS, target_ifindex=LOOPBACK).close()


def _network_namespace() -> None:
    like = Smallest(AttachType.SK_LOOKUP, 1)
    with (
        mounts.root_of("proc") as proc,
        mounts.open_at(proc, "self/ns/net") as namespace,
        smallest(ProgramType.SK_LOOKUP, like=like) as program,
    ):
        bpf.link_create(program, AttachType.SK_LOOKUP, target_fd=namespace).close()


_SKB, _SOCK, _ADDR = ProgramType.CGROUP_SKB, ProgramType.CGROUP_SOCK, ProgramType.CGROUP_SOCK_ADDR

ATTACH_KINDS: dict[str, Callable[[], None]] = {
    "tracepoint": _tracepoint,
    "perf link": _perf_link,
    "raw tracepoint": _raw_tracepoint,
    "btf tracepoint": _btf_tracepoint,
    "fentry": _fentry,
    "fexit": _fexit,
    "lsm": _lsm,
    "kprobe": _kprobe,
    "kprobe multi": _kprobe_multi,
    "uprobe": _uprobe,
    "iterator task": _iterator("task"),
    "iterator task_file": _iterator("task_file"),
    "iterator tcp": _iterator("tcp"),
    "iterator udp": _iterator("udp"),
    "iterator cgroup": _cgroup_iterator,
    "cgroup_skb ingress": _cgroup(_SKB, AttachType.CGROUP_INET_INGRESS),
    "cgroup_skb egress": _cgroup(_SKB, AttachType.CGROUP_INET_EGRESS),
    "cgroup sock_create": _cgroup(_SOCK, AttachType.CGROUP_INET_SOCK_CREATE),
    "cgroup sock_release": _cgroup(_SOCK, AttachType.CGROUP_INET_SOCK_RELEASE),
    "cgroup bind4": _cgroup(_ADDR, AttachType.CGROUP_INET4_BIND),
    "cgroup connect4": _cgroup(_ADDR, AttachType.CGROUP_INET4_CONNECT),
    "cgroup sendmsg4": _cgroup(_ADDR, AttachType.CGROUP_UDP4_SENDMSG),
    "cgroup sockops": _cgroup(ProgramType.SOCK_OPS, AttachType.CGROUP_SOCK_OPS),
    "tcx": _tcx,
    "network namespace": _network_namespace,
}
