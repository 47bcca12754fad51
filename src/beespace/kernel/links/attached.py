"""What is attached somewhere: programs in the order in which they run, whoever attached them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.hooks import Hook, resolve
from beespace.kernel.links.cgroup import open_cgroup
from beespace.kernel.links.info import NetfilterInfo
from beespace.kernel.links.link import Cgroup, Where
from beespace.kernel.links.network import open_netns, open_port
from beespace.record import dataclass
from beespace.syscall import Descriptor, HasFileno, bpf, rtnetlink

__all__ = ["Attached", "Place", "query"]

_EFFECTIVE = 1  # BPF_F_QUERY_EFFECTIVE
_PARENTS = {"ingress": rtnetlink.INGRESS, "egress": rtnetlink.EGRESS}
_SKB_DIRECTIONS = {"ingress": 0, "egress": 1}


@dataclass(frozen=True, slots=True)
class Attached:
    """One program at a place.

    ``link_id`` is 0 if it has no link, or the kernel does not tell (cgroups); ``flags`` are ``BPF_F_*`` of cgroups
    (Linux 6.0); ``at`` says more in words: the mode of XDP, priority and handle of a filter.
    """

    prog_id: int
    link_id: int = 0
    flags: int = 0
    at: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """What is attached at one place.

    ``flags`` are ``BPF_F_*`` of the cgroup.  ``revision`` counts changes (tcx and netkit; cgroups since Linux 6.17;
    else 0): given to ``attach(revision=...)``, the program is attached only if nothing has changed.
    """

    programs: tuple[Attached, ...]
    flags: int = 0
    revision: int = 0


def query(
    section: str,
    *,
    cgroup: Cgroup | None = None,
    interface: str | int | None = None,
    netns: Cgroup | None = None,
    map: HasFileno | None = None,
    device: str | os.PathLike[str] | None = None,
    direction: str | None = None,
    effective: bool = False,
) -> Place:
    """What is attached for the hook of ``section`` (``cgroup_skb/egress``, ``tcx/ingress``, ``xdp``, ``sk_lookup``).

    Arguments are those that :class:`Where` has for such a program.  ``effective`` counts what a cgroup inherits from
    those above.  Of ``netfilter`` all programs of the system are told, in no order.  Needs ``CAP_NET_ADMIN``.
    """
    hook = resolve(section).hook
    ask = _WAYS.get(hook.link)
    if ask is None:
        raise UsageError(
            f"what is attached to {section!r} cannot be asked by place",
            help="walk all links: with all_links() as links",
        )
    where = Where(cgroup=cgroup, interface=interface, netns=netns, map=map, device=device, direction=direction)
    if effective and not hook.link.startswith("cgroup"):
        raise UsageError(f"effective= is for cgroups, not for {section!r}")
    return ask(hook, where, effective)


def _cgroup(hook: Hook, where: Where, effective: bool) -> Place:
    attach_type = hook.attach_type
    if hook.link == "cgroup_skb":
        attach_type = _one_of(_SKB_DIRECTIONS, where.direction)
    with open_cgroup(where.cgroup) as cgroup:
        if effective:
            return _place(bpf.prog_query(attach_type, target_fd=cgroup, query_flags=_EFFECTIVE))
        try:
            return _place(bpf.prog_query(attach_type, target_fd=cgroup, flags_of_each=True))
        except KernelError as error:
            if error.errno != errno.EINVAL:
                raise
            return _place(bpf.prog_query(attach_type, target_fd=cgroup))  # before 6.0


def _list(hook: Hook, where: Where, effective: bool) -> Place:
    """tcx and netkit."""
    with open_port(_interface(where), where) as at:
        try:
            return _place(at.inside(lambda: bpf.prog_query(hook.attach_type, target_ifindex=at.index)))
        except KernelError as error:
            if error.errno != errno.EINVAL:
                raise
            since = "6.6" if hook.link == "tcx" else "6.7"
            raise NotSupported(hook.link, since=since, call=error.call, errno=error.errno) from error


def _xdp(hook: Hook, where: Where, effective: bool) -> Place:
    with open_port(_interface(where), where) as at:
        return Place(tuple(Attached(prog_id, at=mode) for mode, prog_id in at.interface.xdp.items()))


def _filters(hook: Hook, where: Where, effective: bool) -> Place:
    parent = _one_of(_PARENTS, where.direction)
    with open_port(_interface(where), where) as at:
        found = [each for each in rtnetlink.filters(at.netlink, at.index, parent) if each.prog_id]
    return Place(tuple(Attached(each.prog_id, at=f"pref {each.priority} handle {each.handle:#x}") for each in found))


def _netns(hook: Hook, where: Where, effective: bool) -> Place:
    with open_netns(where) or _descriptor("/proc/thread-self/ns/net") as netns:
        return _place(bpf.prog_query(hook.attach_type, target_fd=netns))


def _sockmap(hook: Hook, where: Where, effective: bool) -> Place:
    if where.map is None:
        raise UsageError("which map of sockets?", help="say map=")
    try:
        return _place(bpf.prog_query(hook.attach_type, target_fd=where.map))
    except KernelError as error:
        if error.errno != errno.EINVAL:
            raise
        what = "asking for the programs of a socket map"
        raise NotSupported(what, since="5.18", call=error.call, errno=error.errno) from error


def _lirc(hook: Hook, where: Where, effective: bool) -> Place:
    if where.device is None:
        raise UsageError("which infrared receiver?", help="say device='/dev/lirc0'")
    with _descriptor(os.fspath(where.device)) as receiver:
        return _place(bpf.prog_query(hook.attach_type, target_fd=receiver))


def _netfilter(hook: Hook, where: Where, effective: bool) -> Place:
    from beespace.kernel.links.walk import all_links

    with all_links() as links:
        found = [(info.priority, info) for each in links if isinstance(info := each.info, NetfilterInfo)]
    return Place(
        tuple(
            Attached(info.prog_id, info.id, at=f"pf {info.pf} hook {info.hooknum} priority {priority}")
            for priority, info in found
        )
    )


_WAYS: dict[str, Callable[[Hook, Where, bool], Place]] = {
    "cgroup": _cgroup, "cgroup_skb": _cgroup, "tcx": _list, "netkit": _list, "xdp": _xdp, "tc": _filters,
    "netns": _netns, "sockmap": _sockmap, "lirc": _lirc, "netfilter": _netfilter,
}  # fmt: skip


def _place(told: bpf.Attached) -> Place:
    nothing = (0,) * len(told.prog_ids)
    each = zip(told.prog_ids, told.link_ids or nothing, told.prog_attach_flags or nothing, strict=True)
    return Place(tuple(Attached(*one) for one in each), told.attach_flags, told.revision)


def _interface(where: Where) -> str | int:
    if where.interface is None:
        raise UsageError("which interface?", help="say interface='eth0'")
    return where.interface


def _one_of(choices: dict[str, int], direction: str | None) -> int:
    if direction not in choices:
        raise UsageError(f"which direction? {direction!r} is none", help=f"say direction= {' or '.join(choices)}")
    return choices[direction]


def _descriptor(path: str) -> Descriptor:
    try:
        return Descriptor(os.open(path, os.O_RDONLY | os.O_CLOEXEC), path)
    except OSError as error:
        raise UsageError(f"{path} cannot be opened: {os.strerror(error.errno or 0)}") from None
