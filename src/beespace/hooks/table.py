"""The table of hooks.  Numbers are ``enum bpf_prog_type`` and ``enum bpf_attach_type`` (include/uapi/linux/bpf.h)."""

from __future__ import annotations

from collections.abc import Iterator

from beespace.hooks.hook import Context, Hook
from beespace.record import replace

__all__ = ["ALIASES", "HOOKS"]

_TRACE = ("CAP_PERFMON",)
_NET = ("CAP_NET_ADMIN",)
_KERNEL_INTERFACE = ("CAP_PERFMON", "CAP_NET_ADMIN")
_REGS, _ARGS = Context.REGISTERS, Context.ARGUMENTS


def _trace(name: str, type: int, attach: int, context: Context, since: str, link: str, doc: str, of: str = "") -> Hook:
    """A hook that observes: its section has its name and takes a target, and what it returns means nothing."""
    return Hook(name, name, type, attach, context, of, 0, since, _TRACE, doc, link, takes_target=True)


def _net(
    section: str, type: int, attach: int, of: str, verdict: int, since: str, link: str, doc: str, name: str = ""
) -> Hook:
    """A hook of the network: a UAPI struct for context, a verdict, no target in the section's name."""
    return Hook(name or section, section, type, attach, Context.STRUCT, of, verdict, since, _NET, doc, link)


def _address(call: str, attach: int, since: str, doc: str) -> Hook:
    section, name = f"cgroup/{call}", f"cgroup_sock_addr/{call}"
    return _net(section, 18, attach, "bpf_sock_addr", 1, since, "cgroup", doc, name)


def _packet(section: str, attach: int, since: str, link: str, doc: str, name: str = "") -> Hook:
    return _net(section, 3, attach, "__sk_buff", 0, since, link, doc, name)


