"""Interfaces, their XDP programs and their tc filters, through rtnetlink(7).

Source: include/uapi/linux/if_link.h, rtnetlink.h, pkt_cls.h, pkt_sched.h.
"""

from __future__ import annotations

import errno
import struct

from beespace.errors import KernelError
from beespace.record import dataclass
from beespace.syscall.descriptor import Fd
from beespace.syscall.descriptor import number as fd_number
from beespace.syscall.netlink import (
    CREATE,
    DUMP,
    ECHO,
    EXCLUSIVE,
    REPLACE,
    Attributes,
    Netlink,
    attribute,
    attributes,
    nested,
    number,
    text,
)

__all__ = [
    "EGRESS", "INGRESS", "NATIVE", "GENERIC", "OFFLOAD", "Filter", "Interface", "add_clsact", "add_filter",
    "delete_clsact", "delete_filter", "filters", "has_clsact", "interface", "interface_names", "set_xdp",
]  # fmt: skip

_GETLINK, _SETLINK, _NEWQDISC, _DELQDISC, _GETQDISC = 18, 19, 36, 37, 38
_NEWTFILTER, _DELTFILTER, _GETTFILTER = 44, 45, 46

_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
_IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_XDP, _INFO_KIND = 3, 4, 18, 43, 1
_XDP_FD, _XDP_ATTACHED, _XDP_FLAGS, _XDP_PROG_ID, _XDP_EXPECTED_FD = 1, 2, 3, 4, 8
# IFLA_XDP_DRV_PROG_ID, _SKB_PROG_ID, _HW_PROG_ID
_XDP_IDS = {"native": 5, "generic": 6, "offload": 7}
_XDP_MODES = {1: "native", 2: "generic", 3: "offload"}  # XDP_ATTACHED_DRV, _SKB, _HW; 4: several
GENERIC, NATIVE, OFFLOAD = 2, 4, 8  # XDP_FLAGS_SKB_MODE, _DRV_MODE, _HW_MODE: the same in links
_XDP_IF_NOEXIST, _XDP_REPLACE = 1, 16

