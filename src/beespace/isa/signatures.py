"""What every helper function takes, gives and needs.  Written by tools/gen_helpers.py.

Facts of include/uapi/linux/bpf.h, of the kernel's own ``struct bpf_func_proto``, and of what kernels 5.10 to 7.3 said
when a program of each kind tried the call.
"""
# ruff: noqa: E501

from __future__ import annotations

from beespace.typed import NamedTuple

__all__ = ["SIGNATURES", "Argument", "Signature"]


class Argument(NamedTuple):
    """One argument in C.

    ``kind`` is what the verifier takes: ``number``, ``address`` (a number that is one), ``ctx``, ``map``, ``key`` and
    ``value`` (of the map before it), ``memory`` and the ``size`` of it, ``constant`` (a size known while compiling),
    ``object`` (a kernel object of the type), ``socket``, ``text`` (constant, in read-only memory), ``callback`` and its
    ``state``, ``lock``, ``timer``, ``kptr``, ``dynptr``, ``percpu``, ``record`` (of a ring); ``a|b`` is one or the other.
    Behind it may stand ``:out`` (written only), ``:both`` (read and written), ``:8`` (just so many bytes), ``?``
    (None is taken), ``!`` (given back by the call).
    """

    name: str
    type: str
    kind: str


class Signature(NamedTuple):
    """One helper; ``name`` is without ``bpf_``.

    ``since`` is the first kernel.  ``gpl``: only programs under a licence that is compatible with the GPL may call it.
    ``sleeps``: only programs that may sleep.  ``picky``: only at some places of a kind, which the kernel decides.
    ``result`` is the C type, ``gives`` what the verifier takes it for: ``number``, ``nothing``, ``value`` (of the map),
    ``socket``, ``tcp_socket``, ``any_socket``, ``object``, ``memory``, ``percpu``; ``?`` behind it: or null.
    ``places`` are the kinds of programs that may call it: a program type, or a program type with one attach type as
    ``18:8``.
    """

    number: int
    name: str
    since: str
    gpl: bool
    sleeps: bool
    picky: bool
    result: str
    gives: str
    arguments: tuple[Argument, ...]
    places: frozenset[str]
    doc: str

    def at(self, program_type: int, attach_type: int) -> bool:
        """Whether programs of that type for that attach type may call it, on some kernel."""
        return f"{program_type}" in self.places or f"{program_type}:{attach_type}" in self.places

    @property
    def c(self) -> str:
        """The declaration in C."""
        takes = ", ".join(f"{a.type}{'' if a.type.endswith('*') else ' '}{a.name}" for a in self.arguments) or "void"
        return f"{self.result}{'' if self.result.endswith('*') else ' '}bpf_{self.name}({takes})"


def _signature(
    number: int, name: str, since: str, flags: str, result: str, gives: str, takes: str, places: int, doc: str
) -> Signature:
    arguments = []
    for each in takes.split(", ") if takes else ():
        declared, _, kind = each.partition("=")
        space = max(declared.rfind(" "), declared.rfind("*"))
        arguments.append(Argument(declared[space + 1 :], declared[: space + 1].strip(), kind))
    where = frozenset(_PLACES[places].split())
    return Signature(
        number, name, since, "g" in flags, "s" in flags, "p" in flags, result, gives, tuple(arguments), where, doc
    )


_PLACES = (
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 21 22 23 24 25 26 27 29 30 31 32",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 23 24 25 26 29 30 31",
    "1 3 4 6 8 10 11 12 13 14 16 18 19 22 26 29 30 31",
    "1 3 4 6 8 9 10 11 12 13 14 16 18 19 21 22 23 27 30",
    "1 3 4 8 10 11 12 14 19 21 22",
    "1 3 4 8 14",
    "1 3 4 8 21",
    "1 3 4 8 9 13 14 18 21 26 29 31",
    "1 3 4 8 9 13 16 18 25",
    "10 12",
    "13",
    "14",
    "16",
    "18:10 18:11",
    "19",
    "2",
    "2 26:24 26:25 26:26 26:58 26:59 26:60 26:61",
    "2 5 7 17 24 26 29 31",
    "2 5 7 17 24 26:23 26:24 26:25 26:26 26:58 26:59 26:60 26:61 29:27",
    "20",
    "21",
    "23",
    "26 29 31",
    "26:23 26:24 26:25 26:26 26:58 26:59 26:60 26:61 29:27",
    "26:24 26:25 26:26 26:58 26:59 26:60 26:61 29:27",
    "26:28",
    "26:28 29",
    "27",
    "29",
    "3 4",
    "3 4 10 11 12 14 19",
    "3 4 10 11 12 19",
    "3 4 12",
    "3 4 12 14",
    "3 4 14",
    "3 4 30",
    "3 4 6",
    "3 4 6 10 11 12 19",
    "3 4 6 12",
    "3 4 6 8 14 18",
    "3 4 6 8 14 18 30",
    "3 4 8",
    "3 4 8 13 16 18 25 26:23 26:24 26:25 26:28 26:58 27 29",
    "3 4 8 13 25",
    "3 4 8 9 13 16 18 25 26:23 26:24 26:25 26:28 26:58 27 29",
    "31",
    "6",
    "6 26 29 31",
    "7",
    "8",
    "8 9 13 15 18 23 25 29:43",
    "9 15:6 18:8 18:9 18:10 18:11 18:14 18:15 18:49 18:50 23:18 25 29:43",
    "9:2 13 18 25:22 27 29:43",
)  # fmt: skip

