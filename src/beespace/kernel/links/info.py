"""What the kernel says about a link, in one class for each kind (``struct bpf_link_info``, include/uapi/linux/bpf.h).

Fields have the kernel's names.  A kernel that says less than is asked for leaves 0, ``""`` and ``()``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from beespace.record import dataclass
from beespace.syscall import bpf
from beespace.syscall.descriptor import Fd

__all__ = [
    "CgroupInfo", "CounterInfo", "IteratorInfo", "KprobeInfo", "KprobeMultiInfo", "LinkInfo", "NetfilterInfo",
    "NetkitInfo", "NetnsInfo", "RawTracepointInfo", "SockmapInfo", "StructOpsInfo", "TcxInfo", "TracepointInfo",
    "TracingInfo", "TracingMultiInfo", "UprobeInfo", "UprobeMultiInfo", "XdpInfo", "link_info",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """Any link: ``type`` is ``enum bpf_link_type``, ``id`` its number, ``prog_id`` that of its program.

    Links of kinds that are not known here, and perf event links before Linux 6.6, are of this class.
    """

    type: int
    id: int
    prog_id: int


@dataclass(frozen=True, slots=True)
class RawTracepointInfo(LinkInfo):
    """A raw tracepoint; its cookie since Linux 6.10."""

    tp_name: str
    cookie: int


@dataclass(frozen=True, slots=True)
class TracingInfo(LinkInfo):
    """fentry, fexit, fmod_ret, freplace, LSM and BTF tracepoints.

    ``target_obj_id`` is the id of a program (freplace, functions of programs) or of BTF, ``target_btf_id`` the
    function's type in it.
    """

    attach_type: int
    target_obj_id: int
    target_btf_id: int
    cookie: int


@dataclass(frozen=True, slots=True)
class CgroupInfo(LinkInfo):
    """A cgroup; ``cgroup_id`` is the inode number of its directory, 0 when the cgroup is gone."""

    cgroup_id: int
    attach_type: int


@dataclass(frozen=True, slots=True)
class IteratorInfo(LinkInfo):
    """An iterator over ``target_name``; what it is restricted to, 0: everything (tid, pid and cgroups: Linux 6.1)."""

    target_name: str
    map_id: int
    cgroup_id: int
    order: int
    tid: int
    pid: int


@dataclass(frozen=True, slots=True)
class NetnsInfo(LinkInfo):
    """A network namespace, by inode number (0 when it is gone)."""

    netns_ino: int
    attach_type: int


@dataclass(frozen=True, slots=True)
class XdpInfo(LinkInfo):
    """An interface, by index in its network namespace (0 when it is gone)."""

    ifindex: int


@dataclass(frozen=True, slots=True)
class UprobeInfo(LinkInfo):
    """An instruction of a file.  ``kind`` is ``enum bpf_perf_event_type`` (2: on return; Linux 6.6)."""

    kind: int
    file_name: str
    offset: int
    cookie: int
    ref_ctr_offset: int


@dataclass(frozen=True, slots=True)
class KprobeInfo(LinkInfo):
    """A kernel function; ``addr`` is 0 where ``kernel.kptr_restrict`` hides it.  ``kind`` 4: on return (Linux 6.6)."""

    kind: int
    func_name: str
    offset: int
    addr: int
    missed: int
    cookie: int


@dataclass(frozen=True, slots=True)
class TracepointInfo(LinkInfo):
    """A static tracepoint (Linux 6.6)."""

    kind: int
    tp_name: str
    cookie: int


@dataclass(frozen=True, slots=True)
class CounterInfo(LinkInfo):
    """A performance counter: ``perf_type`` and ``config`` of ``struct perf_event_attr`` (Linux 6.6)."""

    kind: int
    perf_type: int
    config: int
    cookie: int


@dataclass(frozen=True, slots=True)
class KprobeMultiInfo(LinkInfo):
    """Many kernel functions (Linux 6.6).  ``flags`` 1 (``BPF_F_KPROBE_MULTI_RETURN``): on return."""

    addrs: tuple[int, ...]
    cookies: tuple[int, ...]
    flags: int
    missed: int


@dataclass(frozen=True, slots=True)
class UprobeMultiInfo(LinkInfo):
    """Many places of one file (Linux 6.8)."""

    path: str
    offsets: tuple[int, ...]
    ref_ctr_offsets: tuple[int, ...]
    cookies: tuple[int, ...]
    flags: int
    pid: int


@dataclass(frozen=True, slots=True)
class TracingMultiInfo(LinkInfo):
    """Many kernel functions with typed arguments (Linux 7.2)."""

    attach_type: int
    btf_obj_id: int
    ids: tuple[int, ...]
    addrs: tuple[int, ...]
    cookies: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StructOpsInfo(LinkInfo):
    """A kernel interface, by its map (0 when it is unregistered)."""

    map_id: int


@dataclass(frozen=True, slots=True)
class NetfilterInfo(LinkInfo):
    """A netfilter hook: protocol family ``pf`` (``NFPROTO_*``), ``hooknum`` (``enum nf_inet_hooks``), priority."""

    pf: int
    hooknum: int
    priority: int
    flags: int


@dataclass(frozen=True, slots=True)
class TcxInfo(LinkInfo):
    """An interface's tcx, by index (0 when it is gone)."""

    ifindex: int
    attach_type: int


