"""DNS messages (RFC 1035) as far as a table needs them: question, result, the records of the answer.

Messages come from the network: a damaged one raises :class:`Damaged`, whatever is wrong with it.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from struct import Struct, error
from typing import NamedTuple

__all__ = ["Damaged", "Message", "Record", "parse", "type_name"]

_HEADER, _FIXED, _QUESTION = Struct("!6H"), Struct("!HHIH"), Struct("!HH")
_MOST_RECORDS = 512  # an answer of 64 KiB has room for some 4,000; nobody reads that many
_MOST_JUMPS = 64
A, CNAME, AAAA = 1, 5, 28
# https://www.iana.org/assignments/dns-parameters
TYPES = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV",
    35: "NAPTR", 39: "DNAME", 41: "OPT", 43: "DS", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 50: "NSEC3", 52: "TLSA",
    64: "SVCB", 65: "HTTPS", 252: "AXFR", 255: "ANY", 257: "CAA",
}  # fmt: skip
RCODES = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET",
    8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE",
}  # fmt: skip


class Damaged(ValueError):
    """Bytes that are no DNS message."""


class Record(NamedTuple):
    """One record of an answer; ``address`` is 16 bytes (IPv4 mapped) of A and AAAA, ``target`` the name of a CNAME."""

    name: str
    type: int
    ttl: int
    address: bytes | None
    target: str | None

    def __str__(self) -> str:
        if self.address is not None:
            address = ipaddress.IPv6Address(self.address)
            return str(address.ipv4_mapped or address) if self.type == A else str(address)
        return self.target or type_name(self.type)


class Message(NamedTuple):
    """What a message says.  ``name`` is lower-case and has no dot at its end; the root is ``.``."""

    id: int
    answer: bool
    opcode: int
    rcode: int
    truncated: bool
    name: str
    type: int
    records: tuple[Record, ...]


def type_name(number: int) -> str:
    """``AAAA``; an unknown type as RFC 3597 writes it, ``TYPE65280``."""
    return TYPES.get(number) or f"TYPE{number}"


def parse(data: bytes) -> Message:
    """Read one message.  Only the answer section is read; :class:`Damaged` if it cannot be."""
    try:
        number, flags, questions, answers, _authority, _additional = _HEADER.unpack_from(data)
        if questions != 1:  # others are not in use, and have no meaning (RFC 9619)
            raise Damaged(f"{questions} questions")
        name, at = _name(data, _HEADER.size)
        kind, _class = _QUESTION.unpack_from(data, at)
        at += _QUESTION.size
        records: list[Record] = []
        for _ in range(min(answers, _MOST_RECORDS)):
            owner, at = _name(data, at)
            type_, _class, ttl, length = _FIXED.unpack_from(data, at)
            at += _FIXED.size
            if at + length > len(data):
                raise Damaged("a record beyond the end")
            address = target = None
            if type_ == A:
                if length != 4:
                    raise Damaged(f"an IPv4 address of {length} bytes")
                address = b"\0" * 10 + b"\xff\xff" + data[at : at + 4]
            elif type_ == AAAA:
                if length != 16:
                    raise Damaged(f"an IPv6 address of {length} bytes")
                address = data[at : at + 16]
            elif type_ in (CNAME, 2, 12, 39):
                target, _end = _name(data, at)
            records.append(Record(owner, type_, ttl, address, target))
            at += length
    except (error, IndexError) as reason:
        raise Damaged(str(reason)) from None
    return Message(
        number, bool(flags & 0x8000), flags >> 11 & 15, flags & 15, bool(flags & 0x200), name, kind, tuple(records)
    )


def _name(data: bytes, at: int) -> tuple[str, int]:
    """A name, and where what follows it begins.  Pointers lead back only, so that they end (RFC 1035, 4.1.4)."""
    labels: list[bytes] = []
    end = -1
    least = at
    for _ in range(_MOST_JUMPS + 128):
        length = data[at]
        if length < 64:
            at += 1
            if not length:
                return _text(tuple(labels)), at if end < 0 else end
            label = data[at : at + length]
            if len(label) != length:
                raise Damaged("a name beyond the end")
            labels.append(label)
            at += length
        elif length >= 192:
            target = (length & 63) << 8 | data[at + 1]
            if end < 0:
                end = at + 2
            if target >= least:
                raise Damaged("a name that leads forward")
            at = least = target
        else:
            raise Damaged(f"a label of kind {length >> 6}")
    raise Damaged("a name without end")


@lru_cache(maxsize=8192)
def _text(labels: tuple[bytes, ...]) -> str:
    """As zone files write it: dots inside of labels, backslashes and what is no printable ASCII are escaped."""
    if not labels:
        return "."
    return ".".join("".join(_escaped(byte) for byte in label) for label in labels).lower()


def _escaped(byte: int) -> str:
    if byte in b".\\":
        return f"\\{byte:c}"
    return chr(byte) if 33 <= byte <= 126 else f"\\{byte:03d}"
