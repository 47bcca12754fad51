"""One record per attach point: section name, program type, context, verdict, what it needs.

May import: ``isa``, ``errors``.  Invariant: pure data, read by the compiler (context and verdict),
the loader (types and target), the verifier and the docs; adding a hook is adding a record.

Section names are those of libbpf's table, so that objects travel both ways.  Numbers are
``enum bpf_prog_type`` and ``enum bpf_attach_type`` (include/uapi/linux/bpf.h).
"""

from __future__ import annotations

from enum import Enum

from beespace.errors import FormatError
from beespace.record import dataclass

__all__ = ["HOOKS", "Attachment", "Context", "Hook", "by_name", "resolve"]


class Context(Enum):
    """How the program's single argument (r1) is read."""

    STRUCT = "struct"  # a UAPI struct that the verifier rewrites; field offsets are fixed
    TRACEPOINT = "tracepoint"  # trace_event_raw_<event> from BTF, fields by name
    ARGUMENTS = "arguments"  # an array of 64-bit slots, typed by the tracepoint's prototype in BTF
    RAW_ARGUMENTS = "raw arguments"  # the same slots; pointers are untrusted
    ITERATOR = "iterator"  # bpf_iter__<target> from BTF: trusted pointers, may be null


@dataclass(frozen=True, slots=True)
class Hook:
    """One kind of attach point.

    ``section`` is the part of the ELF section name before the target.  ``variants`` are the
    allowed targets of hooks that have a closed set (``connect4``), each with its own attach type.
    ``verdict`` is what a program returns when its author returns nothing: the value that lets
    things pass.  ``capabilities`` are needed besides CAP_BPF.  ``since`` is the first kernel.
    """

    name: str
    section: str
    program_type: int
    attach_type: int
    context: Context
    context_type: str
    verdict: int
    since: str
    capabilities: tuple[str, ...]
    doc: str
    takes_target: bool = False


_TRACE = ("CAP_PERFMON",)
_NET = ("CAP_NET_ADMIN",)