@dataclass(frozen=True, slots=True)
class NetkitInfo(LinkInfo):
    """A netkit device, by index of its primary side (0 when it is gone)."""

    ifindex: int
    attach_type: int


@dataclass(frozen=True, slots=True)
class SockmapInfo(LinkInfo):
    """A map of sockets."""

    map_id: int
    attach_type: int


_CLASSES: dict[int, type[LinkInfo]] = {  # enum bpf_link_type
    1: RawTracepointInfo, 2: TracingInfo, 3: CgroupInfo, 4: IteratorInfo, 5: NetnsInfo, 6: XdpInfo, 8: KprobeMultiInfo,
    9: StructOpsInfo, 10: NetfilterInfo, 11: TcxInfo, 12: UprobeMultiInfo, 13: NetkitInfo, 14: SockmapInfo,
    15: TracingMultiInfo,
}  # fmt: skip
_PERF_EVENT = 7
_PERF_CLASSES: dict[object, type[LinkInfo]] = {  # enum bpf_perf_event_type
    1: UprobeInfo, 2: UprobeInfo, 3: KprobeInfo, 4: KprobeInfo, 5: TracepointInfo, 6: CounterInfo,
}  # fmt: skip
_ITERATOR = 4
# The arms of an iterator lie over each other: which one counts depends on what is walked.
_WALKED: Mapping[object, tuple[str, ...]] = {
    "bpf_map_elem": ("map.map_id",),
    "bpf_sk_storage_map": ("map.map_id",),
    "cgroup": ("cgroup.cgroup_id", "cgroup.order"),
    "task": ("task.tid", "task.pid"),
    "task_file": ("task.tid", "task.pid"),
    "task_vma": ("task.tid", "task.pid"),
}


def link_info(link: Fd) -> LinkInfo:
    """What the kernel says about a link (``BPF_OBJ_GET_INFO_BY_FD``; Linux 5.8)."""
    raw = bpf.link_info(link)
    details = dict(raw.details)
    kind = _PERF_CLASSES.get(details.get("kind")) if raw.type == _PERF_EVENT else _CLASSES.get(raw.type)
    if kind is None:
        return LinkInfo(raw.type, raw.id, raw.prog_id)
    if kind is CounterInfo:
        details["perf_type"] = details["type"]
    if raw.type == _ITERATOR:
        counts = _WALKED.get(details["target_name"], ())
        details = {
            name.rpartition(".")[2]: value if name in counts or "." not in name else 0
            for name, value in sorted(details.items(), key=lambda item: item[0] in counts)
        }
    own: tuple[str, ...] = kind.__match_args__[3:]
    make: Callable[..., LinkInfo] = kind
    return make(raw.type, raw.id, raw.prog_id, **{name: details[name] for name in own})