_TABLE = (
    (1, "map_lookup_elem", "3.19", "", "void *", "value?", "struct bpf_map *map=map, const void *key=key", 0, "The value of a key in a map, or None."),
    (2, "map_update_elem", "3.19", "", "long", "number", "struct bpf_map *map=map, const void *key=key, const void *value=value, u64 flags=number", 0, "Put a value under a key of a map; flags: BPF_ANY, BPF_NOEXIST, BPF_EXIST."),
    (3, "map_delete_elem", "3.19", "", "long", "number", "struct bpf_map *map=map, const void *key=key", 0, "Take a key out of a map."),
    (4, "probe_read", "4.1", "g", "long", "number", "void *dst=memory:out, u32 size=size, const void *unsafe_ptr=address", 17, "Read memory of the kernel or of a process, whichever the address is; what came before probe_read_kernel and probe_read_user."),
    (5, "ktime_get_ns", "4.1", "", "u64", "number", "", 0, "Nanoseconds since the system started, without the time it slept (CLOCK_MONOTONIC)."),
    (6, "trace_printk", "4.1", "g", "long", "number", "const char *fmt=memory, u32 fmt_size=size", 0, "Write a line to the kernel's trace pipe, for finding mistakes."),
    (7, "get_prandom_u32", "4.1", "", "u32", "number", "", 0, "A pseudo-random number of 32 bits."),
    (8, "get_smp_processor_id", "4.1", "", "u32", "number", "", 0, "The number of the CPU that runs the program."),
    (9, "skb_store_bytes", "4.1", "", "long", "number", "struct sk_buff *skb=ctx, u32 offset=number, const void *from=memory, u32 len=size, u64 flags=number", 33, "Write bytes into the packet at an offset; flags: BPF_F_RECOMPUTE_CSUM, BPF_F_INVALIDATE_HASH."),
    (10, "l3_csum_replace", "4.1", "", "long", "number", "struct sk_buff *skb=ctx, u32 offset=number, u64 from=number, u64 to=number, u64 size=number", 32, "Correct the checksum of the IP header after a field of it changed; flags hold the field's size."),
    (11, "l4_csum_replace", "4.1", "", "long", "number", "struct sk_buff *skb=ctx, u32 offset=number, u64 from=number, u64 to=number, u64 flags=number", 32, "Correct the checksum of TCP, UDP or ICMP after a field changed; flags hold the field's size and BPF_F_PSEUDO_HDR."),
    (12, "tail_call", "4.2", "", "long", "number", "void *ctx=ctx, struct bpf_map *prog_array_map=map, u32 index=number", 0, "Go on in another program of a program array, never to return."),
    (13, "clone_redirect", "4.2", "", "long", "number", "struct sk_buff *skb=ctx, u32 ifindex=number, u64 flags=number", 32, "Send a copy of the packet by another interface; flags: BPF_F_INGRESS."),
    (14, "get_current_pid_tgid", "4.2", "", "u64", "number", "", 0, "Process id (upper half) and thread id (lower half) of the current task."),
    (15, "get_current_uid_gid", "4.2", "", "u64", "number", "", 0, "Group id (upper half) and user id (lower half) of the current task."),
    (16, "get_current_comm", "4.2", "", "long", "number", "void *buf=memory:out, u32 size_of_buf=size", 0, "The name of the current task."),
    (17, "get_cgroup_classid", "4.3", "", "u32", "number", "struct sk_buff *skb=ctx", 0, "The net_cls class of the current task, for cgroup v1."),
    (18, "skb_vlan_push", "4.3", "", "long", "number", "struct sk_buff *skb=ctx, __be16 vlan_proto=number, u16 vlan_tci=number", 29, "Put a VLAN header onto the packet."),
    (19, "skb_vlan_pop", "4.3", "", "long", "number", "struct sk_buff *skb=ctx", 29, "Take the VLAN header off the packet."),
    (20, "skb_get_tunnel_key", "4.3", "", "long", "number", "struct sk_buff *skb=ctx, struct bpf_tunnel_key *key=memory:out, u32 size=size, u64 flags=number", 32, "What the tunnel said that the packet came by."),
    (21, "skb_set_tunnel_key", "4.3", "", "long", "number", "struct sk_buff *skb=ctx, struct bpf_tunnel_key *key=memory, u32 size=size, u64 flags=number", 32, "Which tunnel the packet is to take."),
    (22, "perf_event_read", "4.3", "g", "u64", "number", "struct bpf_map *map=map, u64 flags=number", 0, "The value of a performance counter of this CPU (or of the one in flags)."),
    (23, "redirect", "4.4", "", "long", "number", "u32 ifindex=number, u64 flags=number", 38, "Send the packet by another interface: the result is what the program returns."),
    (24, "get_route_realm", "4.4", "", "u32", "number", "struct sk_buff *skb=ctx", 31, "The realm (tclassid) of the packet's route."),
    (25, "perf_event_output", "4.4", "g", "long", "number", "void *ctx=ctx, struct bpf_map *map=map, u64 flags=number, void *data=memory, u64 size=size", 1, "Send bytes to user space through a perf event array."),
    (26, "skb_load_bytes", "4.5", "", "long", "number", "const void *skb=ctx, u32 offset=number, void *to=memory:out, u32 len=size", 4, "Copy bytes of the packet from an offset, wherever they lie."),
    (27, "get_stackid", "4.6", "g", "long", "number", "void *ctx=ctx, struct bpf_map *map=map, u64 flags=number", 17, "Walk the current stack and keep it in a stack trace map; the result is its number there."),
    (28, "csum_diff", "4.6", "", "s64", "number", "__be32 *from=memory?, u32 from_size=size, __be32 *to=memory?, u32 to_size=size, __wsum seed=number", 37, "How a checksum changes when the bytes of from become those of to; either may be None."),
    (29, "skb_get_tunnel_opt", "4.6", "", "long", "number", "struct sk_buff *skb=ctx, void *opt=memory:out, u32 size=size", 32, "The tunnel's options of the packet."),
    (30, "skb_set_tunnel_opt", "4.6", "", "long", "number", "struct sk_buff *skb=ctx, void *opt=memory, u32 size=size", 32, "Set the tunnel's options of the packet."),
    (31, "skb_change_proto", "4.8", "", "long", "number", "struct sk_buff *skb=ctx, __be16 proto=number, u64 flags=number", 29, "Turn an IPv4 packet into an IPv6 packet or back; the header must be written anew."),
    (32, "skb_change_type", "4.8", "", "long", "number", "struct sk_buff *skb=ctx, u32 type=number", 29, "Change what the packet is for: PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST."),
    (33, "skb_under_cgroup", "4.8", "", "long", "number", "struct sk_buff *skb=ctx, struct bpf_map *map=map, u32 index=number", 31, "Whether the packet's socket is in (or below) a cgroup of a cgroup array."),
    (34, "get_hash_recalc", "4.8", "", "u32", "number", "struct sk_buff *skb=ctx", 31, "The packet's flow hash, computed if it is not known."),
    (35, "get_current_task", "4.8", "g", "u64", "number", "", 0, "The address of the current task as a number; get_current_task_btf gives it typed."),
    (36, "probe_write_user", "4.8", "g", "long", "number", "void *dst=address, const void *src=memory, u32 len=size", 17, "Write into the memory of the current process; dangerous, and the kernel logs that it is done."),
    (37, "current_task_under_cgroup", "4.9", "", "long", "number", "struct bpf_map *map=map, u32 index=number", 0, "1 if the current task is in (or below) a cgroup of a cgroup array, 0 if not."),
    (38, "skb_change_tail", "4.9", "", "long", "number", "struct sk_buff *skb=ctx, u32 len=number, u64 flags=number", 33, "Cut the packet, or make it longer, to a length."),
    (39, "skb_pull_data", "4.9", "", "long", "number", "struct sk_buff *skb=ctx, u32 len=number", 30, "Make the first bytes of the packet directly readable."),
    (40, "csum_update", "4.9", "", "s64", "number", "struct sk_buff *skb=ctx, __wsum csum=number", 32, "Add to the packet's checksum."),
    (41, "set_hash_invalid", "4.9", "", "void", "number", "struct sk_buff *skb=ctx", 32, "Forget the packet's flow hash."),
    (42, "get_numa_node_id", "4.10", "", "long", "number", "", 0, "The number of the NUMA node of the CPU that runs the program."),
    (43, "skb_change_head", "4.10", "", "long", "number", "struct sk_buff *skb=ctx, u32 len=number, u64 flags=number", 33, "Make room in front of the packet."),
    (44, "xdp_adjust_head", "4.10", "", "long", "number", "struct xdp_buff *xdp_md=ctx, int delta=number", 46, "Move the start of the packet: negative makes room for headers."),
    (45, "probe_read_str", "4.11", "", "long", "number", "void *dst=memory:out, u32 size=size, const void *unsafe_ptr=address", 17, "Read a text of the kernel or of a process; what came before probe_read_kernel_str and probe_read_user_str."),
    (46, "get_socket_cookie", "4.12", "", "u64", "number", "struct sock *sk=ctx|socket", 7, "A number that is a socket's own while the system runs."),
    (47, "get_socket_uid", "4.12", "", "u32", "number", "struct sk_buff *skb=ctx", 5, "The user id that owns the packet's socket."),
    (48, "set_hash", "4.13", "", "long", "number", "struct sk_buff *skb=ctx, u32 hash=number", 29, "Set the packet's flow hash."),
    (49, "setsockopt", "4.13", "", "long", "number", "void *bpf_socket=ctx|socket, int level=number, int optname=number, void *optval=memory, int optlen=size", 52, "Set an option of the socket, as setsockopt(2) does."),
    (50, "skb_adjust_room", "4.13", "", "long", "number", "struct sk_buff *skb=ctx, s32 len_diff=number, u32 mode=number, u64 flags=number", 34, "Make or take room between the headers of the packet; mode: BPF_ADJ_ROOM_NET, BPF_ADJ_ROOM_MAC."),
    (51, "redirect_map", "4.14", "", "long", "number", "struct bpf_map *map=map, u64 key=number, u64 flags=number", 46, "Send the packet to an entry of a device, CPU or AF_XDP socket map: the result is what the program returns."),
    (52, "sk_redirect_map", "4.14", "", "long", "number", "struct sk_buff *skb=ctx, struct bpf_map *map=map, u32 key=number, u64 flags=number", 11, "Send the packet to a socket of a socket map."),
    (53, "sock_map_update", "4.14", "", "long", "number", "struct bpf_sock_ops *skops=ctx, struct bpf_map *map=map, void *key=key, u64 flags=number", 10, "Put the socket into a socket map."),
    (54, "xdp_adjust_meta", "4.15", "", "long", "number", "struct xdp_buff *xdp_md=ctx, int delta=number", 46, "Move the start of the metadata in front of the packet."),
    (55, "perf_event_read_value", "4.15", "g", "long", "number", "struct bpf_map *map=map, u64 flags=number, struct bpf_perf_event_value *buf=memory:out, u32 buf_size=size", 0, "A performance counter with the time it was enabled and counting."),
    (56, "perf_prog_read_value", "4.15", "g", "long", "number", "struct bpf_perf_event_data *ctx=ctx, struct bpf_perf_event_value *buf=memory:out, u32 buf_size=size", 48, "The counter that the program is attached to."),
    (57, "getsockopt", "4.15", "", "long", "number", "void *bpf_socket=ctx|socket, int level=number, int optname=number, void *optval=memory:out, int optlen=size", 52, "Read an option of the socket, as getsockopt(2) does."),
    (58, "override_return", "4.16", "", "long", "number", "struct pt_regs *regs=ctx, u64 rc=number", 15, "Let the probed function return a value at once; only functions that allow error injection."),
    (59, "sock_ops_cb_flags_set", "4.16", "", "long", "number", "struct bpf_sock_ops *bpf_sock=ctx, int argval=number", 10, "Which further events of this connection call the program: BPF_SOCK_OPS_..._CB_FLAG."),
    (60, "msg_redirect_map", "4.17", "", "long", "number", "struct sk_msg_buff *msg=ctx, struct bpf_map *map=map, u32 key=number, u64 flags=number", 12, "Send the message to a socket of a socket map."),
    (61, "msg_apply_bytes", "4.17", "", "long", "number", "struct sk_msg_buff *msg=ctx, u32 bytes=number", 12, "The verdict holds for so many bytes."),
    (62, "msg_cork_bytes", "4.17", "", "long", "number", "struct sk_msg_buff *msg=ctx, u32 bytes=number", 12, "Wait for so many bytes before the next verdict."),
    (63, "msg_pull_data", "4.17", "", "long", "number", "struct sk_msg_buff *msg=ctx, u32 start=number, u32 end=number, u64 flags=number", 12, "Make a stretch of the message directly readable."),
    (64, "bind", "4.17", "", "long", "number", "struct bpf_sock_addr *ctx=ctx, struct sockaddr *addr=memory, int addr_len=size", 13, "Bind the socket to an address before it connects."),
    (65, "xdp_adjust_tail", "4.18", "", "long", "number", "struct xdp_buff *xdp_md=ctx, int delta=number", 46, "Move the end of the packet: negative cuts it."),
    (66, "skb_get_xfrm_state", "4.18", "", "long", "number", "struct sk_buff *skb=ctx, u32 index=number, struct bpf_xfrm_state *xfrm_state=memory:out, u32 size=size, u64 flags=number", 29, "The IPsec state of the packet."),
    (67, "get_stack", "4.18", "g", "long", "number", "void *ctx=ctx, void *buf=memory:out, u32 size=size, u64 flags=number", 17, "Copy the current stack, as addresses; flags: BPF_F_USER_STACK, BPF_F_SKIP_FIELD_MASK."),
    (68, "skb_load_bytes_relative", "4.18", "", "long", "number", "const void *skb=ctx, u32 offset=number, void *to=memory:out, u32 len=size, u32 start_header=number", 6, "Copy bytes of the packet, from the start of its link or network header."),
    (69, "fib_lookup", "4.18", "g", "long", "number", "void *ctx=ctx, struct bpf_fib_lookup *params=memory:both, int plen=size, u32 flags=number", 36, "Ask the routing table where a packet goes, and from and to which link address."),
    (70, "sock_hash_update", "4.18", "", "long", "number", "struct bpf_sock_ops *skops=ctx, struct bpf_map *map=map, void *key=key, u64 flags=number", 10, "Put the socket into a socket hash under a key."),
    (71, "msg_redirect_hash", "4.18", "", "long", "number", "struct sk_msg_buff *msg=ctx, struct bpf_map *map=map, void *key=key, u64 flags=number", 12, "Send the message to a socket of a socket hash."),
    (72, "sk_redirect_hash", "4.18", "", "long", "number", "struct sk_buff *skb=ctx, struct bpf_map *map=map, void *key=key, u64 flags=number", 11, "Send the packet to a socket of a socket hash."),
    (73, "lwt_push_encap", "4.18", "", "long", "number", "struct sk_buff *skb=ctx, u32 type=number, void *hdr=memory, u32 len=size", 9, "Put an outer header around the packet."),
    (74, "lwt_seg6_store_bytes", "4.18", "", "long", "number", "struct sk_buff *skb=ctx, u32 offset=number, const void *from=memory, u32 len=size", 14, "Write into the segment routing header."),
    (75, "lwt_seg6_adjust_srh", "4.18", "", "long", "number", "struct sk_buff *skb=ctx, u32 offset=number, s32 delta=number", 14, "Make the segment routing header longer or shorter."),
    (76, "lwt_seg6_action", "4.18", "", "long", "number", "struct sk_buff *skb=ctx, u32 action=number, void *param=memory, u32 param_len=size", 14, "Do an action of segment routing."),
    (77, "rc_repeat", "4.18", "", "long", "number", "void *ctx=ctx", 19, "Report that the last key of a remote control is still held."),
    (78, "rc_keydown", "4.18", "", "long", "number", "void *ctx=ctx, u32 protocol=number, u64 scancode=number, u32 toggle=number", 19, "Report a key of a remote control."),
    (79, "skb_cgroup_id", "4.18", "", "u64", "number", "struct sk_buff *skb=ctx", 41, "The cgroup id of the packet's socket."),
    (80, "get_current_cgroup_id", "4.18", "", "u64", "number", "", 0, "The cgroup id of the current task."),
    (81, "get_local_storage", "4.19", "", "void *", "value", "void *map=map, u64 flags=number", 50, "The program's own memory for this cgroup."),
    (82, "sk_select_reuseport", "4.19", "", "long", "number", "struct sk_reuseport_md *reuse=ctx, struct bpf_map *map=map, void *key=key, u64 flags=number", 20, "Choose the socket that gets the packet from a map of sockets."),
    (83, "skb_ancestor_cgroup_id", "4.19", "", "u64", "number", "struct sk_buff *skb=ctx, int ancestor_level=number", 41, "The id of an ancestor, at a depth, of the cgroup of the packet's socket."),
    (84, "sk_lookup_tcp", "4.20", "", "struct bpf_sock *", "socket?", "void *ctx=ctx, struct bpf_sock_tuple *tuple=memory, u32 tuple_size=size, u64 netns=number, u64 flags=number", 39, "The TCP socket of an address pair in a network namespace, or None; it must be released."),
    (85, "sk_lookup_udp", "4.20", "", "struct bpf_sock *", "socket?", "void *ctx=ctx, struct bpf_sock_tuple *tuple=memory, u32 tuple_size=size, u64 netns=number, u64 flags=number", 39, "The UDP socket of an address pair in a network namespace, or None; it must be released."),
    (86, "sk_release", "4.20", "", "long", "number", "void *sock=socket!", 40, "Give back a socket that a lookup gave."),
    (87, "map_push_elem", "4.20", "", "long", "number", "struct bpf_map *map=map, const void *value=value, u64 flags=number", 0, "Put a value into a queue, a stack or a bloom filter."),
    (88, "map_pop_elem", "4.20", "", "long", "number", "struct bpf_map *map=map, void *value=value:out", 0, "Take the next value out of a queue or a stack."),
    (89, "map_peek_elem", "4.20", "", "long", "number", "struct bpf_map *map=map, void *value=value:out", 0, "The next value of a queue or a stack, or whether a bloom filter may have a value."),
    (90, "msg_push_data", "4.20", "", "long", "number", "struct sk_msg_buff *msg=ctx, u32 start=number, u32 len=number, u64 flags=number", 12, "Put new bytes into the message."),
    (91, "msg_pop_data", "5.0", "", "long", "number", "struct sk_msg_buff *msg=ctx, u32 start=number, u32 len=number, u64 flags=number", 12, "Take bytes out of the message."),
    (92, "rc_pointer_rel", "5.0", "", "long", "number", "void *ctx=ctx, s32 rel_x=number, s32 rel_y=number", 19, "Report how a pointer of a remote control moved."),
    (93, "spin_lock", "5.1", "", "long", "nothing", "struct bpf_spin_lock *lock=lock", 0, "Take a lock that stands in a map value."),
    (94, "spin_unlock", "5.1", "", "long", "nothing", "struct bpf_spin_lock *lock=lock", 0, "Give back a lock."),
    (95, "sk_fullsock", "5.1", "", "struct bpf_sock *", "socket?", "struct bpf_sock *sk=socket", 41, "The full socket of a socket, or None if it is a request or TIME_WAIT socket."),
    (96, "tcp_sock", "5.1", "", "struct bpf_tcp_sock *", "tcp_socket?", "struct bpf_sock *sk=socket", 43, "The TCP part of a socket, or None."),
    (97, "skb_ecn_set_ce", "5.1", "", "long", "number", "struct sk_buff *skb=ctx", 41, "Mark the packet as having met congestion, if it takes such marks."),
    (98, "get_listener_sock", "5.1", "", "struct bpf_sock *", "socket?", "struct bpf_sock *sk=socket", 41, "The listening socket of a socket, or None."),
    (99, "skc_lookup_tcp", "5.2", "", "struct bpf_sock *", "any_socket?", "void *ctx=ctx, struct bpf_sock_tuple *tuple=memory, u32 tuple_size=size, u64 netns=number, u64 flags=number", 39, "The TCP socket of an address pair, also a request or TIME_WAIT socket, or None; it must be released."),
    (100, "tcp_check_syncookie", "5.2", "g", "long", "number", "void *sk=socket, void *iph=memory, u32 iph_len=size, struct tcphdr *th=memory, u32 th_len=size", 36, "Whether a packet carries a valid SYN cookie for a listening socket."),
    (101, "sysctl_get_name", "5.2", "", "long", "number", "struct bpf_sysctl *ctx=ctx, char *buf=memory:both, size_t buf_len=size, u64 flags=number", 21, "The name of the sysctl, as a path; flags: BPF_F_SYSCTL_BASE_NAME."),
    (102, "sysctl_get_current_value", "5.2", "", "long", "number", "struct bpf_sysctl *ctx=ctx, char *buf=memory:out, size_t buf_len=size", 21, "The value that the sysctl has."),
    (103, "sysctl_get_new_value", "5.2", "", "long", "number", "struct bpf_sysctl *ctx=ctx, char *buf=memory:out, size_t buf_len=size", 21, "The value that is being written to the sysctl."),
    (104, "sysctl_set_new_value", "5.2", "", "long", "number", "struct bpf_sysctl *ctx=ctx, const char *buf=memory, size_t buf_len=size", 21, "Write another value to the sysctl instead."),
    (105, "strtol", "5.2", "", "long", "number", "const char *buf=memory, size_t buf_len=size, u64 flags=number, long *res=memory:out:8", 0, "The signed number at the start of a text; the result is how many bytes it took."),
    (106, "strtoul", "5.2", "", "long", "number", "const char *buf=memory, size_t buf_len=size, u64 flags=number, unsigned long *res=memory:out:8", 0, "The unsigned number at the start of a text; the result is how many bytes it took."),
    (107, "sk_storage_get", "5.2", "p", "void *", "value?", "struct bpf_map *map=map, void *sk=ctx|socket|object, void *value=value?, u64 flags=number", 44, "The program's own memory for a socket, or None."),
    (108, "sk_storage_delete", "5.2", "p", "long", "number", "struct bpf_map *map=map, void *sk=ctx|socket|object", 42, "Give back the memory for a socket."),
    (109, "send_signal", "5.3", "", "long", "number", "u32 sig=number", 0, "Send a signal to the current process."),
    (110, "tcp_gen_syncookie", "5.3", "g", "s64", "number", "void *sk=socket, void *iph=memory, u32 iph_len=size, struct tcphdr *th=memory, u32 th_len=size", 36, "A SYN cookie for a packet to a listening socket."),
    (111, "skb_output", "5.5", "", "long", "number", "struct sk_buff *ctx=object, struct bpf_map *map=map, u64 flags=number, void *data=memory, u64 size=size", 22, "Send bytes, and some of a kernel sk_buff, to user space through a perf event array."),
    (112, "probe_read_user", "5.5", "g", "long", "number", "void *dst=memory:out, u32 size=size, const void *unsafe_ptr=address", 0, "Read memory of the current process."),
    (113, "probe_read_kernel", "5.5", "g", "long", "number", "void *dst=memory:out, u32 size=size, const void *unsafe_ptr=address", 0, "Read memory of the kernel."),
    (114, "probe_read_user_str", "5.5", "g", "long", "number", "void *dst=memory:out, u32 size=size, const void *unsafe_ptr=address", 0, "Read a text of the current process."),
    (115, "probe_read_kernel_str", "5.5", "g", "long", "number", "void *dst=memory:out, u32 size=size, const void *unsafe_ptr=address", 0, "Read a text of the kernel."),
    (116, "tcp_send_ack", "5.5", "", "long", "number", "void *tp=object, u32 rcv_nxt=number", 27, "Send an acknowledgement of a TCP connection."),
    (117, "send_signal_thread", "5.5", "", "long", "number", "u32 sig=number", 0, "Send a signal to the current thread."),
    (118, "jiffies64", "5.5", "", "u64", "number", "", 0, "The kernel's timer ticks since it started."),
    (119, "read_branch_records", "5.6", "g", "long", "number", "struct bpf_perf_event_data *ctx=ctx, void *buf=memory:both?, u32 size=size, u64 flags=number", 48, "The branches that the CPU recorded for this event."),
    (120, "get_ns_current_pid_tgid", "5.7", "", "long", "number", "u64 dev=number, u64 ino=number, struct bpf_pidns_info *nsdata=memory:out, u32 size=size", 0, "Process and thread id of the current task as a pid namespace has them, which dev and ino of its file name."),
    (121, "xdp_output", "5.6", "", "long", "number", "struct xdp_buff *ctx=object, struct bpf_map *map=map, u64 flags=number, void *data=memory, u64 size=size", 22, "Send bytes, and some of a kernel xdp_buff, to user space through a perf event array."),
    (122, "get_netns_cookie", "5.7", "", "u64", "number", "void *ctx=ctx?", 8, "A number that is a network namespace's own while the system runs; None asks for the first namespace."),
    (123, "get_current_ancestor_cgroup_id", "5.6", "", "u64", "number", "int ancestor_level=number", 0, "The id of an ancestor, at a depth, of the current task's cgroup."),
    (124, "sk_assign", "5.6", "", "long", "number", "struct bpf_sk_lookup *ctx=ctx, struct bpf_sock *sk=socket?, u64 flags=number", 35, "Hand the packet to a socket."),
    (125, "ktime_get_boot_ns", "5.8", "", "u64", "number", "", 0, "Nanoseconds since the system started, with the time it slept (CLOCK_BOOTTIME)."),
    (126, "seq_printf", "5.7", "g", "long", "number", "struct seq_file *m=object, const char *fmt=memory, u32 fmt_size=size, const void *data=memory?, u32 data_len=size", 25, "Write formatted text into an iterator's output."),
    (127, "seq_write", "5.7", "g", "long", "number", "struct seq_file *m=object, const void *data=memory, u32 len=size", 25, "Write bytes into an iterator's output."),
    (128, "sk_cgroup_id", "5.7", "", "u64", "number", "void *sk=socket", 49, "The cgroup id of a socket."),
    (129, "sk_ancestor_cgroup_id", "5.7", "", "u64", "number", "void *sk=socket, int ancestor_level=number", 49, "The id of an ancestor, at a depth, of a socket's cgroup."),
    (130, "ringbuf_output", "5.8", "", "long", "number", "void *ringbuf=map, void *data=memory, u64 size=size, u64 flags=number", 0, "Copy bytes into a ring."),
    (131, "ringbuf_reserve", "5.8", "", "void *", "memory?", "void *ringbuf=map, u64 size=constant, u64 flags=number", 0, "Room for a record in a ring, or None if it is full."),
    (132, "ringbuf_submit", "5.8", "", "void", "nothing", "void *data=record!, u64 flags=number", 0, "Make a record of a ring readable."),
    (133, "ringbuf_discard", "5.8", "", "void", "nothing", "void *data=record!, u64 flags=number", 0, "Give up a record of a ring."),
    (134, "ringbuf_query", "5.8", "", "u64", "number", "void *ringbuf=map, u64 flags=number", 0, "How full a ring is: BPF_RB_AVAIL_DATA, BPF_RB_RING_SIZE, BPF_RB_CONS_POS, BPF_RB_PROD_POS."),
    (135, "csum_level", "5.7", "", "long", "number", "struct sk_buff *skb=ctx, u64 level=number", 32, "Change how many checksums of the packet are known to be right."),
    (136, "skc_to_tcp6_sock", "5.9", "", "struct tcp6_sock *", "object?", "void *sk=socket", 2, "A socket as a TCP socket over IPv6, or None."),
    (137, "skc_to_tcp_sock", "5.9", "", "struct tcp_sock *", "object?", "void *sk=socket", 2, "A socket as a TCP socket, or None."),
    (138, "skc_to_tcp_timewait_sock", "5.9", "", "struct tcp_timewait_sock *", "object?", "void *sk=socket", 2, "A socket as a TIME_WAIT socket, or None."),
    (139, "skc_to_tcp_request_sock", "5.9", "", "struct tcp_request_sock *", "object?", "void *sk=socket", 2, "A socket as a connection request, or None."),
    (140, "skc_to_udp6_sock", "5.9", "", "struct udp6_sock *", "object?", "void *sk=socket", 2, "A socket as a UDP socket over IPv6, or None."),
    (141, "get_task_stack", "5.9", "", "long", "number", "struct task_struct *task=object, void *buf=memory:out, u32 size=size, u64 flags=number", 0, "Copy the stack of a task, as addresses."),
    (142, "load_hdr_opt", "5.10", "", "long", "number", "struct bpf_sock_ops *skops=ctx, void *searchby_res=memory:both, u32 len=size, u64 flags=number", 10, "Look for an option of the TCP header."),
    (143, "store_hdr_opt", "5.10", "", "long", "number", "struct bpf_sock_ops *skops=ctx, const void *from=memory, u32 len=size, u64 flags=number", 10, "Write an option of the TCP header."),
    (144, "reserve_hdr_opt", "5.10", "", "long", "number", "struct bpf_sock_ops *skops=ctx, u32 len=number, u64 flags=number", 10, "Ask for room for options of the TCP header."),
    (145, "inode_storage_get", "5.10", "", "void *", "value?", "struct bpf_map *map=map, void *inode=object?, void *value=value?, u64 flags=number", 28, "The program's own memory for an inode, or None."),
    (146, "inode_storage_delete", "5.10", "", "int", "number", "struct bpf_map *map=map, void *inode=object?", 28, "Give back the memory for an inode."),
    (147, "d_path", "5.10", "p", "long", "number", "const struct path *path=object, char *buf=memory:both, u32 sz=size", 26, "The full path of a file, from its struct path; only where the kernel allows it."),
    (148, "copy_from_user", "5.10", "s", "long", "number", "void *dst=memory:out, u32 size=size, const void *user_ptr=address", 0, "Read memory of the current process, waiting for it if need be."),
    (149, "snprintf_btf", "5.10", "", "long", "number", "char *str=memory:both, u32 str_size=size, struct btf_ptr *ptr=memory, u32 btf_ptr_size=size, u64 flags=number", 0, "Write a kernel object as text, by its type."),
    (150, "seq_printf_btf", "5.10", "g", "long", "number", "struct seq_file *m=object, struct btf_ptr *ptr=memory, u32 ptr_size=size, u64 flags=number", 25, "Write a kernel object as text into an iterator's output, by its type."),
    (151, "skb_cgroup_classid", "5.10", "", "u64", "number", "struct sk_buff *skb=ctx", 29, "The net_cls class of the packet's socket, for cgroup v1."),
    (152, "redirect_neigh", "5.10", "", "long", "number", "u32 ifindex=number, struct bpf_redir_neigh *params=memory?, int plen=size, u64 flags=number", 29, "Send the packet by another interface, with link addresses from the neighbour table: the result is what the program returns."),
    (153, "per_cpu_ptr", "5.10", "", "void *", "percpu?", "const void *percpu_ptr=percpu, u32 cpu=number", 0, "The variable of another CPU, or None if there is no such CPU."),
    (154, "this_cpu_ptr", "5.10", "", "void *", "percpu", "const void *percpu_ptr=percpu", 0, "The variable of this CPU."),
    (155, "redirect_peer", "5.10", "", "long", "number", "u32 ifindex=number, u64 flags=number", 29, "Hand the packet to the other end of a veth pair: the result is what the program returns."),
    (156, "task_storage_get", "5.11", "", "void *", "value?", "struct bpf_map *map=map, struct task_struct *task=object?, void *value=value?, u64 flags=number", 0, "The program's own memory for a task, or None."),
    (157, "task_storage_delete", "5.11", "", "long", "number", "struct bpf_map *map=map, struct task_struct *task=object?", 0, "Give back the memory for a task."),
    (158, "get_current_task_btf", "5.11", "g", "struct task_struct *", "object", "", 0, "The current task, typed."),
    (159, "bprm_opts_set", "5.11", "", "long", "number", "struct linux_binprm *bprm=object, u64 flags=number", 28, "Set options of a program that is being executed: BPF_F_BPRM_SECUREEXEC."),
    (160, "ktime_get_coarse_ns", "5.11", "", "u64", "number", "", 3, "Nanoseconds since the system started as of the last timer tick: less exact, and cheaper."),
    (161, "ima_inode_hash", "5.11", "sp", "long", "number", "struct inode *inode=object, void *dst=memory:out, u32 size=size", 28, "The hash that the integrity measurement has of an inode; the result says which algorithm."),
    (162, "sock_from_file", "5.11", "", "struct socket *", "object?", "struct file *file=object", 22, "The socket behind a file, or None."),
    (163, "check_mtu", "5.12", "g", "long", "number", "void *ctx=ctx, u32 ifindex=number, u32 *mtu_len=memory:both:4, s32 len_diff=number, u64 flags=number", 36, "Whether a packet fits the MTU of an interface; mtu_len gets the MTU."),
    (164, "for_each_map_elem", "5.13", "", "long", "number", "struct bpf_map *map=map, void *callback_fn=callback, void *callback_ctx=state?, u64 flags=number", 0, "Call a function for each element of a map."),
    (165, "snprintf", "5.13", "g", "long", "number", "char *str=memory:both?, u32 str_size=size, const char *fmt=text, u64 *data=memory?, u32 data_len=size", 0, "Write formatted text into memory."),
    (166, "sys_bpf", "5.14", "s", "long", "number", "u32 cmd=number, void *attr=memory, u32 attr_size=size", 45, "Make a bpf(2) call."),
    (167, "btf_find_by_name_kind", "5.14", "s", "long", "number", "char *name=memory, int name_sz=size, u32 kind=number, int flags=number", 45, "The id of a kernel type, by name and kind."),
    (168, "sys_close", "5.14", "s", "long", "number", "u32 fd=number", 45, "Close a file descriptor."),
    (169, "timer_init", "5.15", "g", "long", "number", "struct bpf_timer *timer=timer, struct bpf_map *map=map, u64 flags=number", 0, "Make a timer that stands in a map value ready."),
    (170, "timer_set_callback", "5.15", "g", "long", "number", "struct bpf_timer *timer=timer, void *callback_fn=callback", 0, "Which function a timer calls."),
    (171, "timer_start", "5.15", "g", "long", "number", "struct bpf_timer *timer=timer, u64 nsecs=number, u64 flags=number", 0, "Let a timer run out after so many nanoseconds."),
    (172, "timer_cancel", "5.15", "g", "long", "number", "struct bpf_timer *timer=timer", 0, "Stop a timer, and wait for its function."),
    (173, "get_func_ip", "5.15", "", "u64", "number", "void *ctx=ctx", 16, "The address of the function that the program is attached to."),
    (174, "get_attach_cookie", "5.15", "", "u64", "number", "void *ctx=ctx", 18, "The number that was given when the program was attached."),
    (175, "task_pt_regs", "5.15", "g", "struct pt_regs *", "object", "struct task_struct *task=object", 0, "The user registers of a task."),
    (176, "get_branch_snapshot", "5.16", "g", "long", "number", "void *entries=memory:out, u32 size=size, u64 flags=number", 0, "The branches that the CPU took last."),
    (177, "trace_vprintk", "5.16", "g", "long", "number", "const char *fmt=memory, u32 fmt_size=size, const void *data=memory?, u32 data_len=size", 0, "Write a line to the kernel's trace pipe, with more than three values."),
    (178, "skc_to_unix_sock", "5.16", "", "struct unix_sock *", "object?", "void *sk=socket", 2, "A socket as a Unix socket, or None."),
    (179, "kallsyms_lookup_name", "5.16", "", "long", "number", "const char *name=memory, int name_sz=size, int flags=number, u64 *res=memory:out:8", 45, "The address of a symbol of the kernel."),
    (180, "find_vma", "5.17", "", "long", "number", "struct task_struct *task=object, u64 addr=number, void *callback_fn=callback, void *callback_ctx=state?, u64 flags=number", 0, "Call a function with the memory area of a task that has an address."),
    (181, "loop", "5.17", "", "long", "number", "u32 nr_loops=number, void *callback_fn=callback, void *callback_ctx=state?, u64 flags=number", 0, "Call a function so many times."),
    (182, "strncmp", "5.17", "", "long", "number", "const char *s1=memory, u32 s1_sz=size, const char *s2=text", 0, "Compare a text with one that is written out."),
    (183, "get_func_arg", "5.17", "", "long", "number", "void *ctx=ctx, u32 n=number, u64 *value=memory:out:8", 23, "An argument of the traced function, by number."),
    (184, "get_func_ret", "5.17", "", "long", "number", "void *ctx=ctx, u64 *value=memory:out:8", 24, "What the traced function returns."),
    (185, "get_func_arg_cnt", "5.17", "", "long", "number", "void *ctx=ctx", 23, "How many arguments the traced function has."),
    (186, "get_retval", "5.18", "", "int", "number", "", 51, "What the system call is to return, as the program before left it."),
    (187, "set_retval", "5.18", "", "int", "number", "int retval=number", 51, "What the system call is to return."),
    (188, "xdp_get_buff_len", "5.18", "", "u64", "number", "struct xdp_buff *xdp_md=ctx|object", 47, "The length of the whole packet, with its further pieces."),
    (189, "xdp_load_bytes", "5.18", "", "long", "number", "struct xdp_buff *xdp_md=ctx, u32 offset=number, void *buf=memory:out, u32 len=size", 46, "Copy bytes of the packet from an offset, wherever they lie."),
    (190, "xdp_store_bytes", "5.18", "", "long", "number", "struct xdp_buff *xdp_md=ctx, u32 offset=number, void *buf=memory, u32 len=size", 46, "Write bytes into the packet at an offset, wherever they lie."),
    (191, "copy_from_user_task", "5.18", "gs", "long", "number", "void *dst=memory:out, u32 size=size, const void *user_ptr=address, struct task_struct *tsk=object, u64 flags=number", 0, "Read memory of another task's process, waiting for it if need be."),
    (192, "skb_set_tstamp", "5.18", "", "long", "number", "struct sk_buff *skb=ctx, u64 tstamp=number, u32 tstamp_type=number", 29, "Set the packet's time, and which clock it is of."),
    (193, "ima_file_hash", "5.18", "sp", "long", "number", "struct file *file=object, void *dst=memory:out, u32 size=size", 28, "The hash of a file, computed if need be; the result says which algorithm."),
    (194, "kptr_xchg", "5.19", "", "void *", "object?", "void *dst=kptr, void *ptr=object?!", 0, "Exchange a kernel pointer that stands in a map value."),
    (195, "map_lookup_percpu_elem", "5.19", "", "void *", "value?", "struct bpf_map *map=map, const void *key=key, u32 cpu=number", 0, "The value of a key in a per-CPU map, as another CPU has it, or None."),
    (196, "skc_to_mptcp_sock", "5.19", "", "struct mptcp_sock *", "object?", "void *sk=socket", 2, "A socket as a Multipath TCP socket, or None."),
    (197, "dynptr_from_mem", "5.19", "", "long", "number", "void *data=memory:out, u64 size=size, u64 flags=number, struct bpf_dynptr *ptr=dynptr:out", 0, "A dynamic pointer to memory of a map value."),
    (198, "ringbuf_reserve_dynptr", "5.19", "", "long", "number", "void *ringbuf=map, u32 size=number, u64 flags=number, struct bpf_dynptr *ptr=dynptr:out", 0, "Room of any size in a ring, as a dynamic pointer."),
    (199, "ringbuf_submit_dynptr", "5.19", "", "void", "nothing", "struct bpf_dynptr *ptr=dynptr!, u64 flags=number", 0, "Make what a dynamic pointer reserved readable."),
    (200, "ringbuf_discard_dynptr", "5.19", "", "void", "nothing", "struct bpf_dynptr *ptr=dynptr!, u64 flags=number", 0, "Give up what a dynamic pointer reserved."),
    (201, "dynptr_read", "5.19", "", "long", "number", "void *dst=memory:out, u64 len=size, const struct bpf_dynptr *src=dynptr, u64 offset=number, u64 flags=number", 0, "Copy bytes out of a dynamic pointer."),
    (202, "dynptr_write", "5.19", "", "long", "number", "const struct bpf_dynptr *dst=dynptr, u64 offset=number, void *src=memory, u64 len=size, u64 flags=number", 0, "Copy bytes to a dynamic pointer."),
    (203, "dynptr_data", "5.19", "", "void *", "memory?", "const struct bpf_dynptr *ptr=dynptr, u64 offset=number, u64 len=constant", 0, "The memory of a dynamic pointer, or None if it is shorter."),
    (204, "tcp_raw_gen_syncookie_ipv4", "6.0", "g", "s64", "number", "struct iphdr *iph=memory:20, struct tcphdr *th=memory, u32 th_len=size", 36, "A SYN cookie for an IPv4 packet, without a socket."),
    (205, "tcp_raw_gen_syncookie_ipv6", "6.0", "g", "s64", "number", "struct ipv6hdr *iph=memory:40, struct tcphdr *th=memory, u32 th_len=size", 36, "A SYN cookie for an IPv6 packet, without a socket."),
    (206, "tcp_raw_check_syncookie_ipv4", "6.0", "g", "long", "number", "struct iphdr *iph=memory:20, struct tcphdr *th=memory:20", 36, "Whether an IPv4 packet carries a valid SYN cookie."),
    (207, "tcp_raw_check_syncookie_ipv6", "6.0", "g", "long", "number", "struct ipv6hdr *iph=memory:40, struct tcphdr *th=memory:20", 36, "Whether an IPv6 packet carries a valid SYN cookie."),
    (208, "ktime_get_tai_ns", "6.1", "", "u64", "number", "", 0, "Nanoseconds of International Atomic Time (CLOCK_TAI)."),
    (209, "user_ringbuf_drain", "6.1", "", "long", "number", "struct bpf_map *map=map, void *callback_fn=callback, void *ctx=state?, u64 flags=number", 0, "Call a function for each record that user space put into a ring."),
    (210, "cgrp_storage_get", "6.2", "", "void *", "value?", "struct bpf_map *map=map, struct cgroup *cgroup=object?, void *value=value?, u64 flags=number", 0, "The program's own memory for a cgroup, or None."),
    (211, "cgrp_storage_delete", "6.2", "", "long", "number", "struct bpf_map *map=map, struct cgroup *cgroup=object?", 0, "Give back the memory for a cgroup."),
)  # fmt: skip

SIGNATURES: dict[str, Signature] = {row[1]: _signature(*row) for row in _TABLE}
