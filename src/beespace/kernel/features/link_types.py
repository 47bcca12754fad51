"""Which kinds of link the kernel makes (``enum bpf_link_type``).

A link is made for a moment where that harms nobody.  Where it would, one is asked for that cannot be: a kernel that has
the kind complains of the target (no such interface, no such file), any other of the request (EINVAL).
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Iterator

from beespace.btf import Kind
from beespace.errors import KernelError, NotSupported
from beespace.isa import AttachType, LinkType, ProgramType
from beespace.kernel.features.attach_kinds import ATTACH_KINDS, LOOPBACK
from beespace.kernel.features.feature import Feature, attempt
from beespace.kernel.features.program_types import FUNCTION, Smallest, smallest
from beespace.kernel.vmlinux import vmlinux_btf
from beespace.syscall import bpf

__all__ = ["link_type", "link_types"]

_NOWHERE = 0x7FFF_FFFF  # no interface has that number
_XDP_PASS, _GENERIC = 2, 1 << 1  # XDP_FLAGS_SKB_MODE


def link_type(number: int) -> Feature:
    """Whether links of type ``number`` can be made.  ``ValueError`` for one that is not known by name."""
    kind = LinkType(number)
    return attempt("link", kind.name.lower(), _WAYS[kind])


def link_types() -> Iterator[Feature]:
    """Every kind of link that beespace knows by name."""
    for kind in _WAYS:
        yield link_type(kind)


def _refused_with(answers: Collection[int], program: int, like: Smallest, **target: object) -> Callable[[], None]:
    """Ask for a link that cannot be; any of ``answers`` is that of a kernel that knows the kind."""

    def ask() -> None:
        with smallest(program, like=like) as loaded:
            try:
                bpf.link_create(loaded, like.expected_attach_type, **target).close()  # type: ignore[arg-type]
            except KernelError as error:
                if error.errno not in answers:
                    raise

    return ask


def _xdp() -> None:
    like = Smallest(AttachType.XDP, _XDP_PASS)
    _refused_with({errno.EBUSY, errno.EEXIST}, ProgramType.XDP, like, target_ifindex=LOOPBACK, flags=_GENERIC)()


def _struct_ops() -> None:
    """A map of operations is a link since 6.4: no harmless request tells, but the types of the kernel do."""
    if not vmlinux_btf().find_all("bpf_struct_ops_link", Kind.STRUCT):
        raise NotSupported("links of struct_ops (older)")
    smallest(ProgramType.STRUCT_OPS).close()


def _tracing_multi() -> None:
    if not vmlinux_btf().find_all("bpf_tracing_multi_link", Kind.STRUCT):
        raise NotSupported("links of many functions (older, or built without direct calls)")
    function = vmlinux_btf().find(FUNCTION, Kind.FUNC)
    with smallest(ProgramType.TRACING, like=Smallest(AttachType.TRACE_FENTRY_MULTI)) as program:
        bpf.link_create(program, AttachType.TRACE_FENTRY_MULTI, where=bpf.TracingMulti((function,))).close()


_BEYOND = {"target_ifindex": _NOWHERE}
_WAYS: dict[LinkType, Callable[[], None]] = {
    LinkType.RAW_TRACEPOINT: ATTACH_KINDS["raw tracepoint"],
    LinkType.TRACING: ATTACH_KINDS["btf tracepoint"],
    LinkType.CGROUP: ATTACH_KINDS["cgroup_skb egress"],
    LinkType.ITER: ATTACH_KINDS["iterator task"],
    LinkType.NETNS: ATTACH_KINDS["network namespace"],
    LinkType.XDP: _xdp,
    LinkType.PERF_EVENT: _refused_with(
        {errno.EBADF}, ProgramType.TRACEPOINT, Smallest(AttachType.PERF_EVENT), target_fd=_NOWHERE
    ),
    LinkType.KPROBE_MULTI: ATTACH_KINDS["kprobe multi"],
    LinkType.STRUCT_OPS: _struct_ops,
    LinkType.NETFILTER: _refused_with(
        {errno.EAFNOSUPPORT}, ProgramType.NETFILTER, Smallest(AttachType.NETFILTER, 1),
        where=bpf.NetfilterHook(255, 0, 0),
    ),
    LinkType.TCX: _refused_with(
        {errno.ENODEV}, ProgramType.SCHED_CLS, Smallest(AttachType.TCX_INGRESS), **_BEYOND
    ),
    LinkType.UPROBE_MULTI: _refused_with(
        {errno.EBADF}, ProgramType.KPROBE, Smallest(AttachType.TRACE_UPROBE_MULTI), where=bpf.UprobeMulti("/", (0,))
    ),
    LinkType.NETKIT: _refused_with(
        {errno.ENODEV}, ProgramType.SCHED_CLS, Smallest(AttachType.NETKIT_PRIMARY), **_BEYOND
    ),
    LinkType.SOCKMAP: _refused_with(
        {errno.EBADF}, ProgramType.SK_MSG, Smallest(AttachType.SK_MSG_VERDICT, 1), target_fd=_NOWHERE
    ),
    LinkType.TRACING_MULTI: _tracing_multi,
}  # fmt: skip
