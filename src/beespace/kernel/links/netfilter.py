"""Netfilter hooks (Linux 6.4): where iptables and nftables look at packets, in one order with them.

A program returns 0 (drop) or 1 (accept).  The kernel detaches with the process.
"""

from __future__ import annotations

import errno

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.links.network import chosen, open_netns
from beespace.syscall import bpf
from beespace.syscall.namespaces import inside

__all__ = ["FAMILIES", "HOOKS", "attach"]

_NETFILTER = 45  # BPF_NETFILTER, enum bpf_attach_type
_DEFRAGMENT = 1  # BPF_F_NETFILTER_IP_DEFRAG
FAMILIES = {"inet": 2, "inet6": 10, "bridge": 7}  # NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_BRIDGE
# enum nf_inet_hooks
HOOKS = {"pre_routing": 0, "local_in": 1, "forward": 2, "local_out": 3, "post_routing": 4}
_DEFRAGMENTED = -400  # NF_IP_PRI_CONNTRACK_DEFRAG


def attach(program: Attachable, where: Where) -> Link:
    """Attach to hook ``where.netfilter_hook`` of ``where.family`` (IPv4, if not given) with ``where.priority``.

    Smaller priorities run first; each BPF program at a hook needs one of its own (0, if not given).
    ``where.defragment`` has packets put together before (Linux 6.6), at priorities above -400.
    """
    family = chosen("family", where.family or "inet", FAMILIES, program)
    hook = chosen("netfilter_hook", where.netfilter_hook, HOOKS, program)
    priority = where.priority or 0
    if where.defragment and priority <= _DEFRAGMENTED:
        raise UsageError(
            f"program {program.name!r} cannot get whole packets at priority {priority}",
            help=f"packets are put together at {_DEFRAGMENTED}: give a larger one",
        )
    place = bpf.NetfilterHook(family, hook, priority, _DEFRAGMENT if where.defragment else 0)
    netns = open_netns(where)
    try:
        descriptor = inside(netns, lambda: bpf.link_create(program.fileno(), _NETFILTER, where=place))
    except KernelError as error:
        raise _explained(error, program, where) from None
    finally:
        if netns is not None:
            netns.close()
    at = f"{where.family or 'inet'} {where.netfilter_hook}, priority {priority}"
    return Link(program, descriptor, via="netfilter link", at=at)


def _explained(error: KernelError, program: Attachable, where: Where) -> KernelError:
    what, call, code = f"cannot attach {program.name!r}", error.call, error.errno
    if code == errno.EINVAL:
        return NotSupported("netfilter links", since="6.4", call=call, errno=code, help="use a tc or cgroup program")
    if code == errno.EOPNOTSUPP and where.defragment:
        return NotSupported(
            "putting packets together for netfilter programs", since="6.6", call=call, errno=code,
            help="leave defragment= out",
        )  # fmt: skip
    if code == errno.EBUSY:
        return KernelError(
            f"{what}: another BPF program has priority {where.priority or 0} at {where.netfilter_hook}",
            call=call, errno=code, help="give another priority=",
        )  # fmt: skip
    if code == errno.ERANGE:
        return KernelError(
            f"{what}: the kernel keeps priority {where.priority} for itself", call=call, errno=code,
            help="those between are free: -2147483647 to 2147483646",
        )  # fmt: skip
    if code == errno.EAFNOSUPPORT:
        return NotSupported(f"netfilter programs of family {where.family}", call=call, errno=code)
    return error