_TRACING = (
    Hook("tracepoint", "tracepoint", 5, 0, Context.TRACEPOINT, "trace_event_raw_{event}", 0, "4.7", _TRACE,
         "A static tracepoint, `category:event`; the context has the event's fields.", "tracepoint",
         takes_target=True),
    _trace("raw_tp", 17, 0, Context.RAW_ARGUMENTS, "4.17", "raw_tracepoint",
           "A tracepoint's own arguments, without the copy into a trace record."),
    _trace("raw_tp.w", 24, 0, Context.RAW_ARGUMENTS, "5.2", "raw_tracepoint",
           "A tracepoint with an argument that programs may write to."),
    _trace("tp_btf", 26, 23, _ARGS, "5.5", "btf",
           "A tracepoint's own arguments as trusted, typed kernel pointers."),
    _trace("kprobe", 2, 0, _REGS, "4.1", "kprobe", "Entry of a kernel function, or an instruction in it.", "pt_regs"),
    _trace("kretprobe", 2, 0, _REGS, "4.1", "kprobe", "Return from a kernel function.", "pt_regs"),
    _trace("kprobe.multi", 2, 42, _REGS, "5.18", "kprobe_multi", "Entry of many kernel functions.", "pt_regs"),
    _trace("kretprobe.multi", 2, 42, _REGS, "5.18", "kprobe_multi", "Return from many kernel functions.", "pt_regs"),
    _trace("kprobe.session", 2, 56, _REGS, "6.10", "kprobe_multi",
           "Entry and, if the program wants, return of many kernel functions.", "pt_regs"),
    _trace("ksyscall", 2, 0, _REGS, "4.1", "ksyscall", "Entry of a system call.", "pt_regs"),
    _trace("kretsyscall", 2, 0, _REGS, "4.1", "ksyscall", "Return from a system call.", "pt_regs"),
    _trace("uprobe", 2, 0, _REGS, "4.3", "uprobe", "An instruction of a user program.", "pt_regs"),
    _trace("uretprobe", 2, 0, _REGS, "4.3", "uprobe", "Return from a function of a user program.", "pt_regs"),
    _trace("uprobe.multi", 2, 48, _REGS, "6.6", "uprobe_multi", "Many places of a user program.", "pt_regs"),
    _trace("uretprobe.multi", 2, 48, _REGS, "6.6", "uprobe_multi", "Returns from many user functions.", "pt_regs"),
    _trace("uprobe.session", 2, 57, _REGS, "6.13", "uprobe_multi",
           "Entry and, if the program wants, return of many user functions.", "pt_regs"),
    _trace("usdt", 2, 0, _REGS, "4.3", "usdt", "A static probe of a user program.", "pt_regs"),
    _trace("fentry", 26, 24, _ARGS, "5.5", "btf", "Entry of a kernel or BPF function, with its typed arguments."),
    _trace("fexit", 26, 25, _ARGS, "5.5", "btf", "Return of a function, with its arguments and its result."),
    _trace("fmod_ret", 26, 26, _ARGS, "5.7", "btf", "In place of a function that allows it: may change its result."),
    _trace("fsession", 26, 58, _ARGS, "7.0", "btf", "Entry and return of a function, in one program."),
    _trace("fentry.multi", 26, 59, _ARGS, "7.2", "tracing_multi", "Entry of many functions."),
    _trace("fexit.multi", 26, 60, _ARGS, "7.2", "tracing_multi", "Return of many functions."),
    _trace("fsession.multi", 26, 61, _ARGS, "7.2", "tracing_multi", "Entry and return of many functions."),
    Hook("freplace", "freplace", 28, 0, Context.REPLACED, "", 0, "5.6", _TRACE,
         "In place of a global function of another BPF program.", "freplace", takes_target=True),
    _trace("lsm", 29, 27, _ARGS, "5.7", "btf", "A security hook: 0 allows, a negative error number forbids."),
    Hook("lsm_cgroup", "lsm_cgroup", 29, 43, _ARGS, "", 1, "6.0", _TRACE,
         "A security hook for the processes of one cgroup: 1 allows, 0 forbids.", "cgroup", takes_target=True),
    Hook("iterator", "iter", 26, 28, Context.ITERATOR, "bpf_iter__{target}", 0, "5.8", _TRACE,
         "Walks kernel objects: task, task_file, tcp, udp, bpf_map, ...", "iterator", takes_target=True),
    Hook("perf_event", "perf_event", 7, 0, Context.STRUCT, "bpf_perf_event_data", 0, "4.9", _TRACE,
         "Each overflow of a performance counter: profiling, hardware and software events.", "perf_event"),
    Hook("syscall", "syscall", 31, 0, Context.CALLER, "", 0, "5.14", _TRACE,
         "Runs when somebody asks for it (`test_run`), and may make bpf(2) calls.", sleepable=True),
    Hook("struct_ops", "struct_ops", 27, 0, _ARGS, "", 0, "5.6", _KERNEL_INTERFACE,
         "One function of a kernel interface: TCP congestion control, scheduler, queueing discipline.",
         takes_target=True),
)  # fmt: skip

