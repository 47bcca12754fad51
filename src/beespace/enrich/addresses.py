"""Which pod of this node has an address.

Pods that use the host's network have none of their own, and an address of the host itself never names a pod.  An
address is given out again after its pod is gone; until then, and for ``grace_s`` seconds at most, the last packets
of the old pod still carry its name.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beespace.enrich.container import Containers, Pod

__all__ = ["Addresses", "canonical", "host_addresses"]

REFRESH_S = 5.0


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


def host_addresses(proc: Path = Path("/proc")) -> frozenset[bytes]:
    """The addresses of the host's own network namespace, which is that of process 1."""
    found: set[bytes] = set()
    for text in _host_address_texts(proc):
        if (address := canonical(text)) is not None:
            found.add(address)
    return frozenset(found)


def _host_address_texts(proc: Path) -> Iterator[str]:
    with suppress(OSError):
        before = ""
        for line in (proc / "1/net/fib_trie").read_text().splitlines():
            if line.strip() == "/32 host LOCAL":
                yield before.rpartition(" ")[2]
            before = line
    with suppress(OSError):
        for line in (proc / "1/net/if_inet6").read_text().splitlines():
            yield str(ipaddress.IPv6Address(bytes.fromhex(line.split()[0])))


class Addresses:
    """Pods by address, as ``containers`` knows them; columns for whole batches."""

    def __init__(
        self,
        containers: Containers,
        *,
        host: Callable[[], frozenset[bytes]] = host_addresses,
        grace_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._containers = containers
        self._host = host
        self._grace_ns = int(grace_s * 1e9)
        self._clock = clock
        self._now_ns = now_ns
        self._pods: dict[bytes, Pod] = {}
        self._version = -1
        self._due = 0.0

    def pod(self, address: str | bytes) -> Pod | None:
        """The pod of this node that has ``address`` (text, or 16 bytes), if one has."""
        self._refresh()
        key = canonical(address)
        return None if key is None else self._pods.get(key)

    def columns(self, addresses: pa.Array | npt.NDArray[np.uint8] | npt.NDArray[np.void]) -> dict[str, pa.Array]:
        """``remote_pod`` and ``remote_namespace`` for a column of addresses.

        ``addresses``: an Arrow array of text or of 16 bytes, or a NumPy array of shape (n, 16) or dtype ``V16``.
        """
        self._refresh()
        values = _as_arrow(addresses)
        if not self._pods:
            nothing = pa.nulls(len(values), pa.string())
            return {"remote_pod": nothing, "remote_namespace": nothing}
        if not pa.types.is_string(values.type):
            indices = pc.index_in(values, value_set=self._keys)
            return {"remote_pod": self._names.take(indices), "remote_namespace": self._namespaces.take(indices)}
        encoded = values.dictionary_encode()
        pods = [None if text is None else self._at(text) for text in encoded.dictionary.to_pylist()]
        names = pa.array([pod.name if pod else None for pod in pods], pa.string())
        namespaces = pa.array([pod.namespace if pod else None for pod in pods], pa.string())
        return {
            "remote_pod": names.take(encoded.indices),
            "remote_namespace": namespaces.take(encoded.indices),
        }

    def _at(self, address: str | bytes) -> Pod | None:
        key = canonical(address)
        return None if key is None else self._pods.get(key)

    def _refresh(self) -> None:
        now = self._clock()
        version = self._containers.pods_version
        if version == self._version and now < self._due:
            return
        self._version, self._due = version, now + REFRESH_S
        oldest = self._now_ns() - self._grace_ns
        pods: dict[bytes, Pod] = {}
        host = self._host()
        # Pods that are gone come first, so that one that exists has the last word.
        known = [pod for pod in self._containers.pods() if not pod.host_network]
        for pod in sorted(known, key=lambda pod: pod.valid_to or _NEVER):
            if pod.valid_to is not None and pod.valid_to < oldest:
                continue
            for text in pod.addresses:
                key = canonical(text)
                if key is not None and key not in host:
                    pods[key] = pod
        self._pods = pods
        self._keys = pa.array(list(pods), pa.binary(16))
        self._names = pa.array([pod.name for pod in pods.values()], pa.string())
        self._namespaces = pa.array([pod.namespace for pod in pods.values()], pa.string())


_NEVER = 1 << 63


def _as_arrow(addresses: pa.Array | npt.NDArray[np.uint8] | npt.NDArray[np.void]) -> pa.Array:
    if isinstance(addresses, np.ndarray):
        plain = np.ascontiguousarray(addresses)
        return pa.Array.from_buffers(pa.binary(16), len(plain), [None, pa.py_buffer(plain)])
    return addresses.combine_chunks() if isinstance(addresses, pa.ChunkedArray) else addresses
