"""Flow accounting in the kernel: packets per connection, owner per socket.

Packets are counted where the socket is known (``cgroup_skb``), from the IP header on, in wire
units: an skb that GSO will split or GRO has merged counts as the segments it stands for.  A row
is a pair of endpoints taken from the packet's own headers, because during a handshake the socket
is still the listener and has no peer.  Over IPv6, older kernels (6.1 is one) do not show their
SYN-ACKs to cgroups ("net: bpf: Check SKB ownership against full socket", 2023): one packet of each
accepted connection is not counted there.

Who owns a socket is noted in process context only (socket creation, bind, connect, unconnected
send, and, since Linux 6.3, the first send or receive after the socket changed hands) in storage that
lives with the socket; the receive path runs in whatever task was interrupted and never looks at
it.  A connection accepted from a listener starts with the listener's owner (``BPF_F_CLONE``) until
somebody uses it.

How a connection fares is seen in its own packets, too: resets, windows of zero, connections that a
full accept queue turned away, the time from SYN to SYN-ACK and from the first byte of a question to
that of its answer.  Why one failed, the kernel says where its state changes (``inet_sock_set_state``).
"""

from __future__ import annotations

from enum import IntEnum

from beespace.lang import (
    Counter,
    Event,
    Hash,
    Interval,
    KernelStruct,
    Program,
    Ring,
    SocketStorage,
    Struct,
    bpf,
    btf_tracepoint,
    cgroup_skb,
    cgroup_sock,
    cgroup_sock_addr,
    function,
    iterator,
)
from beespace.lang.packet import IPPROTO_TCP, IPPROTO_UDP, TCP, TCP_ACK, TCP_RST, TCP_SYN, UDP, IPv4, IPv6
from beespace.types import Address, CgroupId, Cookie, Pid, Port, Text, Timestamp, Uid, be16, boolean, text, u8, u32, u64

AF_INET = 2
AF_INET6 = 10
TCP_ESTABLISHED = 1
TCP_SYN_RECV = 3
TCP_CLOSE = 7
TCP_LISTEN = 10
IP_FRAGMENT_OFFSET = 0x1FFF
# IPv6 extension headers that may stand before the transport header (RFC 8200, 4.1).
IPV6_HOP_BY_HOP = 0
IPV6_ROUTING = 43
IPV6_FRAGMENT = 44
IPV6_DESTINATION_OPTIONS = 60
# What it means that a kernel cannot tell who sends and receives.
STAYS = "a connection stays with the process that listened for it, also when another one accepted it"
NO_ERRORS = "why connections fail is not known"


class Role(IntEnum):
    """Who opened the conversation."""

    UNKNOWN = 0
    CLIENT = 1
    SERVER = 2


class Phase(IntEnum):
    """How far a connection is, as long as there is something to time."""

    NEW = 0
    OPENING = 1  # a SYN was sent; `since` says when
    OPEN = 2  # answered, then
    ASKED = 3  # the first byte of the question passed, then
    TIMED = 4  # nothing to time any more


class Owner(Struct):
    """The process that uses a socket; lives with the socket.  ``start`` is the process's, since boot."""

    start: Timestamp
    cgroup: CgroupId
    netns: u64
    pid: Pid
    uid: Uid
    retransmits: u32  # how many the TCP connection had when we first saw it
    role: u32
    existing: u32  # it is older than we are: TCP's first packet sets `retransmits`, no packet tells who opened
    phase: u32
    spare: u32
    since: Timestamp  # when `phase` began
    name: Text = text(16)


class FlowKey(Struct):
    """Two endpoints in one network namespace; ``protocol`` is IPPROTO_*."""

    local: Address
    remote: Address
    netns: u64
    local_port: Port
    remote_port: Port
    protocol: u32