_NETWORK = (
    Hook("socket", "socket", 1, 0, Context.STRUCT, "__sk_buff", 0xFFFFFFFF, "3.19", (),
         "A filter on one socket: how many bytes of the packet it may see.", "socket"),
    _net("xdp", 6, 37, "xdp_md", 2, "4.8", "xdp", "Each packet that a network card receives, before the stack."),
    _net("xdp/devmap", 6, 33, "xdp_md", 2, "5.8", "", "Each packet sent by way of an entry of a device map."),
    _net("xdp/cpumap", 6, 35, "xdp_md", 2, "5.9", "", "Each packet that a CPU map has handed to a CPU."),
    _packet("tc", 0, "4.1", "tc", "Each packet at an interface's queueing discipline, either way."),
    _packet("classifier", 0, "4.1", "tc", "The old name of `tc`."),
    _packet("tcx/ingress", 46, "6.6", "tcx", "Each packet that comes in at an interface."),
    _packet("tcx/egress", 47, "6.6", "tcx", "Each packet that leaves by an interface."),
    _packet("netkit/primary", 54, "6.7", "netkit", "Each packet that the host's side of a netkit device sends."),
    _packet("netkit/peer", 55, "6.7", "netkit", "Each packet that the container's side of a netkit device sends."),
    _net("action", 4, 0, "__sk_buff", 0, "4.1", "", "An action of a tc filter."),
    _net("lwt_in", 10, 0, "__sk_buff", 0, "4.10", "lwt", "Packets that arrive by a route with a BPF tunnel."),
    _net("lwt_out", 11, 0, "__sk_buff", 0, "4.10", "lwt", "Packets that leave by a route with a BPF tunnel."),
    _net("lwt_xmit", 12, 0, "__sk_buff", 0, "4.10", "lwt", "The same, where the packet may be redirected."),
    _net("lwt_seg6local", 19, 0, "__sk_buff", 0, "4.18", "", "An action of IPv6 segment routing."),
    _net("cgroup_skb/ingress", 8, 0, "__sk_buff", 1, "4.10", "cgroup",
         "Each packet that a socket of the cgroup receives, from the IP header on."),
    _net("cgroup_skb/egress", 8, 1, "__sk_buff", 1, "4.10", "cgroup",
         "Each packet that a socket of the cgroup sends, from the IP header on."),
    _net("cgroup/skb", 8, 0, "__sk_buff", 1, "4.10", "cgroup_skb", "Packets, either way: said when it is attached."),
    _net("cgroup/sock_create", 9, 2, "bpf_sock", 1, "4.10", "cgroup",
         "A process of the cgroup makes an IPv4 or IPv6 socket.", "cgroup_sock/create"),
    _net("cgroup/sock_release", 9, 34, "bpf_sock", 1, "5.9", "cgroup",
         "An IPv4 or IPv6 socket is closed.", "cgroup_sock/release"),
    _net("cgroup/post_bind4", 9, 12, "bpf_sock", 1, "4.17", "cgroup",
         "An IPv4 socket has been bound.", "cgroup_sock/post_bind4"),
    _net("cgroup/post_bind6", 9, 13, "bpf_sock", 1, "4.17", "cgroup",
         "An IPv6 socket has been bound.", "cgroup_sock/post_bind6"),
    _address("bind4", 8, "4.17", "bind(2) of an IPv4 socket."),
    _address("bind6", 9, "4.17", "bind(2) of an IPv6 socket."),
    _address("connect4", 10, "4.17", "connect(2) of an IPv4 socket, before its first packet."),
    _address("connect6", 11, "4.17", "connect(2) of an IPv6 socket, before its first packet."),
    _address("connect_unix", 49, "6.7", "connect(2) of a Unix socket."),
    _address("sendmsg4", 14, "4.18", "sendmsg(2) of an unconnected IPv4 UDP socket."),
    _address("sendmsg6", 15, "4.18", "sendmsg(2) of an unconnected IPv6 UDP socket."),
    _address("sendmsg_unix", 50, "6.7", "sendmsg(2) of a Unix datagram socket."),
    _address("recvmsg4", 19, "5.2", "recvmsg(2) of an unconnected IPv4 UDP socket."),
    _address("recvmsg6", 20, "5.2", "recvmsg(2) of an unconnected IPv6 UDP socket."),
    _address("recvmsg_unix", 51, "6.7", "recvmsg(2) of a Unix datagram socket."),
    _address("getpeername4", 29, "5.8", "getpeername(2) of an IPv4 socket."),
    _address("getpeername6", 30, "5.8", "getpeername(2) of an IPv6 socket."),
    _address("getpeername_unix", 52, "6.7", "getpeername(2) of a Unix socket."),
    _address("getsockname4", 31, "5.8", "getsockname(2) of an IPv4 socket."),
    _address("getsockname6", 32, "5.8", "getsockname(2) of an IPv6 socket."),
    _address("getsockname_unix", 53, "6.7", "getsockname(2) of a Unix socket."),
    _net("cgroup/getsockopt", 25, 21, "bpf_sockopt", 1, "5.3", "cgroup",
         "After getsockopt(2): may change what it answers.", "cgroup_sockopt/get"),
    _net("cgroup/setsockopt", 25, 22, "bpf_sockopt", 1, "5.3", "cgroup",
         "Before setsockopt(2): may change or refuse it.", "cgroup_sockopt/set"),
    _net("cgroup/sysctl", 23, 18, "bpf_sysctl", 1, "5.2", "cgroup",
         "A process of the cgroup reads or writes a sysctl.", "cgroup_sysctl"),
    _net("cgroup/dev", 15, 6, "bpf_cgroup_dev_ctx", 1, "4.15", "cgroup",
         "A process of the cgroup opens or makes a device file.", "cgroup_device"),
    _net("sockops", 13, 3, "bpf_sock_ops", 1, "4.13", "cgroup",
         "Turning points of a TCP connection: connect, established, state changes, RTT, retransmits."),
    _net("sk_skb/stream_parser", 14, 4, "__sk_buff", 0, "4.14", "sockmap",
         "Where the next message of a socket's stream ends."),
    _net("sk_skb/stream_verdict", 14, 5, "__sk_buff", 1, "4.14", "sockmap", "What becomes of a message of a stream."),
    _net("sk_skb/verdict", 14, 38, "__sk_buff", 1, "5.13", "sockmap", "What becomes of what a socket receives."),
    _net("sk_skb", 14, 0, "__sk_buff", 1, "4.14", "", "A parser or a verdict: said when it is attached."),
    _net("sk_msg", 16, 7, "sk_msg_md", 1, "4.17", "sockmap", "What becomes of what a process sends on a socket."),
    _net("sk_reuseport", 21, 39, "sk_reuseport_md", 1, "4.19", "reuseport",
         "Which socket of a group that shares a port gets a packet."),
    _net("sk_reuseport/migrate", 21, 40, "sk_reuseport_md", 1, "5.14", "reuseport",
         "The same, and who takes the connections of one that closes."),
    _net("sk_lookup", 30, 36, "bpf_sk_lookup", 1, "5.9", "netns", "Which socket of a network namespace gets a packet."),
    _net("flow_dissector", 22, 17, "__sk_buff", 0, "4.20", "netns", "Takes a packet's headers apart for flow hashing."),
    _net("netfilter", 32, 45, "bpf_nf_ctx", 1, "6.4", "netfilter", "A hook of netfilter: 0 drops, 1 accepts."),
    _net("lirc_mode2", 20, 16, "u32", 0, "4.18", "lirc", "Pulses and spaces of an infrared receiver."),
)  # fmt: skip

