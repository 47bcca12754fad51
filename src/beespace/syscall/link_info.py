"""What the kernel says about a link (``struct bpf_link_info``): one arm for each kind."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType

from beespace.record import dataclass
from beespace.syscall._attributes import BPF_LINK_INFO
from beespace.syscall.descriptor import Fd
from beespace.syscall.objects import Info
from beespace.typed import NamedTuple, TypeAlias

__all__ = ["Detail", "LinkInfo", "link_info"]

Detail: TypeAlias = "int | str | tuple[int, ...]"


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """``struct bpf_link_info``; ``details`` are the fields of the link's kind (``cgroup_id``, ``tp_name``).

    A kernel that does not say more than type, id and program leaves 0, ``""`` and ``()``.
    """

    type: int
    id: int
    prog_id: int
    details: Mapping[str, Detail]


class _Arm(NamedTuple):
    """``text`` is a field for a string, with the field of its room; ``arrays`` hold ``count`` numbers each."""

    prefix: str
    text: tuple[str, str] | None = None
    arrays: tuple[tuple[str, str], ...] = ()  # field, and the format of one number


_PLACES = (("addrs", "Q"), ("cookies", "Q"))
_OFFSETS = (("offsets", "Q"), ("ref_ctr_offsets", "Q"), ("cookies", "Q"))
_TARGETS = (("ids", "I"), *_PLACES)
_NAME = ("target_name", "target_name_len")

# enum bpf_link_type
_ARMS: Mapping[int, _Arm] = {
    1: _Arm("raw_tracepoint.", ("tp_name", "tp_name_len")),
    2: _Arm("tracing."),
    3: _Arm("cgroup."),
    4: _Arm("iter.", _NAME),
    5: _Arm("netns."),
    6: _Arm("xdp."),
    8: _Arm("kprobe_multi.", None, _PLACES),
    9: _Arm("struct_ops."),
    10: _Arm("netfilter."),
    11: _Arm("tcx."),
    12: _Arm("uprobe_multi.", ("path", "path_size"), _OFFSETS),
    13: _Arm("netkit."),
    14: _Arm("sockmap."),
    15: _Arm("tracing_multi.", None, _TARGETS),
}
_PERF_EVENT = 7
# enum bpf_perf_event_type; 0 before Linux 6.6
_PERF_ARMS: Mapping[int, _Arm] = {
    1: _Arm("perf_event.uprobe.", ("file_name", "name_len")),
    2: _Arm("perf_event.uprobe.", ("file_name", "name_len")),
    3: _Arm("perf_event.kprobe.", ("func_name", "name_len")),
    4: _Arm("perf_event.kprobe.", ("func_name", "name_len")),
    5: _Arm("perf_event.tracepoint.", ("tp_name", "name_len")),
    6: _Arm("perf_event.event."),
}
_NOTHING = _Arm("")
_PATH_MAX = 4096


def link_info(fd: Fd) -> LinkInfo:
    """What the kernel says about a link (5.8)."""
    info = Info(BPF_LINK_INFO, fd, {})
    is_perf = info["type"] == _PERF_EVENT
    arm = _PERF_ARMS.get(info["perf_event.type"], _NOTHING) if is_perf else _ARMS.get(info["type"], _NOTHING)
    count = info[arm.prefix + "count"] if arm.arrays else 0
    buffers: dict[str, bytearray] = {}
    sizes: dict[str, int] = {}
    if arm.text is not None:
        name, size = (arm.prefix + part for part in arm.text)
        buffers[name], sizes[size] = bytearray(_PATH_MAX), _PATH_MAX
    for name, format in arm.arrays if count else ():
        buffers[arm.prefix + name] = bytearray(struct.calcsize(format) * count)
        sizes[arm.prefix + "count"] = count
    if buffers:
        info = Info(BPF_LINK_INFO, fd, buffers, **sizes)
    details: dict[str, Detail] = {"kind": info["perf_event.type"]} if is_perf and arm.prefix else {}
    for field in BPF_LINK_INFO.fields if arm.prefix else ():
        if field.startswith(arm.prefix):
            details[field.removeprefix(arm.prefix)] = info[field]
    if arm.text is not None:
        name, size = arm.text
        del details[size]
        details[name] = buffers[arm.prefix + name].split(b"\0", 1)[0].decode("utf-8", "replace")
    for name, format in arm.arrays:
        details[name] = struct.unpack(f"={count}{format}", buffers.get(arm.prefix + name, b""))
    return LinkInfo(info["type"], info["id"], info["prog_id"], MappingProxyType(details))
