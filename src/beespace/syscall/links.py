"""Links: a program stays attached for as long as a descriptor (or a pin) of its link lives."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

from beespace.record import dataclass
from beespace.syscall import capabilities, door
from beespace.syscall._attributes import Command
from beespace.syscall.descriptor import Descriptor, Fd, number
from beespace.syscall.layout import Value
from beespace.syscall.request import ask
from beespace.typed import Protocol


class Where(Protocol):
    """More about the attach point than a target and an attach type: one arm of the union in ``link_create``."""

    def fields(self) -> dict[str, Value]:
        """The attributes to set."""


@dataclass(frozen=True, slots=True)
class IteratorTarget:
    """What a BPF iterator walks: a packed ``union bpf_iter_link_info`` (``map_fd``, ``cgroup``, ``task``; 5.8)."""

    info: bytes

    @classmethod
    def of_map(cls, map_fd: Fd) -> IteratorTarget:
        """Walk the entries of a map (``bpf_map_elem``, ``bpf_sk_storage_map``)."""
        return cls(struct.pack("=I", number(map_fd)))

    @classmethod
    def of_task(cls, *, tid: int = 0, pid: int = 0, pid_fd: Fd | None = None) -> IteratorTarget:
        """Walk one thread or one process only (6.1)."""
        return cls(struct.pack("=III", tid, pid, number(pid_fd)))

    @classmethod
    def of_cgroup(cls, cgroup_fd: Fd, order: int) -> IteratorTarget:
        """Walk cgroups from one on, in ``enum bpf_cgroup_iter_order`` (6.1)."""
        return cls(struct.pack("=IIQ", order, number(cgroup_fd), 0))

    def fields(self) -> dict[str, Value]:
        return {"iter_info": self.info, "iter_info_len": len(self.info)}


@dataclass(frozen=True, slots=True)
class PerfCookie:
    """What ``bpf_get_attach_cookie`` gives at a perf event (tracepoint, kprobe, uprobe; 5.15)."""

    cookie: int

    def fields(self) -> dict[str, Value]:
        return {"perf_event.bpf_cookie": self.cookie}


@dataclass(frozen=True, slots=True)
class TracingTarget:
    """Another target than at load time (freplace, 5.10), or a cookie (fentry, LSM, BTF tracepoint; 5.19)."""

    target_btf_id: int = 0
    cookie: int = 0

    def fields(self) -> dict[str, Value]:
        return {"tracing.target_btf_id": self.target_btf_id, "tracing.cookie": self.cookie}


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place among the programs already there, next to program or link ``relative_fd`` or ``relative_id``.

    Before or after is a flag of the link (``BPF_F_BEFORE``, ``BPF_F_AFTER``; ``BPF_F_ID`` with an id, ``BPF_F_LINK``
    with a link).  The attach fails with ESTALE when ``expected_revision`` is not 0 and the list has changed since.
    tcx 6.6, netkit 6.7, cgroup 6.17: the arms of the three lie alike.
    """

    relative_fd: Fd | None = None
    relative_id: int = 0
    expected_revision: int = 0

    def fields(self) -> dict[str, Value]:
        return {
            "tcx.relative_fd": self.relative_id or number(self.relative_fd),
            "tcx.expected_revision": self.expected_revision,
        }


@dataclass(frozen=True, slots=True)
class NetfilterHook:
    """A netfilter hook: protocol family, hook number, priority (6.4)."""

    pf: int
    hooknum: int
    priority: int
    flags: int = 0

    def fields(self) -> dict[str, Value]:
        return {
            "netfilter.pf": self.pf,
            "netfilter.hooknum": self.hooknum,
            "netfilter.priority": self.priority,
            "netfilter.flags": self.flags,
        }


@dataclass(frozen=True, slots=True)
class KprobeMulti:
    """Many kernel functions at once, by address or by name (5.18), one cookie for each or none.

    ``flags`` 1 is ``BPF_F_KPROBE_MULTI_RETURN``.  Of a name that several functions bear, the kernel takes one.
    """

    addresses: Sequence[int] = ()
    cookies: Sequence[int] = ()
    flags: int = 0
    symbols: Sequence[str] = ()

    def fields(self) -> dict[str, Value]:
        return {
            "kprobe_multi.flags": self.flags,
            "kprobe_multi.cnt": len(self.addresses) or len(self.symbols),
            "kprobe_multi.syms": _texts(self.symbols),
            "kprobe_multi.addrs": _words(self.addresses),
            "kprobe_multi.cookies": _words(self.cookies),
        }


