"""Packet headers as structs, for ``bpf.packet(ctx, IPv4, 0)``.

Network-order fields read as host integers.  Bit fields are kept as the bytes or words that hold
them, with a property-free name that says what is inside.
"""

from __future__ import annotations

from beespace.schema import Struct
from beespace.types import Address, Raw, be16, be32, raw, u8

ETH_P_IP = 0x0800
ETH_P_IPV6 = 0x86DD
IPPROTO_ICMP = 1
IPPROTO_TCP = 6
IPPROTO_UDP = 17
IPPROTO_ICMPV6 = 58
TCP_FIN = 0x01
TCP_SYN = 0x02
TCP_RST = 0x04
TCP_PSH = 0x08
TCP_ACK = 0x10


class Ethernet(Struct):
    """IEEE 802.3 header, 14 bytes."""

    destination: Raw = raw(6)
    source: Raw = raw(6)
    ethertype: be16


class IPv4(Struct):
    """RFC 791 header without options, 20 bytes.  ``version_ihl``: version << 4 | header length in words."""

    version_ihl: u8
    tos: u8
    total_length: be16
    identification: be16
    flags_fragment: be16
    ttl: u8
    protocol: u8
    checksum: be16
    source: be32
    destination: be32


class IPv6(Struct):
    """RFC 8200 header, 40 bytes.  ``version_class_label``: version << 28 | class << 20 | label."""

    version_class_label: be32
    payload_length: be16
    next_header: u8
    hop_limit: u8
    source: Address
    destination: Address


class TCP(Struct):
    """RFC 9293 header without options, 20 bytes.  ``data_offset``: header length in words << 4."""

    source: be16
    destination: be16
    sequence: be32
    acknowledgment: be32
    data_offset: u8
    flags: u8
    window: be16
    checksum: be16
    urgent: be16


class UDP(Struct):
    """RFC 768 header, 8 bytes."""

    source: be16
    destination: be16
    length: be16
    checksum: be16


class ICMP(Struct):
    """RFC 792 and RFC 4443 header, 8 bytes; ``identifier`` and ``sequence`` are those of echo messages."""

    type: u8
    code: u8
    checksum: be16
    identifier: be16
    sequence: be16
