"""An address as its 16 bytes, whatever form it came in."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

__all__ = ["canonical", "written"]


def canonical(address: str | bytes) -> bytes | None:
    """An address as its 16 bytes, IPv4 mapped into IPv6 (RFC 4291, 2.5.5.2); None if it is none."""
    if isinstance(address, bytes):
        return address if len(address) == 16 else None
    return _parsed(address)


@lru_cache(maxsize=16_384)
def _parsed(address: str) -> bytes | None:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return parsed.packed if parsed.version == 6 else b"\0" * 10 + b"\xff\xff" + parsed.packed


def written(address: bytes) -> str:
    """16 bytes as a person writes them: IPv4 where it is that."""
    parsed = ipaddress.IPv6Address(address)
    return str(parsed.ipv4_mapped or parsed)
