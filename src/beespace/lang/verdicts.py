"""What programs return, by name: one enumeration for each family of hooks.

The numbers are those of include/uapi/linux/bpf.h, pkt_cls.h and netfilter.h.  Every name also stands alone:
``from beespace.lang.verdicts import XDP_DROP``.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "BPF_DROP", "BPF_LWT_REROUTE", "BPF_OK", "BPF_REDIRECT", "CGROUP_ALLOW", "CGROUP_DENY", "NETKIT_DROP",
    "NETKIT_NEXT", "NETKIT_PASS", "NETKIT_REDIRECT", "NF_ACCEPT", "NF_DROP", "SK_DROP", "SK_PASS", "TCX_DROP",
    "TCX_NEXT", "TCX_PASS", "TCX_REDIRECT", "TC_ACT_OK", "TC_ACT_PIPE", "TC_ACT_QUEUED", "TC_ACT_RECLASSIFY",
    "TC_ACT_REDIRECT", "TC_ACT_SHOT", "TC_ACT_STOLEN", "TC_ACT_TRAP", "TC_ACT_UNSPEC", "XDP_ABORTED", "XDP_DROP",
    "XDP_PASS", "XDP_REDIRECT", "XDP_TX", "CgroupVerdict", "NetfilterVerdict", "NetkitVerdict", "RouteVerdict",
    "SocketVerdict", "TcVerdict", "TcxVerdict", "XdpVerdict",
]  # fmt: skip


class XdpVerdict(IntEnum):
    """``enum xdp_action``: what becomes of a packet in ``@xdp``."""

    XDP_ABORTED = 0
    XDP_DROP = 1
    XDP_PASS = 2
    XDP_TX = 3
    XDP_REDIRECT = 4


class TcVerdict(IntEnum):
    """``TC_ACT_*``: what becomes of a packet in ``@tc``."""

    TC_ACT_UNSPEC = -1
    TC_ACT_OK = 0
    TC_ACT_RECLASSIFY = 1
    TC_ACT_SHOT = 2
    TC_ACT_PIPE = 3
    TC_ACT_STOLEN = 4
    TC_ACT_QUEUED = 5
    TC_ACT_REDIRECT = 7
    TC_ACT_TRAP = 8


class TcxVerdict(IntEnum):
    """``enum tcx_action_base``: the same for ``@tc`` where it is attached by tcx."""

    TCX_NEXT = -1
    TCX_PASS = 0
    TCX_DROP = 2
    TCX_REDIRECT = 7


class NetkitVerdict(IntEnum):
    """``enum netkit_action``: what becomes of a packet in ``@netkit``."""

    NETKIT_NEXT = -1
    NETKIT_PASS = 0
    NETKIT_DROP = 2
    NETKIT_REDIRECT = 7


class SocketVerdict(IntEnum):
    """``enum sk_action``: ``@sk_msg``, ``@sk_skb``, ``@sk_lookup``, ``@sk_reuseport``."""

    SK_DROP = 0
    SK_PASS = 1


class NetfilterVerdict(IntEnum):
    """What ``@netfilter`` may return of the verdicts of netfilter."""

    NF_DROP = 0
    NF_ACCEPT = 1


class RouteVerdict(IntEnum):
    """``enum bpf_ret_code``: ``@lwt_in``, ``@lwt_out``, ``@lwt_xmit``, ``@flow_dissector``."""

    BPF_OK = 0
    BPF_DROP = 2
    BPF_REDIRECT = 7
    BPF_LWT_REROUTE = 128


class CgroupVerdict(IntEnum):
    """Hooks of cgroups: 1 allows, 0 forbids (EPERM).  True and False say the same."""

    CGROUP_DENY = 0
    CGROUP_ALLOW = 1


XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT = XdpVerdict
(
    TC_ACT_UNSPEC, TC_ACT_OK, TC_ACT_RECLASSIFY, TC_ACT_SHOT, TC_ACT_PIPE, TC_ACT_STOLEN, TC_ACT_QUEUED,
    TC_ACT_REDIRECT, TC_ACT_TRAP,
) = TcVerdict  # fmt: skip
TCX_NEXT, TCX_PASS, TCX_DROP, TCX_REDIRECT = TcxVerdict
NETKIT_NEXT, NETKIT_PASS, NETKIT_DROP, NETKIT_REDIRECT = NetkitVerdict
SK_DROP, SK_PASS = SocketVerdict
NF_DROP, NF_ACCEPT = NetfilterVerdict
BPF_OK, BPF_DROP, BPF_REDIRECT, BPF_LWT_REROUTE = RouteVerdict
CGROUP_DENY, CGROUP_ALLOW = CgroupVerdict
