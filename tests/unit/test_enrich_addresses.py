"""Addresses to pods: exact, never the host's, and no name after an address went to somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from beespace.enrich.addresses import Addresses, canonical, host_addresses
from beespace.enrich.container import Pod

SECOND = 1_000_000_000


class FakeContainers:
    """What Addresses asks of Containers."""

    def __init__(self, *pods: Pod) -> None:
        self.pods_version = 0
        self._pods: Sequence[Pod] = pods

    def pods(self) -> list[Pod]:
        return list(self._pods)

    def put(self, *pods: Pod) -> None:
        self._pods = pods
        self.pods_version += 1


def make(containers: FakeContainers, *host: str, now_ns: int = 1000 * SECOND) -> Addresses:
    ours = frozenset(address for text in host if (address := canonical(text)) is not None)
    return Addresses(containers, host=lambda: ours, now_ns=lambda: now_ns)  # type: ignore[arg-type]


WEB = Pod("u1", "web-1", "shop", addresses=("10.85.0.2", "fd85::2"))
DB = Pod("u2", "db-0", "data", addresses=("10.85.0.3",))


def test_text_columns() -> None:
    addresses = make(FakeContainers(WEB, DB))
    column = pa.array(["10.85.0.3", "fd85:0::2", "8.8.8.8", None, "10.85.0.3", "::ffff:10.85.0.2", "nonsense"])
    found = addresses.columns(column)
    assert found["remote_pod"].to_pylist() == ["db-0", "web-1", None, None, "db-0", "web-1", None]
    assert found["remote_namespace"].to_pylist() == ["data", "shop", None, None, "data", "shop", None]
    chunked = addresses.columns(pa.chunked_array([["10.85.0.3"], ["8.8.8.8"]]))
    assert chunked["remote_pod"].to_pylist() == ["db-0", None]


@pytest.mark.parametrize("kind", ["void", "rows", "arrow", "strided"])
def test_columns_of_16_bytes(kind: str) -> None:
    packed = [canonical(text) or b"" for text in ("10.85.0.2", "::", "fd85::2")]
    rows = np.frombuffer(b"".join(packed), np.uint8).reshape(3, 16)
    column = {
        "void": rows.view("V16").reshape(3),
        "rows": rows,
        "arrow": pa.array(packed, pa.binary(16)),
        "strided": np.repeat(rows, 2, axis=0)[::2],
    }[kind]
    found = make(FakeContainers(WEB)).columns(column)
    assert found["remote_pod"].to_pylist() == ["web-1", None, "web-1"]


def test_an_empty_column() -> None:
    found = make(FakeContainers(WEB)).columns(pa.array([], pa.string()))
    assert len(found["remote_pod"]) == 0 and found["remote_pod"].type == pa.string()


def test_host_network_pods_and_host_addresses_name_no_pod() -> None:
    agent = Pod("u3", "agent", "kube-system", addresses=("192.168.0.10",), host_network=True)
    odd = Pod("u4", "odd", "default", addresses=("192.168.0.10", "10.85.0.9"))
    addresses = make(FakeContainers(agent, odd), "192.168.0.10")
    assert addresses.pod("192.168.0.10") is None
    assert (pod := addresses.pod("10.85.0.9")) is not None and pod.name == "odd"


def test_a_pod_that_just_ended_still_has_its_last_packets() -> None:
    ended = Pod("u1", "old", "shop", addresses=("10.85.0.2",), valid_to=990 * SECOND)
    long_ended = Pod("u2", "older", "shop", addresses=("10.85.0.3",), valid_to=900 * SECOND)
    addresses = make(FakeContainers(ended, long_ended))
    assert addresses.pod("10.85.0.2") == ended
    assert addresses.pod("10.85.0.3") is None


@pytest.mark.parametrize("order", [1, -1])
def test_an_address_that_was_given_out_again_is_the_new_pods(order: int) -> None:
    ended = Pod("u1", "old", "shop", addresses=("10.85.0.2",), valid_to=999 * SECOND)
    heir = Pod("u2", "new", "shop", addresses=("10.85.0.2",))
    assert make(FakeContainers(*(ended, heir)[::order])).pod("10.85.0.2") == heir


def test_changes_are_seen_at_once() -> None:
    containers = FakeContainers()
    addresses = make(containers)
    assert addresses.pod("10.85.0.2") is None
    containers.put(WEB)
    assert addresses.pod("10.85.0.2") == WEB


def test_canonical() -> None:
    assert canonical("10.1.2.3") == canonical("::ffff:10.1.2.3") == b"\0" * 10 + b"\xff\xff\x0a\x01\x02\x03"
    assert canonical("fe80::1%eth0") == canonical("fe80::1")
    assert canonical(b"\0" * 16) == b"\0" * 16
    assert canonical(b"\0" * 4) is None
    assert canonical("") is None


FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 192.168.0.0
        /24 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 192.168.0.10
        /32 host LOCAL
     |-- 192.168.0.255
        /32 link BROADCAST
"""


def test_host_addresses(tmp_path: Path) -> None:
    (tmp_path / "1/net").mkdir(parents=True)
    (tmp_path / "1/net/fib_trie").write_text(FIB_TRIE)
    (tmp_path / "1/net/if_inet6").write_text("fe800000000000000042acfffe110002 02 40 20 80 eth0\n")
    expected = {canonical(text) for text in ("127.0.0.1", "192.168.0.10", "fe80::42:acff:fe11:2")}
    assert host_addresses(tmp_path) == expected
    assert host_addresses(tmp_path / "missing") == frozenset()


def test_the_real_hosts_addresses() -> None:
    ours = host_addresses()
    if not ours:
        pytest.skip("/proc/1/net is not readable here")
    assert canonical("127.0.0.1") in ours
