"""Helpers on sockets: those of :class:`~beespace.vm.sockets.Sockets`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from beespace.vm.run import Run
    from beespace.vm.sockets import Socket

__all__ = [
    "sk_lookup_tcp", "sk_lookup_udp", "skc_lookup_tcp",
    "get_listener_sock", "get_netns_cookie", "get_socket_cookie", "get_socket_uid", "sk_cgroup_id", "sk_fullsock",
    "sk_release", "skb_cgroup_id", "skc_to_tcp_sock", "sock_from_file", "tcp_sock",
]  # fmt: skip

_LISTEN = 10  # TCP_LISTEN


def _of(run: Run, address: int) -> Socket | None:
    """The socket at an address, or of the context that stands there."""
    return run.machine.sockets.find(address) or run.socket


def sk_fullsock(run: Run, socket: int) -> int:
    """The socket, if it is a whole one, or 0.  Linux 5.1."""
    found = run.machine.sockets.find(socket)
    return run.machine.sockets.address(found) if found is not None and found.is_full else 0


def tcp_sock(run: Run, socket: int) -> int:
    """Its ``struct bpf_tcp_sock``, or 0.  Linux 5.1."""
    found = run.machine.sockets.find(socket)
    whole = found is not None and found.is_full and found.is_tcp
    return run.machine.sockets.tcp_address(found) if found is not None and whole else 0


def skc_to_tcp_sock(run: Run, socket: int) -> int:
    """0: there is no ``struct tcp_sock`` of the kernel behind the machine's sockets.  Linux 5.9."""
    return 0


def get_listener_sock(run: Run, socket: int) -> int:
    """The socket, if it listens, or 0.  Linux 5.1."""
    found = run.machine.sockets.find(socket)
    return run.machine.sockets.address(found) if found is not None and found.state == _LISTEN else 0


def sk_lookup_tcp(run: Run, context: int, tuple: int, size: int, netns: int, flags: int) -> int:
    """A socket of ``machine.sockets`` by its ends, seen from a packet that comes; or 0.  Linux 4.20."""
    return _lookup(run, 6, tuple, size & 0xFFFFFFFF, flags)


skc_lookup_tcp = sk_lookup_tcp


def sk_lookup_udp(run: Run, context: int, tuple: int, size: int, netns: int, flags: int) -> int:
    """The same of UDP."""
    return _lookup(run, 17, tuple, size & 0xFFFFFFFF, flags)


def _lookup(run: Run, protocol: int, place: int, size: int, flags: int) -> int:
    ends = run.memory.read(place, size)
    width = {12: 4, 36: 16}.get(size)  # struct bpf_sock_tuple, IPv4 or IPv6
    if width is None or flags:
        return 0
    ports = [int.from_bytes(ends[2 * width + at :][:2], "big") for at in (0, 2)]
    found = run.machine.sockets.lookup(protocol, (ends[:width], ports[0]), (ends[width : 2 * width], ports[1]))
    return 0 if found is None else run.machine.sockets.address(found)


def sk_release(run: Run, socket: int) -> int:
    """Nobody counts references here.  Linux 4.20."""
    return 0


def get_socket_cookie(run: Run, context: int) -> int:
    """The number of the socket, or 0.  Linux 4.12."""
    found = _of(run, context)
    return 0 if found is None else found.cookie


def get_netns_cookie(run: Run, context: int) -> int:
    """The number of the socket's network namespace; of the machine's where there is no socket.  Linux 5.7."""
    found = _of(run, context) if context else None
    return run.machine.inputs.netns if found is None else found.netns


def get_socket_uid(run: Run, context: int) -> int:
    """Who owns the packet's socket; 65534 (nobody) where there is none.  Linux 4.12."""
    return 65534 if run.socket is None or not run.socket.is_full else run.machine.inputs.uid


def sk_cgroup_id(run: Run, socket: int) -> int:
    """The cgroup v2 of the socket, or 0.  Linux 5.8."""
    found = run.machine.sockets.find(socket)
    return 0 if found is None else found.cgroup


def skb_cgroup_id(run: Run, context: int) -> int:
    """The cgroup v2 of the packet's socket, or 0.  Linux 4.18."""
    return 0 if run.socket is None else run.socket.cgroup


def sock_from_file(run: Run, file: int) -> int:
    """The ``struct socket`` of a file, or 0.  Linux 5.11."""
    return run.machine.sockets.of_file.get(file, 0)