class FlowStats(Struct):
    """What passed in one interval, and whose it is."""

    tx_bytes: u64
    tx_packets: u64
    rx_bytes: u64
    rx_packets: u64
    retransmits: u64  # since we know the connection, not in this interval
    first: Timestamp
    last: Timestamp
    cookie: Cookie
    start: Timestamp
    cgroup: CgroupId
    pid: Pid
    uid: Uid
    rtt_us: u32
    rtt_var_us: u32  # tcpi_rttvar, a mean deviation
    rtt_min_us: u32
    connect_us: u32  # from SYN to SYN-ACK, of a connection that this end opened
    first_byte_us: u32  # from the first byte of the question to that of the answer
    tx_resets: u32
    rx_resets: u32
    tx_zero_windows: u32
    rx_zero_windows: u32
    accept_overflows: u32  # packets of new connections that found the accept queue full
    error: u32  # why the connection failed: sk_err, an errno
    interface: u32  # index of the device that the last packet passed, in its network namespace
    state: u32
    role: u32
    owned: u32
    name: Text = text(16)


class Wire(Struct):
    """One skb in wire units; ``length`` counts from the IP header on, headers of every segment included."""

    packets: u64
    length: u64
    egress: boolean
    payload: boolean
    flags: u8  # of the TCP header
    stalled: boolean  # it announces a window of zero


class Extension(Struct):
    """The first four bytes of an IPv6 extension header; ``fragment`` is offset << 3 in a fragment header."""

    following: u8
    length: u8
    fragment: be16


class Address6(Struct):
    """``struct in6_addr``."""

    address: Address


class InetSock(KernelStruct, name="inet_sock"):
    """``struct inet_sock`` (include/net/inet_sock.h)."""

    inet_sport: be16


class ListenKey(Struct):
    """A port that somebody listens on."""

    netns: u64
    port: u32


class Moved(Event):
    """A socket is used by another process than before: a worker that accepted, a descriptor passed on."""

    cookie: Cookie
    start: Timestamp
    cgroup: CgroupId
    pid: Pid
    uid: Uid
    name: Text = text(16)


