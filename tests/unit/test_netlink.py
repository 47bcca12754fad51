"""Netlink messages: attributes there and back, answers of the kernel, refusals in its own words."""

from __future__ import annotations

import errno
import os
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beespace.errors import KernelError, NotPermitted
from beespace.syscall import netlink, rtnetlink
from beespace.syscall.netlink import DUMP, Netlink, attribute, attributes, nested, number, text

HEADER = struct.Struct("=IHHII")


@given(st.dictionaries(st.integers(1, 0x3FFF), st.binary(max_size=300)))
def test_attributes_there_and_back(values: dict[int, bytes]) -> None:
    data = b"".join(attribute(kind, payload) for kind, payload in values.items())
    assert len(data) % 4 == 0
    assert attributes(data) == values


@given(st.binary(max_size=200))
def test_attributes_of_anything(data: bytes) -> None:
    assert sum(4 + len(payload) for payload in attributes(data).values()) <= len(data)


def test_numbers_and_texts() -> None:
    data = nested(7, attribute(1, 5), attribute(2, -1), attribute(3, "eth0"))
    inner = attributes(attributes(data)[7])
    assert (number(inner[1]), number(inner[2]), text(inner[3])) == (5, 0xFFFFFFFF, "eth0")
    assert (number(None), text(None), number(b"\x07")) == (0, "", 7)
    assert inner[3] == b"eth0\0"


class Kernel:
    """Answers each request with the datagrams that it was given."""

    def __init__(self, *datagrams: bytes) -> None:
        self.datagrams = list(datagrams)
        self.requests: list[bytes] = []

    def setsockopt(self, *_: object) -> None: ...
    def bind(self, _: object) -> None: ...
    def close(self) -> None: ...

    def send(self, data: bytes) -> None:
        self.requests.append(data)

    def recv(self, _: int) -> bytes:
        if not self.datagrams:
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
        return self.datagrams.pop(0)


def message(kind: int, body: bytes, *, flags: int = 0, sequence: int = 1) -> bytes:
    data = HEADER.pack(HEADER.size + len(body), kind, flags, sequence, 0) + body
    return data + bytes(-len(data) % 4)


def ack(code: int = 0, *, said: str = "", capped: bool = True, payload: bytes = b"") -> bytes:
    """An NLMSG_ERROR: the code, the header of the request (with its payload, unless capped), attributes."""
    request = HEADER.pack(HEADER.size + len(payload), 1, 0, 1, 0) + (b"" if capped else payload)
    tail = attribute(1, said) if said else b""
    return message(2, struct.pack("=i", -code) + request + tail, flags=(0x100 * capped) | (0x200 * bool(said)))


def ask(monkeypatch: pytest.MonkeyPatch, *datagrams: bytes, flags: int = 0) -> list[netlink.Message]:
    monkeypatch.setattr(socket, "socket", lambda *_: Kernel(*datagrams))
    with Netlink() as kernel:
        return kernel.ask("RTM_GETLINK", 18, b"", "find it", flags=flags)


def test_one_answer_and_its_acknowledgement(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(monkeypatch, message(16, b"data"), ack()) == [(16, b"data")]
    assert ask(monkeypatch, message(16, b"data") + ack()) == [(16, b"data")]


def test_a_list_in_several_datagrams(monkeypatch: pytest.MonkeyPatch) -> None:
    done = message(3, struct.pack("=i", 0))
    parts = message(16, b"1234") + message(16, b"5678"), message(16, b"9abc"), done
    assert [body for _, body in ask(monkeypatch, *parts, flags=DUMP)] == [b"1234", b"5678", b"9abc"]


def test_answers_to_an_earlier_request_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(monkeypatch, message(16, b"late", sequence=0), message(16, b"data"), ack()) == [(16, b"data")]


@pytest.mark.parametrize("capped", [True, False])
def test_a_refusal_in_the_kernels_words(monkeypatch: pytest.MonkeyPatch, capped: bool) -> None:
    refusal = ack(errno.EEXIST, said="It is there.", capped=capped, payload=b"12345678")
    with pytest.raises(KernelError, match=r"cannot find it: It is there \(File exists\): RTM_GETLINK failed") as error:
        ask(monkeypatch, refusal)
    assert error.value.errno == errno.EEXIST


def test_a_refusal_without_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KernelError, match="cannot find it: No such device: RTM_GETLINK failed with ENODEV"):
        ask(monkeypatch, ack(errno.ENODEV))
    with pytest.raises(NotPermitted):
        ask(monkeypatch, ack(errno.EPERM, said="no"))
    with pytest.raises(KernelError, match="No buffer space") as lost:
        ask(monkeypatch)
    assert lost.value.errno == errno.ENOBUFS


@pytest.mark.parametrize("body", [b"", b"\1", struct.pack("=i", -22), struct.pack("=i", -22) + bytes(8)])
@pytest.mark.parametrize("flags", [0, 0x200, 0x300])
def test_a_refusal_that_is_cut(monkeypatch: pytest.MonkeyPatch, body: bytes, flags: int) -> None:
    cut = message(2, body, flags=flags)
    if len(body) < 4:
        assert ask(monkeypatch, cut) == []
    else:
        with pytest.raises(KernelError):
            ask(monkeypatch, cut)


def test_an_interface_with_programs_of_two_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    xdp = nested(43, attribute(2, b"\4"), attribute(6, 10), attribute(7, 11))
    body = struct.pack("=BxHiII", 0, 1, 3, 0, 0) + attribute(3, "eth0") + attribute(4, 1500) + xdp
    monkeypatch.setattr(socket, "socket", lambda *_: Kernel(message(16, body), ack()))
    with Netlink() as kernel:
        found = rtnetlink.interface(kernel, "eth0")
    assert (found.index, found.name, found.mtu, found.xdp) == (3, "eth0", 1500, {"generic": 10, "offload": 11})
