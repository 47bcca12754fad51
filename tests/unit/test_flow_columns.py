"""What is done to rows of flows as columns is what doing it row by row comes to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from beespace.probes.flows import FlowKey, FlowStats, Moved
from beespace.session.drops import by_flow
from beespace.session.hand_over import hand_over
from beespace.session.nat import MEASURES, SUMS, Called, _merged
from beespace.session.values import each_word, words
from beespace.stream import Decoder, joined_layout, keys_of
from beespace.stream.dtype import dtype_of
from beespace.stream.keys import key_column, places_of
from beespace.stream.text import padded

FEW = st.integers(0, 3)
FLOW = dtype_of(joined_layout(FlowKey.layout, FlowStats.layout))


@st.composite
def records(draw: st.DrawFn, *names: str) -> Any:
    """Up to six rows; ``names`` and the key have few values."""
    made = np.zeros(draw(st.integers(0, 6)), FLOW)
    for name in ("netns", "local_port", "cookie", *names):
        made[name] = [draw(FEW) for _ in made]
    return made


@settings(max_examples=40, deadline=None)
@given(records(), records())
def test_places(wanted: Any, among: Any) -> None:
    keys = keys_of(among, FlowKey.layout)
    expected = [keys.index(key) if key in keys else -1 for key in keys_of(wanted, FlowKey.layout)]
    columns = key_column(wanted, FlowKey.layout), key_column(among, FlowKey.layout)
    assert places_of(*columns).tolist() == expected
    assert [bytes(key) for key in columns[0].to_pylist()] == keys_of(wanted, FlowKey.layout)


@settings(max_examples=40, deadline=None)
@given(records("pid", "owned"), st.lists(st.tuples(FEW, FEW, st.sampled_from(("nginx", "ñ", "")))))
def test_sockets_that_changed_hands(rows: Any, events: list[tuple[int, int, str]]) -> None:
    moved = np.zeros(len(events), dtype_of(Moved.layout))
    for event, (cookie, pid, name) in zip(moved, events, strict=True):
        facts = {"cookie": cookie, "pid": pid, "start": pid * 7, "uid": pid, "cgroup": pid + 1}
        for field, value in facts.items():
            event[field] = value
        event["name"] = np.void(name.encode().ljust(16, b"\0"))
    expected = rows.copy()
    for row in range(len(expected)):
        for event in moved:
            if event["cookie"] == expected["cookie"][row]:
                for name in ("pid", "start", "uid", "cgroup", "name"):
                    expected[name][row] = event[name]
                expected["owned"][row] = 1
    hand_over(rows, Decoder(Moved.layout)(moved))
    assert rows.tolist() == expected.tolist()


@given(st.lists(st.tuples(FEW, st.sampled_from(("A", "B", "C")), st.integers(1, 4))))
def test_drops_by_flow(drops: list[tuple[int, str, int]]) -> None:
    counts: dict[bytes, dict[str, int]] = {}
    for flow, reason, packets in drops:
        reasons = counts.setdefault(bytes([flow]), {})
        reasons[reason] = reasons.get(reason, 0) + packets
    expected = {key: (sum(each.values()), max(each, key=each.__getitem__)) for key, each in counts.items()}
    found = by_flow(
        pa.array([bytes([flow]) for flow, _reason, _packets in drops], pa.binary(1)),
        pa.array([reason for _flow, reason, _packets in drops], pa.string()),
        np.array([packets for _flow, _reason, packets in drops], np.uint64),
    )
    facts = zip(found.packets.tolist(), found.reasons.to_pylist(), strict=True)
    assert dict(zip(found.keys.to_pylist(), facts, strict=True)) == expected


@settings(max_examples=40, deadline=None)
@given(records("owned", "pid", "first", "last", "retransmits", *SUMS, *MEASURES), st.data())
def test_halves_of_connections_are_added_up(rows: Any, data: st.DataObject) -> None:
    ports = np.array([data.draw(FEW) for _ in rows], np.int32)
    called = Called((ports[:, None] + np.arange(16)).astype(np.uint8), ports)
    expected, expected_ports, into = one_by_one(rows.copy(), ports.tolist())
    found = _merged(rows, called)
    assert found.rows.tolist() == expected.tolist()
    assert found.called.ports.tolist() == expected_ports
    assert [bytes(each) for each in found.called.addresses] == [
        bytes(range(port, port + 16)) for port in expected_ports
    ]
    assert found.into.tolist() == into


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5000), max_size=8), st.sampled_from(("u1", "u4", "i8")))
def test_words_of_codes(codes: list[int], kind: str) -> None:
    codes = [code % 200 if kind == "u1" else code for code in codes]
    names = {1: "one", 2: None, 4500: "many"}
    values = np.array(codes, kind)
    assert words(values, names).to_pylist() == [names.get(code, str(code)) for code in codes]
    assert each_word(values, names.get).to_pylist() == [names.get(code) for code in codes]


def test_texts_as_the_kernel_has_them() -> None:
    column = pa.array(["nginx", None, "", "a name of seventeen", "nginx"])
    assert [bytes(each) for each in padded(column, 8)] == [
        b"nginx\0\0\0", bytes(8), bytes(8), b"a name o", b"nginx\0\0\0"
    ]  # fmt: skip


def one_by_one(rows: Any, ports: list[int]) -> tuple[Any, list[int], list[int]]:
    """Each row that has the key of one before is added to that one."""
    kept: dict[bytes, int] = {}
    into = []
    for row, key in enumerate(keys_of(rows, FlowKey.layout)):
        place = kept.setdefault(key, row)
        into.append(list(kept.values()).index(place))
        if place == row:
            continue
        one, other = rows[place].copy(), rows[row].copy()
        newer, older = (one, other) if one["last"] >= other["last"] else (other, one)
        rows[place] = one if one["owned"] >= other["owned"] else other
        for name in SUMS:
            rows[name][place] = one[name] + other[name]
        for name in MEASURES:
            rows[name][place] = newer[name] or older[name]
        rows["retransmits"][place] = max(one["retransmits"], other["retransmits"])
        rows["first"][place] = min(one["first"], other["first"])
        rows["last"][place] = newer["last"]
        ports[place] = ports[place] or ports[row]
    places = list(kept.values())
    return rows[places], [ports[place] for place in places], into