_SLEEPABLE = {  # section of a hook that may also sleep -> the first kernel on which it can
    "tracepoint": "7.1", "raw_tp": "7.1", "tp_btf": "7.1",
    "uprobe": "6.0", "uretprobe": "6.0", "uprobe.multi": "6.6", "uretprobe.multi": "6.6", "uprobe.session": "6.13",
    "usdt": "6.0", "fentry": "5.10", "fexit": "5.10", "fmod_ret": "5.10", "fsession": "7.0",
    "fentry.multi": "7.2", "fexit.multi": "7.2", "fsession.multi": "7.2",
    "lsm": "5.10", "iter": "5.17", "struct_ops": "6.9",
}  # fmt: skip
# The verifier had no use for these attach types before it checked them: older kernels load the program without.
_ANY_ATTACH_TYPE = {
    "xdp", "sockops", "sk_skb/stream_parser", "sk_skb/stream_verdict", "sk_skb/verdict", "sk_msg", "lirc_mode2",
    "flow_dissector", "cgroup_skb/ingress", "cgroup_skb/egress", "cgroup/dev",
}  # fmt: skip
_NAMES = {"raw_tp": "raw_tracepoint", "raw_tp.w": "raw_tracepoint.w", "tp_btf": "btf_tracepoint"}


def _expand(hook: Hook) -> Iterator[Hook]:
    """The hook, and its variants that may sleep (``fentry.s``) or that take packets in pieces (``xdp.frags``)."""
    section = hook.section
    hook = replace(hook, name=_NAMES.get(section, hook.name), any_attach_type=section in _ANY_ATTACH_TYPE)
    yield hook
    if section in _SLEEPABLE:
        yield replace(hook, name=hook.name + ".s", section=section + ".s", since=_SLEEPABLE[section], sleepable=True)
    if section.partition("/")[0] == "xdp":
        pieces = section.replace("xdp", "xdp.frags", 1)
        yield replace(hook, name=pieces, section=pieces, since="5.18", fragments=True, any_attach_type=False)


HOOKS: tuple[Hook, ...] = tuple(variant for hook in (*_TRACING, *_NETWORK) for variant in _expand(hook))

# Other spellings of the same section.
ALIASES = {
    "tp": "tracepoint", "tp.s": "tracepoint.s", "raw_tracepoint": "raw_tp", "raw_tracepoint.s": "raw_tp.s",
    "raw_tracepoint.w": "raw_tp.w", "tc/ingress": "tcx/ingress", "tc/egress": "tcx/egress",
    "cgroup/sock": "cgroup/sock_create",
}  # fmt: skip
