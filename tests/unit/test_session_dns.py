"""DNS messages, whole and damaged, and the names that they teach."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beespace.session.dns_message import Damaged, Message, Record, parse, type_name
from beespace.session.dns_names import GRACE_NS, Names

SECOND = 1_000_000_000


def name(text: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


def message(answers: bytes = b"", count: int = 0, flags: int = 0x8180, question: str = "www.Example.org") -> bytes:
    return struct.pack("!6H", 7, flags, 1, count, 0, 0) + name(question) + struct.pack("!2H", 1, 1) + answers


def record(owner: bytes, kind: int, data: bytes, ttl: int = 60) -> bytes:
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def test_an_answer_with_an_alias() -> None:
    target = name("web.example.org")
    alias = record(b"\xc0\x0c", 5, target, 300)
    at = 12 + len(name("www.example.org")) + 4 + 12  # of the alias's data
    address = record(struct.pack("!H", 0xC000 | at), 1, bytes((192, 0, 2, 1)))
    found = parse(message(alias + address, 2))
    assert (found.id, found.answer, found.rcode, found.name, found.type) == (7, True, 0, "www.example.org", 1)
    assert [str(each) for each in found.records] == ["web.example.org", "192.0.2.1"]
    assert [each.name for each in found.records] == ["www.example.org", "web.example.org"]
    assert found.records[1].address == b"\0" * 10 + b"\xff\xff\xc0\0\x02\x01"


def test_names_of_odd_bytes() -> None:
    odd = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + b"\x04a.\\\xff\0" + struct.pack("!2H", 65, 1)
    found = parse(odd)
    assert found.name == "a\\.\\\\\\255"
    assert (type_name(found.type), type_name(65280)) == ("HTTPS", "TYPE65280")
    assert not found.answer
    root = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + b"\0" + struct.pack("!2H", 2, 1)
    assert parse(root).name == "."


@pytest.mark.parametrize(
    "data",
    [
        b"",
        message()[:20],
        struct.pack("!6H", 7, 0x8180, 2, 0, 0, 0) + name("a") + bytes(4),  # two questions
        message(b"\xc0\x0c", 1),  # a record that is cut
        message(record(b"\xc0\x0c", 1, b"123"), 1),  # an address of three bytes
        message(record(b"\xc0\x0c", 1, b"1234")[:-1], 1),
        struct.pack("!6H", 7, 0x8180, 1, 0, 0, 0) + b"\xc0\x0c" + bytes(4),  # a name that leads to itself
        struct.pack("!6H", 7, 0x8180, 1, 0, 0, 0) + b"\xc0\x20" + bytes(40),  # forward
        struct.pack("!6H", 7, 0x8180, 1, 0, 0, 0) + b"\x80abc\0" + bytes(4),
    ],
)
def test_damaged_messages(data: bytes) -> None:
    with pytest.raises(Damaged):
        parse(data)


@given(st.binary(max_size=200), st.integers(0, 199))
def test_any_bytes_are_a_message_or_damaged(noise: bytes, at: int) -> None:
    whole = message(record(b"\xc0\x0c", 5, name("a.b")) + record(b"\xc0\x0c", 28, bytes(16)), 2)
    for data in (noise, whole[: at % len(whole)] + noise + whole[at % len(whole) :]):
        try:
            assert isinstance(parse(data), Message)
        except Damaged:
            continue


def test_a_long_chain_of_pointers_ends() -> None:
    chain = b"".join(struct.pack("!H", 0xC000 | (12 + 2 * max(0, n - 1))) for n in range(500))
    with pytest.raises(Damaged):
        parse(struct.pack("!6H", 7, 0x8180, 1, 1, 0, 0) + b"\x01a\0" + bytes(4) + chain)


def told(text: str, number: int, ttl: int = 60) -> Message:
    address = b"\0" * 10 + b"\xff\xff" + number.to_bytes(4)
    return Message(1, True, 0, 0, False, text, 1, (Record(text, 1, ttl, address, None),))


def of(number: int) -> bytes:
    return b"\0" * 10 + b"\xff\xff" + number.to_bytes(4)


def test_a_shared_address_has_the_name_that_its_own_process_was_told() -> None:
    names = Names()
    names.learn(told("a.org", 1), 10, 1 * SECOND)
    assert names.name(of(1), 99, 2 * SECOND, 3 * SECOND) == "a.org"
    names.learn(told("b.org", 1), 20, 1 * SECOND)
    found = [names.name(of(1), cgroup, 2 * SECOND, 3 * SECOND) for cgroup in (10, 20, 99)]
    assert found == ["a.org", "b.org", None]


def test_names_hold_for_their_time() -> None:
    names = Names()
    names.learn(told("a.org", 1, ttl=60), 10, 100 * SECOND)
    end = 160 * SECOND + GRACE_NS
    assert names.name(of(1), 10, 50 * SECOND, 99 * SECOND) is None  # over before the answer
    assert names.name(of(1), 10, 101 * SECOND, 900 * SECOND) == "a.org"  # begun in time, and still there
    assert names.name(of(1), 10, end + 1, end + 2) is None
    names.learn(told("b.org", 1), 10, 400 * SECOND)
    assert names.name(of(1), 10, 401 * SECOND, 402 * SECOND) == "b.org"


def test_a_million_addresses_are_bounded_and_the_oldest_go_first() -> None:
    names = Names(limit=1000)
    for number in range(20_000):
        names.learn(told(f"n{number}.org", number), 10, SECOND)
    assert (len(names), names.forgotten) == (1000, 19_000)
    remote = np.frombuffer(of(18_999) + of(19_000) + of(19_999), np.uint8).reshape(3, 16)
    same = np.full(3, 10, np.uint64), np.full(3, 2 * SECOND, np.int64), np.full(3, 2 * SECOND, np.int64)
    assert names.column(remote, *same).to_pylist() == [None, "n19000.org", "n19999.org"]
