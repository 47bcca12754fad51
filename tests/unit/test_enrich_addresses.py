"""Addresses to pods: exact, never the host's, and no name after an address went to somebody else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from beespace.enrich.address_book import AddressBook, Holder
from beespace.enrich.addresses import Addresses, canonical, host_addresses
from beespace.enrich.container import Pod

SECOND = 1_000_000_000


WEB = Pod("u1", "web-1", "shop", addresses=("10.85.0.2", "fd85::2"))
DB = Pod("u2", "db-0", "data", "db", addresses=("10.85.0.3",), workload_kind="StatefulSet")


class Clock:
    now = 1000 * SECOND

    def __call__(self) -> int:
        return self.now


def make(*pods: Pod, host: tuple[str, ...] = (), clock: Clock | None = None) -> Addresses:
    ours = frozenset(address for text in host if (address := canonical(text)) is not None)
    made = Addresses(host=lambda: ours, now_ns=clock or Clock())
    for pod in pods:
        made.pod_changed(None, pod)
    return made


def name(addresses: Addresses, address: str, at: int | None = None) -> str | None:
    found = addresses.pod(address, at)
    return None if found is None else found.name


def test_text_columns() -> None:
    addresses = make(WEB, DB)
    column = pa.array(["10.85.0.3", "fd85:0::2", "8.8.8.8", None, "10.85.0.3", "::ffff:10.85.0.2", "nonsense"])
    found = addresses.columns(column)
    assert found["remote_pod"].to_pylist() == ["db-0", "web-1", None, None, "db-0", "web-1", None]
    assert found["remote_namespace"].to_pylist() == ["data", "shop", None, None, "data", "shop", None]
    assert found["remote_workload"].to_pylist() == ["db", None, None, None, "db", None, None]
    assert found["remote_workload_kind"].to_pylist() == ["StatefulSet", None, None, None, "StatefulSet", None, None]
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
    found = make(WEB).columns(column)
    assert found["remote_pod"].to_pylist() == ["web-1", None, "web-1"]


def test_an_empty_column() -> None:
    found = make(WEB).columns(pa.array([], pa.string()))
    assert len(found["remote_pod"]) == 0 and found["remote_pod"].type == pa.string()


def test_host_network_pods_and_host_addresses_name_no_pod() -> None:
    agent = Pod("u3", "agent", "kube-system", addresses=("192.168.0.10",), host_network=True)
    odd = Pod("u4", "odd", "default", addresses=("192.168.0.10", "10.85.0.9"))
    addresses = make(agent, odd, host=("192.168.0.10",))
    assert name(addresses, "192.168.0.10") is None
    assert name(addresses, "10.85.0.9") == "odd"


def test_an_address_has_the_name_of_its_time() -> None:
    clock = Clock()
    addresses = make(clock=clock)
    first = replace(WEB, created_ns=1001 * SECOND)
    heir = replace(WEB, uid="u9", name="web-9", created_ns=1012 * SECOND)
    clock.now = 1002 * SECOND
    addresses.pod_changed(None, first)
    clock.now = 1010 * SECOND
    addresses.pod_changed(first, replace(first, valid_to=1010 * SECOND))
    clock.now = 1013 * SECOND
    addresses.pod_changed(None, heir)
    times = np.array([1000, 1001, 1009, 1010, 1011, 1012, 1013, 2000], np.int64) * SECOND
    found = addresses.columns(pa.array(["10.85.0.2"] * len(times)), at=times)
    assert found["remote_pod"].to_pylist() == [None, "web-1", "web-1", None, None, "web-9", "web-9", "web-9"]


def test_where_two_may_have_had_it_nobody_is_named() -> None:
    """The end of the first was noticed late; the second was there before that."""
    clock = Clock()
    first, heir = replace(WEB, created_ns=1001 * SECOND), replace(WEB, uid="u9", name="web-9", created_ns=1008 * SECOND)
    addresses = make(first, heir, clock=clock)
    addresses.pod_changed(first, replace(first, valid_to=1010 * SECOND))
    seen = [name(addresses, "10.85.0.2", at * SECOND) for at in (1007, 1008, 1009, 1010)]
    assert seen == ["web-1", None, None, "web-9"]


def test_an_exact_end_settles_it() -> None:
    """The kernel saw the last cgroup of the first go: nobody else had the address before."""
    first, heir = replace(WEB, created_ns=1001 * SECOND), replace(WEB, uid="u9", name="web-9", created_ns=1008 * SECOND)
    addresses = make(first, heir)
    addresses.pod_ended(first, 1009 * SECOND)
    addresses.pod_changed(first, replace(first, valid_to=1011 * SECOND))
    seen = [name(addresses, "10.85.0.2", at * SECOND) for at in (1007, 1008, 1009, 1010)]
    assert seen == ["web-1", "web-1", "web-9", "web-9"]
    later = make(first)
    later.pod_ended(first, 1009 * SECOND)
    later.pod_changed(None, heir)
    assert [name(later, "10.85.0.2", at * SECOND) for at in (1008, 1009)] == ["web-1", "web-9"]


def test_an_end_is_that_of_the_last_time() -> None:
    book, pod = AddressBook(), Holder("pod", "u1", "web")
    book.seen("10.0.1.9", pod, 10 * SECOND, 20 * SECOND)
    book.hold("10.0.1.9", pod, 90 * SECOND)
    book.release("10.0.1.9", "u1", 100 * SECOND)
    book.release("10.0.1.9", "u1", 99 * SECOND, exact=True)
    book.release("10.0.1.9", "u1", 120 * SECOND, exact=True)
    assert [(span.since, span.until, span.exact) for span in book.spans("10.0.1.9")] == [
        (10 * SECOND, 20 * SECOND, False),
        (90 * SECOND, 99 * SECOND, True),
    ]


def test_what_turns_out_of_the_time_before() -> None:
    """It is known to have the address now, and that it ran before: no two spans of one holder overlap."""
    book, pod = AddressBook(), Holder("pod", "u1", "web")
    spans = lambda: [(each.since // SECOND, each.until and each.until // SECOND) for each in book.spans("10.0.1.9")]  # noqa: E731
    book.hold("10.0.1.9", pod, 50 * SECOND)
    assert book.at("10.0.1.9", 40 * SECOND) is None
    for asked in (60, 70):
        book.seen("10.0.1.9", pod, 30 * SECOND, asked * SECOND)
        assert spans() == [(30, 50), (50, None)] and book.at("10.0.1.9", 40 * SECOND) == pod
    book.release("10.0.1.9", "u1", 80 * SECOND)
    book.hold("10.0.1.9", pod, 90 * SECOND)  # a slice that was away for a while
    book.seen("10.0.1.9", pod, 30 * SECOND, 95 * SECOND)
    assert spans() == [(30, 50), (50, 90), (90, None)] and book.at("10.0.1.9", 85 * SECOND) == pod
    book.seen("10.0.1.9", Holder("pod", "u2", "db"), 5 * SECOND, 6 * SECOND)
    assert book.at("10.0.1.9", 5 * SECOND) == Holder("pod", "u2", "db")


def test_a_pod_that_lost_an_address_keeps_the_others() -> None:
    addresses = make(WEB)
    addresses.pod_changed(WEB, replace(WEB, addresses=("fd85::2",)))
    assert (name(addresses, "10.85.0.2"), name(addresses, "fd85::2")) == (None, "web-1")


def test_what_a_book_remembers_is_bounded() -> None:
    book = AddressBook(capacity=100)
    for number in range(300):
        book.hold(f"10.0.{number // 250}.{number % 250}", Holder("pod", f"u{number}", f"p{number}"), number)
    assert (len(book), book.forgotten) == (100, 200)
    assert book.at("10.0.0.0", 1000) is None and book.at("10.0.1.49", 1000) == Holder("pod", "u299", "p299")
    for number in range(50):
        book.release("10.0.1.49", f"u{299 + number}", SECOND + number * 1000)
        book.hold("10.0.1.49", Holder("pod", f"u{300 + number}", "again"), SECOND + number * 1000)
    assert len(book.spans("10.0.1.49")) == 8
    assert [span.holder.uid for span in book.of_pods(["u299", "u349"])] == ["u349"]


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


def test_one_address_at_many_times() -> None:
    """Each distinct question is asked once, and every row has the answer of its own time."""
    book = AddressBook()
    holders = [Holder("pod", f"uid-{number}", f"pod-{number}", "shop", "node") for number in range(3)]
    for number, holder in enumerate(holders):
        book.hold("10.85.0.2", holder, (100 * number + 10) * 1000)
        book.release("10.85.0.2", holder.uid, (100 * number + 60) * 1000)
    book.hold("10.85.0.3", holders[0], 0)
    addresses = Addresses(book, host=frozenset)
    times = np.arange(0, 400_000, 1000, dtype=np.int64)
    texts = ["10.85.0.2" if row % 3 else "10.85.0.3" if row % 2 else "10.85.0.4" for row in range(len(times))]
    found = addresses.columns(pa.array(texts), at=times)["remote_pod"].to_pylist()
    held = [addresses.pod(text, time) for text, time in zip(texts, times.tolist(), strict=True)]
    assert found == [None if holder is None else holder.name for holder in held]
    assert set(found) == {None, "pod-0", "pod-1", "pod-2"}
