"""Peers of a process's own sockets, held against what that process is told."""

from __future__ import annotations

import math
import os
import select
import socket
import subprocess
import sys

import pytest

from beespace.enrich.canonical import canonical
from beespace.syscall.peers import Peer, peers

pytestmark = pytest.mark.kernel

SO_COOKIE = 57  # include/uapi/asm-generic/socket.h
SYN_SENT = 2  # include/net/tcp_states.h


def cookie(sock: socket.socket) -> int:
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), sys.byteorder)


def named(sock: socket.socket) -> Peer:
    host, port = sock.getpeername()[:2]
    address = canonical(host)
    assert address is not None
    return Peer(address, port)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_streams_and_datagrams(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with (
        socket.create_server((address, 0), family=family) as listener,
        socket.create_connection(listener.getsockname()[:2]) as stream,
        socket.socket(family, socket.SOCK_DGRAM) as datagrams,
        socket.socket(family, socket.SOCK_DGRAM) as idle,
    ):
        datagrams.connect((address, 9))
        found, all_seen = peers(os.getpid(), {cookie(stream), cookie(datagrams), cookie(idle)}, math.inf)
        assert all_seen and found == {cookie(each): named(each) for each in (stream, datagrams)}


def test_a_connection_that_has_no_peer_yet() -> None:
    """Its process is told of none before the peer answers (ENOTCONN); that is not the last word."""
    clients: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        try:
            state = 0
            while state != SYN_SENT:  # until nobody is taken in any more
                client = socket.socket()
                clients.append(client)
                client.setblocking(False)
                client.connect_ex(listener.getsockname())
                state = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
            last = clients[-1]
            assert peers(os.getpid(), {cookie(last)}, math.inf) == ({cookie(last): None}, True)
            for _ in clients:
                listener.accept()[0].close()
            assert select.select([], [last], [], 60)[1]
            last.setblocking(True)
            assert peers(os.getpid(), {cookie(last)}, math.inf) == ({cookie(last): named(last)}, True)
        finally:
            for client in clients:
                client.close()


def test_a_process_that_has_ended() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert peers(child.pid, {1}, math.inf) == ({}, True)