@dataclass(frozen=True, slots=True)
class UprobeMulti:
    """Many places of one file at once, by file offset (6.6).  ``pid`` 0: every process; ``flags`` 1: on return."""

    path: str
    offsets: Sequence[int]
    reference_counters: Sequence[int] = ()
    cookies: Sequence[int] = ()
    pid: int = 0
    flags: int = 0

    def fields(self) -> dict[str, Value]:
        return {
            "uprobe_multi.path": os.fsencode(self.path) + b"\0",
            "uprobe_multi.offsets": _words(self.offsets),
            "uprobe_multi.ref_ctr_offsets": _words(self.reference_counters),
            "uprobe_multi.cookies": _words(self.cookies),
            "uprobe_multi.cnt": len(self.offsets),
            "uprobe_multi.flags": self.flags,
            "uprobe_multi.pid": self.pid,
        }


@dataclass(frozen=True, slots=True)
class TracingMulti:
    """Many kernel functions at once, by their ids in the kernel's types (7.2), one cookie for each or none."""

    ids: Sequence[int]
    cookies: Sequence[int] = ()

    def fields(self) -> dict[str, Value]:
        return {
            "tracing_multi.ids": struct.pack(f"={len(self.ids)}I", *self.ids),
            "tracing_multi.cookies": _words(self.cookies),
            "tracing_multi.cnt": len(self.ids),
        }


def _words(numbers: Sequence[int]) -> bytes:
    return struct.pack(f"={len(numbers)}Q", *numbers)


class _Pointers(bytearray):
    """An array of pointers, and what they point to."""

    keep: list[object]


def _texts(texts: Sequence[str]) -> _Pointers:
    """``char *[]``."""
    keep: list[object] = []
    pointers = _Pointers(_words([door.address(text.encode() + b"\0", keep) for text in texts]))
    pointers.keep = keep
    return pointers


def link_create(
    prog_fd: Fd,
    attach_type: int,
    *,
    target_fd: Fd | None = None,
    target_ifindex: int = 0,
    flags: int = 0,
    target_btf_id: int = 0,
    where: Where | None = None,
) -> Descriptor:
    """Attach a program (``BPF_LINK_CREATE``); it is detached when the last descriptor of the link closes.

    ``attach_type`` is ``enum bpf_attach_type``; ``target_fd`` a cgroup directory, perf event, network namespace, socket
    map or program; ``target_ifindex`` an interface.  ``prog_fd`` is a map for ``BPF_STRUCT_OPS``.
    cgroup 5.7, iterator and network namespace 5.8, XDP 5.9, perf event 5.15, tracing 5.19, tcx 6.6.
    """
    fields: dict[str, Value] = {
        "prog_fd": number(prog_fd),
        "target_fd": target_ifindex or number(target_fd),
        "attach_type": attach_type,
        "flags": flags,
        "target_btf_id": target_btf_id,
    }
    if where is not None:
        fields |= where.fields()
    needs = capabilities.for_attach_type(attach_type)
    answer = ask(Command.LINK_CREATE, "attach a program", fields, needs=needs)
    return Descriptor(answer.result, "link")


def link_update(link_fd: Fd, new_prog_fd: Fd, *, old_prog_fd: Fd | None = None, flags: int = 0) -> None:
    """Replace the program of a link in one step (5.7).

    With ``old_prog_fd`` only if that is the current one (``BPF_F_REPLACE``).
    """
    fields: dict[str, Value] = {
        "link_fd": number(link_fd),
        "new_prog_fd": number(new_prog_fd),
        "old_prog_fd": number(old_prog_fd),
        "flags": flags if old_prog_fd is None else flags | 4,
    }
    ask(Command.LINK_UPDATE, "replace the program of a link", fields)


def link_detach(link_fd: Fd) -> None:
    """Detach now, though the descriptor stays open (5.9); not every kind of link can."""
    ask(Command.LINK_DETACH, "detach a link", {"link_fd": number(link_fd)})


def iter_create(link_fd: Fd, flags: int = 0) -> Descriptor:
    """A new walk of an iterator link: reading the descriptor runs the program and gives what it printed (5.8)."""
    answer = ask(Command.ITER_CREATE, "start an iterator", {"link_fd": number(link_fd), "flags": flags})
    return Descriptor(answer.result, "iterator")