class Flows(Program):
    """Counts every packet of every local socket, with the process that owns the socket."""

    owners = SocketStorage(Owner, clone=True)
    flows = Interval(key=FlowKey, value=FlowStats, max_entries=65_536)
    listening = Hash(key=ListenKey, value=u8, max_entries=16_384)
    moved = Ring(Moved, size="256 KiB")
    lost_packets = Counter()  # packets that found the table full
    lost_bytes = Counter()
    unparsed = Counter()  # packets whose headers could not be read

    @cgroup_skb("egress")
    def on_egress(self, ctx):
        self.account(ctx, True)

    @cgroup_skb("ingress")
    def on_ingress(self, ctx):
        self.account(ctx, False)

    @function
    def account(self, ctx, egress: boolean):
        key = FlowKey()
        header: u32 = 0
        whole = True
        ip = bpf.packet(ctx, IPv4, 0)
        if ip is None:
            self.unparsed += 1
            return
        if ip.version_ihl >> 4 == 4:
            header = u32(ip.version_ihl & 15) * 4
            key.protocol = u32(ip.protocol)
            whole = ip.flags_fragment & IP_FRAGMENT_OFFSET == 0
            if egress:
                key.local = bpf.v4(ip.source)
                key.remote = bpf.v4(ip.destination)
            else:
                key.local = bpf.v4(ip.destination)
                key.remote = bpf.v4(ip.source)
        else:
            ip6 = bpf.packet(ctx, IPv6, 0)
            if ip6 is None:
                self.unparsed += 1
                return
            if egress:
                key.local = ip6.source
                key.remote = ip6.destination
            else:
                key.local = ip6.destination
                key.remote = ip6.source
            header = 40
            following: u32 = u32(ip6.next_header)
            for _ in range(4):
                if (
                    following != IPV6_HOP_BY_HOP
                    and following != IPV6_ROUTING
                    and following != IPV6_DESTINATION_OPTIONS
                    and following != IPV6_FRAGMENT
                ):
                    break
                extension = bpf.packet(ctx, Extension, header)
                if extension is None:
                    break
                if following == IPV6_FRAGMENT:
                    whole = extension.fragment >> 3 == 0
                    header += 8
                else:
                    header += (u32(extension.length) + 1) * 8
                following = u32(extension.following)
            key.protocol = following

        flags: u8 = 0
        stalled = False
        if whole and key.protocol == IPPROTO_TCP:
            tcp = bpf.packet(ctx, TCP, header)
            if tcp is not None:
                key.local_port = tcp.source if egress else tcp.destination
                key.remote_port = tcp.destination if egress else tcp.source
                flags = tcp.flags
                stalled = tcp.window == 0
                header += u32(tcp.data_offset >> 4) * 4
        elif whole and key.protocol == IPPROTO_UDP:
            udp = bpf.packet(ctx, UDP, header)
            if udp is not None:
                key.local_port = udp.source if egress else udp.destination
                key.remote_port = udp.destination if egress else udp.source
                header += 8

        # An skb may stand for many packets on the wire; each repeats the headers.
        packets: u64 = 1
        if ctx.gso_size > 0:
            payload = ctx.len - header
            packets = u64(ctx.gso_segs) if ctx.gso_segs > 0 else u64((payload + ctx.gso_size - 1) // ctx.gso_size)
        length = u64(ctx.len) + (packets - 1) * u64(header)
        wire = Wire(
            packets=packets, length=length, egress=egress, payload=ctx.len > header, flags=flags, stalled=stalled
        )
        self.add(ctx, key, wire)

    @function
    def add(self, ctx, key: FlowKey, wire: Wire):
        socket = bpf.full_socket(ctx)
        owner = self.owners.get(socket) if socket is not None else None
        if owner is not None:
            key.netns = owner.netns
        stats = self.flows.get_or_create(key)
        if stats is None:
            self.lost_packets += wire.packets
            self.lost_bytes += wire.length
            return
        if wire.egress:
            stats.tx_packets += wire.packets
            stats.tx_bytes += wire.length
        else:
            stats.rx_packets += wire.packets
            stats.rx_bytes += wire.length
        now = bpf.now()
        if stats.first == 0:
            stats.first = now
        stats.last = now
        stats.interface = ctx.ifindex
        if wire.stalled or wire.flags & TCP_RST != 0:
            self.disturbed(stats, wire)
        if socket is None:
            return
        stats.cookie = bpf.socket_cookie(ctx)
        state: u32 = socket.state
        stats.state = state
        if state == TCP_LISTEN:
            stats.state = TCP_SYN_RECV
            if not wire.egress:
                listener = bpf.skc_to_tcp_sock(socket)
                if listener is not None:
                    # As sk_acceptq_is_full() says a moment later (include/net/sock.h): the packet is thrown away.
                    sk = listener.inet_conn.icsk_inet.sk
                    if sk.sk_ack_backlog > sk.sk_max_ack_backlog:
                        stats.accept_overflows = stats.accept_overflows + 1
        if owner is None:
            return
        if key.protocol == IPPROTO_TCP:
            if wire.flags & (TCP_SYN | TCP_ACK) == TCP_SYN:
                owner.role = Role.CLIENT if wire.egress else Role.SERVER
            if owner.phase != Phase.TIMED and state != TCP_LISTEN:
                self.timed(owner, stats, wire)
            tcp = bpf.tcp_socket(socket)
            if tcp is not None:
                rtt: u32 = tcp.srtt_us >> 3
                if rtt != stats.rtt_us:
                    stats.rtt_us = rtt
                    stats.rtt_min_us = tcp.rtt_min
                    whole = bpf.skc_to_tcp_sock(socket)
                    if whole is not None:
                        stats.rtt_var_us = whole.mdev_us >> 2
                if owner.existing != 0:
                    owner.existing = 0
                    owner.retransmits = tcp.total_retrans
                # A running total: CPUs that get here at once can not count one twice.
                stats.retransmits = max(stats.retransmits, u64(tcp.total_retrans - owner.retransmits))
        elif owner.role == Role.UNKNOWN and owner.existing == 0:
            owner.role = Role.CLIENT if wire.egress else Role.SERVER
        self.belongs(stats, owner)

    @function
    def belongs(self, stats: FlowStats, owner: Owner):
        stats.role = owner.role
        stats.start = owner.start
        stats.cgroup = owner.cgroup
        stats.pid = owner.pid
        stats.uid = owner.uid
        stats.name = owner.name
        stats.owned = 1

    @function
    def disturbed(self, stats: FlowStats, wire: Wire):
        """A reset, or a window of zero, which in a SYN or a reset says nothing."""
        if wire.flags & TCP_RST != 0:
            if wire.egress:
                stats.tx_resets = stats.tx_resets + 1
            else:
                stats.rx_resets = stats.rx_resets + 1
        elif wire.flags & TCP_ACK != 0:
            if wire.egress:
                stats.tx_zero_windows = stats.tx_zero_windows + 1
            else:
                stats.rx_zero_windows = stats.rx_zero_windows + 1

    @function
    def timed(self, owner: Owner, stats: FlowStats, wire: Wire):
        """The first packets of a connection: how long its opening took, and its first answer."""
        now = bpf.now()
        if wire.flags & TCP_SYN != 0:
            if wire.egress and owner.phase == Phase.NEW:
                owner.phase = Phase.OPENING
                owner.since = now
            elif not wire.egress and owner.phase == Phase.OPENING:
                stats.connect_us = max(u32((now - owner.since) // 1000), 1)
                owner.phase = Phase.OPEN
                owner.since = now
        elif wire.payload:
            asks = wire.egress == (owner.role == Role.CLIENT)
            if asks and owner.phase != Phase.ASKED:
                owner.phase = Phase.ASKED
                owner.since = now
            elif not asks:
                # A server that speaks first answers the connection itself; only its client can time that.
                if owner.phase != Phase.NEW:
                    stats.first_byte_us = max(u32((now - owner.since) // 1000), 1)
                owner.phase = Phase.TIMED

    @btf_tracepoint("inet_sock_set_state", optional=NO_ERRORS)
    def on_state(self, sk, oldstate, newstate):
        if newstate != TCP_CLOSE or sk.sk_err == 0 or sk.sk_protocol != IPPROTO_TCP:
            return
        common = sk.__sk_common
        # skc_num is 0 by now: the port was given back (inet_put_port()).
        key = FlowKey(protocol=IPPROTO_TCP, local_port=bpf.cast(sk, InetSock).inet_sport, remote_port=common.skc_dport)
        if common.skc_family == AF_INET:
            key.local = bpf.v4(common.skc_rcv_saddr)
            key.remote = bpf.v4(common.skc_daddr)
        elif common.skc_family == AF_INET6:
            key.local = bpf.read(common.skc_v6_rcv_saddr, Address6).address
            key.remote = bpf.read(common.skc_v6_daddr, Address6).address
        else:
            return
        owner = self.owners.get(sk)
        if owner is not None:
            key.netns = owner.netns
        stats = self.flows.get_or_create(key)
        if stats is None:
            return
        stats.error = u32(sk.sk_err)
        stats.state = TCP_CLOSE
        stats.last = bpf.now()
        if stats.first == 0:
            stats.first = stats.last
            stats.cookie = bpf.socket_cookie(sk)
        if owner is not None:
            self.belongs(stats, owner)

    @cgroup_sock("create")
    def on_create(self, ctx):
        owner = self.owners.get_or_create(ctx)
        if owner is not None:
            owner.netns = bpf.netns_cookie(ctx)
            self.claim(owner)

    @cgroup_sock_addr("connect4")
    def on_connect4(self, ctx):
        self.use(ctx)

    @cgroup_sock_addr("connect6")
    def on_connect6(self, ctx):
        self.use(ctx)

    @cgroup_sock_addr("sendmsg4")
    def on_sendmsg4(self, ctx):
        self.use(ctx)

    @cgroup_sock_addr("sendmsg6")
    def on_sendmsg6(self, ctx):
        self.use(ctx)

    @cgroup_sock_addr("bind4")
    def on_bind4(self, ctx):
        self.use(ctx)

    @cgroup_sock_addr("bind6")
    def on_bind6(self, ctx):
        self.use(ctx)

    @function
    def use(self, ctx):
        owner = self.owners.get_or_create(ctx.sk)
        if owner is not None and owner.pid != bpf.pid():
            owner.netns = bpf.netns_cookie(ctx)
            self.claim(owner)

    @btf_tracepoint("sock_send_length", optional=STAYS)  # Linux 6.3
    def on_send(self, sk):
        self.used(sk)

    @btf_tracepoint("sock_recv_length", optional=STAYS)
    def on_receive(self, sk):
        self.used(sk)

    @function
    def used(self, sk):
        family = sk.__sk_common.skc_family
        if family != AF_INET and family != AF_INET6:
            return
        owner = self.owners.get_or_create(sk)
        if owner is None or owner.pid == bpf.pid():
            return
        known = owner.pid != 0
        owner.netns = sk.__sk_common.skc_net.net.net_cookie
        self.claim(owner)
        if known:
            self.moved.emit(
                Moved(
                    cookie=bpf.socket_cookie(sk),
                    start=owner.start,
                    cgroup=owner.cgroup,
                    pid=owner.pid,
                    uid=owner.uid,
                    name=owner.name,
                )
            )

    @function
    def claim(self, owner: Owner):
        """The current process owns it; called in process context only."""
        leader = bpf.task().group_leader
        owner.start = leader.start_boottime
        owner.cgroup = bpf.cgroup_id()
        owner.pid = bpf.pid()
        owner.uid = bpf.uid()
        owner.name = leader.comm

    @iterator("task_file")
    def on_existing(self, ctx):
        """Sockets from before the start: each belongs to the first process that has it open."""
        task = ctx.task
        file = ctx.file
        if task is None or file is None:
            return
        socket = bpf.file_socket(file)
        if socket is None:
            return
        sk = socket.sk
        if sk is None:
            return
        family = sk.__sk_common.skc_family
        if family != AF_INET and family != AF_INET6:
            return
        owner = self.owners.get_or_create(sk)
        if owner is None:
            return
        netns = sk.__sk_common.skc_net.net.net_cookie
        port = sk.__sk_common.skc_num
        if sk.__sk_common.skc_state == TCP_LISTEN:
            self.listening[ListenKey(netns=netns, port=u32(port))] = 1
        if owner.pid != 0:
            return
        owner.netns = netns
        owner.existing = 1
        owner.phase = Phase.TIMED
        owner.start = task.group_leader.start_boottime
        owner.cgroup = task.cgroups.dfl_cgrp.kn.id
        owner.pid = u32(task.tgid)
        owner.uid = task.cred.uid.val
        owner.name = task.group_leader.comm

    @iterator("task_file")
    def on_existing_role(self, ctx):
        """Second pass: a connection whose local port somebody listens on was opened by its peer.

        A connected UDP socket is a client's; of an unconnected one nobody knows who spoke first.
        """
        file = ctx.file
        if file is None:
            return
        socket = bpf.file_socket(file)
        if socket is None:
            return
        sk = socket.sk
        if sk is None:
            return
        family = sk.__sk_common.skc_family
        if family != AF_INET and family != AF_INET6:
            return
        owner = self.owners.get_or_create(sk)
        if owner is None or owner.role != Role.UNKNOWN:
            return
        connected = sk.__sk_common.skc_state == TCP_ESTABLISHED
        if sk.sk_protocol == IPPROTO_UDP and connected:
            owner.role = Role.CLIENT
        if sk.sk_protocol != IPPROTO_TCP:
            return
        port = u32(sk.__sk_common.skc_num)
        if ListenKey(netns=owner.netns, port=port) in self.listening:
            owner.role = Role.SERVER
        elif sk.__sk_common.skc_state != TCP_LISTEN:
            owner.role = Role.CLIENT