HOOKS: tuple[Hook, ...] = (
    Hook("tracepoint", "tracepoint", 5, 0, Context.TRACEPOINT, "trace_event_raw_{event}", 0, "4.7", _TRACE,
         "A static tracepoint, `category:event`; the context has the event's fields.", takes_target=True),
    Hook("raw_tracepoint", "raw_tp", 17, 0, Context.RAW_ARGUMENTS, "", 0, "4.17", _TRACE,
         "A tracepoint's own arguments, without the copy into a trace record.", takes_target=True),
    Hook("btf_tracepoint", "tp_btf", 26, 23, Context.ARGUMENTS, "", 0, "5.5", _TRACE,
         "A tracepoint's own arguments as trusted, typed kernel pointers.", takes_target=True),
    Hook("iterator", "iter", 26, 28, Context.ITERATOR, "bpf_iter__{target}", 0, "5.8", _TRACE,
         "Walks kernel objects: task, task_file, tcp, udp, bpf_map, ...", takes_target=True),
    Hook("cgroup_skb/ingress", "cgroup_skb/ingress", 8, 0, Context.STRUCT, "__sk_buff", 1, "4.10", _NET,
         "Each packet that a socket of the cgroup receives, from the IP header on."),
    Hook("cgroup_skb/egress", "cgroup_skb/egress", 8, 1, Context.STRUCT, "__sk_buff", 1, "4.10", _NET,
         "Each packet that a socket of the cgroup sends, from the IP header on."),
    Hook("cgroup_sock/create", "cgroup/sock_create", 9, 2, Context.STRUCT, "bpf_sock", 1, "4.10", _NET,
         "A process of the cgroup makes an IPv4 or IPv6 socket."),
    Hook("cgroup_sock/release", "cgroup/sock_release", 9, 34, Context.STRUCT, "bpf_sock", 1, "5.9", _NET,
         "An IPv4 or IPv6 socket is closed."),
    Hook("cgroup_sock/post_bind4", "cgroup/post_bind4", 9, 12, Context.STRUCT, "bpf_sock", 1, "4.17", _NET,
         "An IPv4 socket has been bound."),
    Hook("cgroup_sock/post_bind6", "cgroup/post_bind6", 9, 13, Context.STRUCT, "bpf_sock", 1, "4.17", _NET,
         "An IPv6 socket has been bound."),
    Hook("cgroup_sock_addr/bind4", "cgroup/bind4", 18, 8, Context.STRUCT, "bpf_sock_addr", 1, "4.17", _NET,
         "bind(2) of an IPv4 socket."),
    Hook("cgroup_sock_addr/bind6", "cgroup/bind6", 18, 9, Context.STRUCT, "bpf_sock_addr", 1, "4.17", _NET,
         "bind(2) of an IPv6 socket."),
    Hook("cgroup_sock_addr/connect4", "cgroup/connect4", 18, 10, Context.STRUCT, "bpf_sock_addr", 1, "4.17", _NET,
         "connect(2) of an IPv4 socket, before its first packet."),
    Hook("cgroup_sock_addr/connect6", "cgroup/connect6", 18, 11, Context.STRUCT, "bpf_sock_addr", 1, "4.17", _NET,
         "connect(2) of an IPv6 socket, before its first packet."),
    Hook("cgroup_sock_addr/sendmsg4", "cgroup/sendmsg4", 18, 14, Context.STRUCT, "bpf_sock_addr", 1, "4.18", _NET,
         "sendmsg(2) of an unconnected IPv4 UDP socket."),
    Hook("cgroup_sock_addr/sendmsg6", "cgroup/sendmsg6", 18, 15, Context.STRUCT, "bpf_sock_addr", 1, "4.18", _NET,
         "sendmsg(2) of an unconnected IPv6 UDP socket."),
    Hook("cgroup_sock_addr/recvmsg4", "cgroup/recvmsg4", 18, 19, Context.STRUCT, "bpf_sock_addr", 1, "5.2", _NET,
         "recvmsg(2) of an unconnected IPv4 UDP socket."),
    Hook("cgroup_sock_addr/recvmsg6", "cgroup/recvmsg6", 18, 20, Context.STRUCT, "bpf_sock_addr", 1, "5.2", _NET,
         "recvmsg(2) of an unconnected IPv6 UDP socket."),
    Hook("cgroup_sock_addr/getpeername4", "cgroup/getpeername4", 18, 29, Context.STRUCT, "bpf_sock_addr", 1, "5.8",
         _NET, "getpeername(2) of an IPv4 socket."),
    Hook("cgroup_sock_addr/getpeername6", "cgroup/getpeername6", 18, 30, Context.STRUCT, "bpf_sock_addr", 1, "5.8",
         _NET, "getpeername(2) of an IPv6 socket."),
    Hook("sockops", "sockops", 13, 3, Context.STRUCT, "bpf_sock_ops", 1, "4.13", _NET,
         "Turning points of a TCP connection: connect, established, state changes, RTT, retransmits."),
)  # fmt: skip

# In libbpf's spelling, the same section under another name.
_ALIASES = {"tp": "tracepoint", "raw_tracepoint": "raw_tp"}
_BY_NAME = {hook.name: hook for hook in HOOKS}
_BY_SECTION = {hook.section: hook for hook in HOOKS}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A section name taken apart: its hook, and the target (``""`` when the hook has none)."""

    hook: Hook
    target: str

    @property
    def section(self) -> str:
        return f"{self.hook.section}/{self.target}" if self.target else self.hook.section


def by_name(name: str) -> Hook:
    """The hook of that name; ``KeyError`` if there is none."""
    return _BY_NAME[name]


def resolve(section: str) -> Attachment:
    """Take a section name apart: ``tp_btf/sched_switch`` -> (btf_tracepoint, ``sched_switch``).

    Raises :class:`FormatError` for a section that no hook has.
    """
    if section in _BY_SECTION:
        return Attachment(_BY_SECTION[section], "")
    prefix, _, target = section.partition("/")
    hook = _BY_SECTION.get(_ALIASES.get(prefix, prefix))
    if hook is None or not hook.takes_target:
        raise FormatError(
            f"no hook has the section name {section!r}",
            help="known sections: " + ", ".join(sorted(_BY_SECTION)),
        )
    return Attachment(hook, target)
