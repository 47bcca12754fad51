"""tcpdump on a device of a network namespace, and what it wrote: the second opinion on every packet.

A tap sees what a device is handed: with segmentation left to the device, one frame that stands for many.  How many
says the sender's segment size, because TCP cuts such a frame into full segments and one rest.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple, Self

from flow_net import Net
from pace import wait_for

from beespace.syscall.namespaces import inside

__all__ = ["Dump", "Frame", "Marks", "between", "retransmitted", "sums"]

ETHERNET = 14
IPV4, IPV6, TCP, UDP = 0x0800, 0x86DD, 6, 17
SYN, FIN = 2, 1
MARK = 7099  # where the datagrams go that say: all before this has been captured


class Frame(NamedTuple):
    """``size`` from the IP header on, ``header`` of IP and TCP or UDP, both in bytes; ports are 0 without any."""

    source: str
    protocol: int
    ports: tuple[int, int]
    size: int
    header: int
    sequence: int = 0
    flags: int = 0

    @property
    def payload(self) -> int:
        return self.size - self.header

    def packets(self, segment: int) -> int:
        """How many packets of ``segment`` bytes it is on the wire."""
        return max(1, -(-self.payload // segment))

    def octets(self, segment: int) -> int:
        """And how many bytes: each repeats the headers."""
        return self.size + (self.packets(segment) - 1) * self.header


class Dump:
    """tcpdump on ``v0`` of one side; a context manager."""

    def __init__(self, net: Net, side: int, folder: Path) -> None:
        self._file = folder / f"side{side}.pcap"
        enter = ["nsenter", f"--net=/run/netns/{net.name}{side}"]
        # A buffer of 64 MiB, each packet written when it comes, headers only.
        command = [*enter, "tcpdump", "-i", "v0", "-w", str(self._file), "-U", "--immediate-mode", "-B", "65536"]
        self._process = subprocess.Popen([*command, "-s", "160", "-Z", "root"], stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        said = self._process.stderr.readline()
        assert "listening on v0" in said, said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.communicate()

    def wait(self, text: bytes) -> None:
        """Until a frame with ``text`` in it was captured."""
        wait_for(lambda: text in self._file.read_bytes(), f"tcpdump has not seen {text!r}", seconds=60)

    def stop(self) -> list[Frame]:
        """Every frame, our marks too; an error if any was lost."""
        self._process.terminate()
        said = self._process.communicate()[1]
        found = re.search(r"(\d+) packets dropped by kernel", said)
        assert found and found[1] == "0", said
        return list(_frames(self._file.read_bytes()))


def _frames(data: bytes) -> Iterator[Frame]:
    """Of a capture of Ethernet (pcap-savefile(5)), in this machine's byte order."""
    assert struct.unpack_from("=I16xI", data) == (0xA1B2C3D4, 1)
    at = 24
    while at < len(data):
        captured, length = struct.unpack_from("=8xII", data, at)
        yield _frame(data[at + 16 : at + 16 + captured], length)
        at += 16 + captured


def _frame(data: bytes, length: int) -> Frame:
    (kind,) = struct.unpack_from("!H", data, 12)
    ip = data[ETHERNET:]
    if kind == IPV4:
        header, protocol, source = (ip[0] & 15) * 4, ip[9], ip[12:16]
    elif kind == IPV6:
        header, protocol, source = 40, ip[6], ip[8:24]
    else:
        return Frame("", 0, (0, 0), length - ETHERNET, 0)
    text, size = str(ip_address(source)), length - ETHERNET
    if protocol == TCP:
        *ports, sequence, offset, flags = struct.unpack_from("!HHI4xBB", ip, header)
        return Frame(text, TCP, (ports[0], ports[1]), size, header + (offset >> 4) * 4, sequence, flags)
    if protocol == UDP:
        ports = [*struct.unpack_from("!HH", ip, header)]
        return Frame(text, UDP, (ports[0], ports[1]), size, header + 8)
    return Frame(text, protocol, (0, 0), size, header)


class Marks:
    """Datagrams from side 0 to side 1 by which what the taps saw and what the devices counted is cut at one place."""

    def __init__(self, net: Net, dumps: Sequence[Dump]) -> None:
        self._net, self._dumps = net, dumps
        self._sockets = []
        for side in (0, 1):
            with Path(f"/run/netns/{net.name}{side}").open("rb") as netns:
                self._sockets.append(inside(netns, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
        self._sockets[1].bind((net.addresses[1], MARK))
        self.sent = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for sock in self._sockets:
            sock.close()

    def mark(self) -> None:
        """Send one and wait until each tap has it."""
        text = f"mark {self.sent} {time.monotonic_ns()}".encode()
        self._sockets[0].sendto(text, (self._net.addresses[1], MARK))
        self.sent += 1
        for dump in self._dumps:
            dump.wait(text)

    def fence(self) -> tuple[int, list[int]]:
        """The number of a mark beside which nothing passed, and how many packets each device had counted before."""
        for _ in range(100):
            before = [_counted(self._net, side) for side in (0, 1)]
            self.mark()
            if [_counted(self._net, side) for side in (0, 1)] == [count + 1 for count in before]:
                return self.sent - 1, before
        raise AssertionError("something passes all the time")


def _counted(net: Net, side: int) -> int:
    shown = subprocess.run(
        ["ip", "-n", f"{net.name}{side}", "-s", "-j", "link", "show", "v0"], capture_output=True, text=True, check=True
    )
    (link,) = json.loads(shown.stdout)
    return int(link["stats64"]["rx"]["packets"] + link["stats64"]["tx"]["packets"])


def between(frames: Sequence[Frame], first: int, last: int) -> int:
    """Frames from the mark of one number to that of another."""
    places = [place for place, frame in enumerate(frames) if MARK in frame.ports]
    return places[last] - places[first]


def sums(frames: Sequence[Frame], segment: int) -> tuple[int, int]:
    """Packets and bytes on the wire."""
    return sum(each.packets(segment) for each in frames), sum(each.octets(segment) for each in frames)


def retransmitted(sent: Sequence[Frame], segment: int) -> int:
    """Packets of one direction of a connection that carry nothing that was not sent before."""
    reached: int | None = None
    count = 0
    for each in sent:
        length = each.payload + bool(each.flags & SYN) + bool(each.flags & FIN)
        if not length:
            continue
        end = each.sequence + length
        # Sequence numbers begin anew after 2**32: what is less than half of that ahead is new.
        if reached is not None and not 0 < (end - reached) % (1 << 32) < 1 << 31:
            count += each.packets(segment)
        else:
            reached = end % (1 << 32)
    return count
