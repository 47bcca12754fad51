"""Netlink: requests to the kernel's network side, and its answers (netlink(7), include/uapi/linux/netlink.h).

A message is a header, the fixed part of its kind, and attributes; an attribute may hold attributes.  A refusal is a
:class:`~beespace.errors.KernelError` with the sentence that the kernel gives (``NETLINK_EXT_ACK``, Linux 4.12).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence

from beespace.errors import KernelError
from beespace.syscall import capabilities, refusal
from beespace.syscall.descriptor import Fd
from beespace.syscall.namespaces import inside
from beespace.typed import NamedTuple, Self, TypeAlias

__all__ = ["Attributes", "Message", "Netlink", "attribute", "attributes", "nested", "number", "text"]

REQUEST, ACK, ECHO, DUMP = 0x1, 0x4, 0x8, 0x300
REPLACE, EXCLUSIVE, CREATE = 0x100, 0x200, 0x400

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # struct nlattr: length, type
_ERROR, _DONE = 2, 3
_CAPPED, _TLVS = 0x100, 0x200  # flags of an error: without the request in it, with attributes behind it
_MESSAGE_TEXT = 1  # NLMSGERR_ATTR_MSG
_NESTED, _TYPE = 0x8000, 0x3FFF
_NETNS_COOKIE = 71  # include/uapi/asm-generic/socket.h
_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_AT_ONCE = 16  # requests; the kernel keeps up to 4 KiB for each answer until it is taken, and a socket has 208 KiB
_ROOM = 1 << 17  # bytes; the kernel fills at most 32 KiB of a dump, and one interface can need more than 16 KiB

Attributes: TypeAlias = Mapping[int, bytes]


class Message(NamedTuple):
    """One answer: ``type`` (``RTM_*``) and everything behind the header."""

    type: int
    body: bytes


def attribute(kind: int, payload: bytes | int | str) -> bytes:
    """One attribute: a number has 32 bits, a text ends with a zero byte."""
    if isinstance(payload, int):
        payload = struct.pack("=i" if payload < 0 else "=I", payload)
    elif isinstance(payload, str):
        payload = payload.encode() + b"\0"
    return _padded(_ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), kind) + payload)


def nested(kind: int, *parts: bytes) -> bytes:
    """An attribute of attributes."""
    return attribute(kind | _NESTED, b"".join(parts))


def attributes(data: bytes) -> Attributes:
    """The attributes in ``data``, by kind; of several of one kind the last."""
    found: dict[int, bytes] = {}
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if not _ATTRIBUTE.size <= length <= len(data) - at:
            break
        found[kind & _TYPE] = data[at + _ATTRIBUTE.size : at + length]
        at += length + 3 & ~3
    return found


def number(data: bytes | None) -> int:
    """The number in an attribute of 1, 2, 4 or 8 bytes; 0 if it is not there."""
    formats = {1: "=B", 2: "=H", 4: "=I", 8: "=Q"}
    value: int = struct.unpack(formats[len(data)], data)[0] if data else 0
    return value


def text(data: bytes | None) -> str:
    """The text in an attribute; ``""`` if it is not there."""
    return (data or b"").split(b"\0", 1)[0].decode("utf-8", "replace")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


class Netlink:
    """A socket for requests to rtnetlink(7), in network namespace ``netns`` (by descriptor; not given: this thread's).

    ``family`` (``NETLINK_*``) is for requests to another part of the kernel.  The socket stays in that namespace,
    whatever the process does later.
    """

    def __init__(self, netns: Fd | None = None, family: int = socket.NETLINK_ROUTE) -> None:
        self._socket = inside(netns, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family))
        try:
            for option in (_EXT_ACK, _CAP_ACK):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
            self._socket.bind((0, 0))
        except BaseException:
            self._socket.close()
            raise
        self._sequence = 0

    def ask(self, name: str, type: int, body: bytes, what: str, *, flags: int = 0) -> list[Message]:
        """Send a request and take all of its answers.

        ``name`` is what errors call it, ``what`` completes "cannot ...".  With ``flags`` ``DUMP`` a list, with
        ``ECHO`` what the kernel made of it.
        """
        self._sequence += 1
        wanted = REQUEST | flags | (0 if flags & DUMP == DUMP else ACK)
        header = _HEADER.pack(_HEADER.size + len(body), type, wanted, self._sequence, 0)
        try:
            self._socket.send(header + body)
            return list(self._answers(name, what))
        except OSError as error:
            raise refusal.error(name, error.errno or 0, what, needs=(capabilities.NET_ADMIN,)) from error

    def ask_each(self, name: str, type: int, bodies: Sequence[bytes], what: str) -> list[Message | None]:
        """Send requests that have one answer each, and take those, in their order; None: there is no such thing.

        Some of them are sent at once, so a request must not depend on what one before it does.
        """
        found: list[Message | None] = []
        try:
            for at in range(0, len(bodies), _AT_ONCE):
                found += self._ask_some(name, type, bodies[at : at + _AT_ONCE], what)
        except OSError as error:
            raise refusal.error(name, error.errno or 0, what, needs=(capabilities.NET_ADMIN,)) from error
        return found

    def _ask_some(self, name: str, type: int, bodies: Sequence[bytes], what: str) -> list[Message | None]:
        first = self._sequence + 1
        self._sequence += len(bodies)
        requests = (
            _padded(_HEADER.pack(_HEADER.size + len(body), type, REQUEST, sequence, 0) + body)
            for sequence, body in enumerate(bodies, first)
        )
        self._socket.send(b"".join(requests))
        found: list[Message | None] = []
        while len(found) < len(bodies):
            for sequence, kind, flags, body in _parts(self._socket.recv(_ROOM)):
                if sequence != first + len(found):
                    continue  # the rest of an answer that nobody waited for
                code = _code(body) if kind == _ERROR else 0
                if code and code != -errno.ENOENT:
                    raise _refused(name, -code, what, _sentence(body, kind, flags))
                found.append(None if code else Message(kind, body))
        return found

    def _answers(self, name: str, what: str) -> Iterator[Message]:
        while True:
            for sequence, kind, flags, body in _parts(self._socket.recv(_ROOM)):
                if sequence != self._sequence:
                    continue  # the rest of an answer that nobody waited for
                if kind in (_ERROR, _DONE):
                    code = _code(body)
                    if code < 0:
                        raise _refused(name, -code, what, _sentence(body, kind, flags))
                    return
                yield Message(kind, body)

    def close(self) -> None:
        """Close the socket.  Calling it again does nothing."""
        self._socket.close()

    def namespace(self) -> int:
        """The cookie of its network namespace, which no other ever has; 0 before Linux 5.14 (SO_NETNS_COOKIE)."""
        try:
            return number(self._socket.getsockopt(socket.SOL_SOCKET, _NETNS_COOKIE, 8))
        except OSError as error:
            if error.errno != errno.ENOPROTOOPT:
                raise
            return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _parts(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """The messages in ``data``: sequence, type, flags, and everything behind the header."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, at)
        yield sequence, kind, flags, data[at + _HEADER.size : at + length]
        at += length + 3 & ~3


def _code(body: bytes) -> int:
    """What an error or the end of a list says: 0, or an errno below it."""
    code: int = struct.unpack_from("=i", body)[0] if len(body) >= 4 else 0
    return code


def _sentence(body: bytes, kind: int, flags: int) -> str:
    """What the kernel says about a refusal, in its own words; ``""`` if nothing."""
    if not flags & _TLVS:
        return ""
    at = 4
    if kind == _ERROR:
        whole = not flags & _CAPPED and len(body) >= at + _HEADER.size
        length = _HEADER.unpack_from(body, at)[0] if whole else _HEADER.size
        at += length + 3 & ~3
    return text(attributes(body[at:]).get(_MESSAGE_TEXT))


def _refused(name: str, code: int, what: str, sentence: str) -> KernelError:
    if code == errno.EPERM or not sentence:
        return refusal.error(name, code, what, needs=(capabilities.NET_ADMIN,))
    said = sentence.rstrip(".\n")
    _, help = refusal.words(name, code)
    return KernelError(f"cannot {what}: {said} ({os.strerror(code)})", call=name, errno=code, help=help)
