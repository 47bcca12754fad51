"""Columns as tables show them: what is not known as null, times as times, numbers with names as words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from beespace.lang.packet import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP
from beespace.stream.dtype import TIME
from beespace.stream.text import is_v4, spread

__all__ = ["each_word", "known", "network_type", "plain", "times", "transports", "words"]

_SMALL = 1 << 12  # up to where a table of all numbers is cheaper than sorting
_TRANSPORTS: dict[int, str | None] = {
    IPPROTO_TCP: "tcp",
    IPPROTO_UDP: "udp",
    IPPROTO_ICMP: "icmp",
    IPPROTO_ICMPV6: "icmpv6",
    132: "sctp",
}


def plain(values: NDArray[Any]) -> pa.Array:
    """The values as they are."""
    return pa.array(np.ascontiguousarray(values))


def known(values: NDArray[Any], where: NDArray[np.bool_]) -> pa.Array:
    """The values, null where they are not known."""
    return pa.array(np.ascontiguousarray(values), mask=~where)


def times(values: NDArray[np.int64], boot_offset: int, where: NDArray[np.bool_] | None = None) -> pa.Array:
    """Times in ns as times, moved by ``boot_offset``; null where not ``where``."""
    return pa.array(values + boot_offset, pa.int64(), mask=None if where is None else ~where).cast(TIME)


def transports(protocols: NDArray[Any]) -> pa.Array:
    """Protocols (IPPROTO_*) as words."""
    return words(protocols, _TRANSPORTS)


def words(codes: NDArray[Any], names: Mapping[int, str | None]) -> pa.Array:
    """Codes as words; a code that has none is shown as its number."""
    distinct, inverse = _distinct(codes)
    texts = [names[code] if code in names else str(code) for code in distinct.tolist()]
    return spread(texts, pa.array(inverse))


def each_word(values: NDArray[Any], word: Callable[[int], str | None]) -> pa.Array:
    """What ``word`` says of each value, asked once for each distinct one."""
    distinct, inverse = _distinct(values)
    return spread([word(each) for each in distinct.tolist()], pa.array(inverse))


def _distinct(codes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The values that there are, and for each code which of them it is."""
    if not len(codes) or codes.dtype.kind != "u" or (highest := int(codes.max())) >= _SMALL:
        return np.unique(codes, return_inverse=True)
    there = np.zeros(highest + 1, np.intp)
    there[codes] = 1
    return np.flatnonzero(there), (np.cumsum(there) - 1)[codes]


def network_type(addresses: NDArray[np.uint8]) -> pa.Array:
    """``ipv4`` or ``ipv6`` of each address."""
    return pa.array(["ipv6", "ipv4"], pa.string()).take(pa.array(is_v4(addresses).astype(np.int8)))