_TC = struct.Struct("=BxxxiIII")  # struct tcmsg: family, ifindex, handle, parent, info
_TCA_KIND, _TCA_OPTIONS, _TCA_CHAIN = 1, 2, 11
_BPF_FD, _BPF_NAME, _BPF_FLAGS, _BPF_ID = 6, 7, 8, 11  # TCA_BPF_*
_DIRECT_ACTION = 1
_CLSACT, _CLSACT_HANDLE = 0xFFFFFFF1, 0xFFFF0000
INGRESS, EGRESS = 0xFFFFFFF2, 0xFFFFFFF3  # TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), _EGRESS


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface.  ``kind`` is what it was made as (``veth``, ``netkit``; ``""``: hardware or loopback),
    ``hardware`` what its packets begin with (ARPHRD_*; 1: Ethernet).

    ``xdp`` is the program id in each mode (``native``, ``generic``, ``offload``) that has one.
    """

    index: int
    name: str
    mtu: int
    kind: str
    xdp: dict[str, int]
    hardware: int = 1


@dataclass(frozen=True, slots=True)
class Filter:
    """A tc filter: its place, and (of kind ``bpf``) the id of its program and the name that it was given."""

    kind: str
    priority: int
    handle: int
    chain: int
    prog_id: int
    name: str
    direct_action: bool


def interface(netlink: Netlink, which: str | int) -> Interface:
    """The interface of that name or index.  :class:`KernelError` with ENODEV if there is none."""
    index, named = (0, attribute(_IFLA_IFNAME, which)) if isinstance(which, str) else (which, b"")
    body = _LINK.pack(0, 0, index, 0, 0) + named
    (answer,) = netlink.ask("RTM_GETLINK", _GETLINK, body, f"find the interface {which!r}")
    return _interface(answer.body)


def interface_names(netlink: Netlink) -> list[str]:
    """The names of all interfaces."""
    answers = netlink.ask("RTM_GETLINK", _GETLINK, _LINK.pack(0, 0, 0, 0, 0), "list the interfaces", flags=DUMP)
    return [_interface(answer.body).name for answer in answers]


def _interface(body: bytes) -> Interface:
    told = attributes(body[_LINK.size :])
    xdp = attributes(told.get(_IFLA_XDP, b""))
    running = {mode: number(xdp.get(kind)) for mode, kind in _XDP_IDS.items()}
    mode = _XDP_MODES.get(number(xdp.get(_XDP_ATTACHED)))
    if mode is not None:
        running[mode] = number(xdp.get(_XDP_PROG_ID))
    return Interface(
        index=_LINK.unpack_from(body)[2],
        name=text(told.get(_IFLA_IFNAME)),
        mtu=number(told.get(_IFLA_MTU)),
        kind=text(attributes(told.get(_IFLA_LINKINFO, b"")).get(_INFO_KIND)),
        xdp={mode: id for mode, id in running.items() if id},
        hardware=_LINK.unpack_from(body)[1],
    )


def set_xdp(netlink: Netlink, index: int, program: Fd | None, *, mode: int = 0, expected: Fd | None = None) -> None:
    """Put an XDP program on an interface, or take it away (``None``); it stays until somebody else does that.

    ``mode`` is ``NATIVE``, ``GENERIC``, ``OFFLOAD`` or 0 (the driver's, if it has one).  ``expected`` is the program
    that is there now (Linux 5.7, EEXIST if it is another); not given, there must be none (EBUSY).
    """
    flags = mode | (_XDP_IF_NOEXIST if expected is None else _XDP_REPLACE)
    options = [attribute(_XDP_FD, -1 if program is None else fd_number(program)), attribute(_XDP_FLAGS, flags)]
    if expected is not None:
        options.append(attribute(_XDP_EXPECTED_FD, fd_number(expected)))
    what = "detach an XDP program" if program is None else "attach an XDP program"
    body = _LINK.pack(0, 0, index, 0, 0) + nested(_IFLA_XDP, *options)
    netlink.ask("RTM_SETLINK", _SETLINK, body, what)


def add_clsact(netlink: Netlink, index: int) -> bool:
    """Make the queueing discipline ``clsact``, which holds filters; ``False`` if there is one at its place."""
    body = _TC.pack(0, index, _CLSACT_HANDLE, _CLSACT, 0) + attribute(_TCA_KIND, "clsact")
    try:
        netlink.ask("RTM_NEWQDISC", _NEWQDISC, body, "make the qdisc clsact", flags=CREATE | EXCLUSIVE)
    except KernelError as error:
        if error.errno == errno.EEXIST:
            return False
        raise
    return True


def delete_clsact(netlink: Netlink, index: int) -> None:
    """Remove ``clsact`` with all of its filters."""
    netlink.ask("RTM_DELQDISC", _DELQDISC, _TC.pack(0, index, _CLSACT_HANDLE, _CLSACT, 0), "remove the qdisc clsact")


def has_clsact(netlink: Netlink, index: int) -> bool:
    """Whether an interface has ``clsact``."""
    answers = netlink.ask("RTM_GETQDISC", _GETQDISC, _TC.pack(0, index, 0, 0, 0), "list the qdiscs", flags=DUMP)
    return any(
        _TC.unpack_from(answer.body)[1] == index
        and text(attributes(answer.body[_TC.size :]).get(_TCA_KIND)) == "clsact"
        for answer in answers
    )


def filters(netlink: Netlink, index: int, parent: int) -> list[Filter]:
    """The filters of an interface at ``INGRESS`` or ``EGRESS``, in the order in which they run."""
    body = _TC.pack(0, index, 0, parent, 0)
    answers = netlink.ask("RTM_GETTFILTER", _GETTFILTER, body, "list the tc filters", flags=DUMP)
    found = (_filter(answer.body) for answer in answers)
    return [each for each in found if each.handle or each.kind != "bpf"]  # without handle: the head of a list


def _filter(body: bytes) -> Filter:
    _, _, handle, _, info = _TC.unpack_from(body)
    told = attributes(body[_TC.size :])
    options: Attributes = attributes(told.get(_TCA_OPTIONS, b""))
    return Filter(
        kind=text(told.get(_TCA_KIND)),
        priority=info >> 16,
        handle=handle,
        chain=number(told.get(_TCA_CHAIN)),
        prog_id=number(options.get(_BPF_ID)),
        name=text(options.get(_BPF_NAME)),
        direct_action=bool(number(options.get(_BPF_FLAGS)) & _DIRECT_ACTION),
    )


def add_filter(
    netlink: Netlink,
    index: int,
    parent: int,
    program: Fd,
    *,
    name: str,
    priority: int = 0,
    handle: int = 0,
    replace: bool = False,
) -> Filter:
    """Put a program at ``INGRESS`` or ``EGRESS`` as a filter whose result is the verdict (``direct-action``).

    Smaller priorities run first; 0: the kernel chooses one before all that are there.  With ``replace`` it takes the
    place of the filter with that priority and handle.
    """
    options = nested(
        _TCA_OPTIONS,
        attribute(_BPF_FD, fd_number(program)),
        attribute(_BPF_NAME, name),
        attribute(_BPF_FLAGS, _DIRECT_ACTION),
    )
    body = _place(index, parent, priority, handle) + attribute(_TCA_KIND, "bpf") + options
    flags = ECHO | (REPLACE if replace else CREATE | EXCLUSIVE)
    answers = netlink.ask("RTM_NEWTFILTER", _NEWTFILTER, body, "add a tc filter", flags=flags)
    return _filter(answers[0].body)


def delete_filter(netlink: Netlink, index: int, parent: int, priority: int, handle: int) -> None:
    """Remove the filter of kind ``bpf`` with that priority and handle."""
    body = _place(index, parent, priority, handle) + attribute(_TCA_KIND, "bpf")
    netlink.ask("RTM_DELTFILTER", _DELTFILTER, body, "remove a tc filter")


def _place(index: int, parent: int, priority: int, handle: int) -> bytes:
    return _TC.pack(0, index, handle, parent, priority << 16 | _protocol())


def _protocol() -> int:
    """``htons(ETH_P_ALL)``."""
    value: int = struct.unpack("=H", struct.pack("!H", 3))[0]
    return value
