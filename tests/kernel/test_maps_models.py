"""Maps with keys, held against a model: any steps give what a Python object of that kind gives."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from containers import made
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pace import examples

from beespace.isa.constants import MapType

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]


KEYS, VALUES = st.integers(0, 7), st.integers(0, 2**64 - 1)
STEP = st.one_of(
    st.tuples(st.just("set"), KEYS, VALUES), st.tuples(st.just("del"), KEYS), st.tuples(st.just("pop"), KEYS),
    st.tuples(st.just("add"), KEYS, VALUES), st.tuples(st.just("replace"), KEYS, VALUES),
    st.tuples(st.just("setdefault"), KEYS, VALUES), st.tuples(st.just("update"), st.dictionaries(KEYS, VALUES)),
    st.tuples(st.just("remove"), st.lists(KEYS)), st.tuples(st.just("clear")), st.tuples(st.just("take")),
)  # fmt: skip


def applied(step: tuple[Any, ...], table: Any, model: dict[Any, Any]) -> None:
    """The same step on both; they must answer alike."""
    match step:
        case ("set", key, value):
            table[key] = model[key] = value
        case ("del" | "pop", key):
            assert table.pop(key, None) == model.pop(key, None)
        case ("add", key, value):
            assert table.add(key, value) == (key not in model)
            model.setdefault(key, value)
        case ("replace", key, value):
            assert table.replace(key, value) == (key in model)
            if key in model:
                model[key] = value
        case ("setdefault", key, value):
            assert table.setdefault(key, value) == model.setdefault(key, value)
        case ("update", entries):
            table.update(entries)
            model.update(entries)
        case ("remove", keys):
            assert table.remove(keys) == len(set(keys) & set(model))
            for key in keys:
                model.pop(key, None)
        case ("clear",):
            table.clear()
            model.clear()
        case ("take",):
            assert dict(table.take()) == model
            model.clear()


@settings(deadline=None, max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=30), batched=st.booleans())
def test_a_hash_map_answers_as_a_dict(steps: list[tuple[Any, ...]], batched: bool) -> None:
    with made(MapType.HASH, 8) as table:
        model: dict[int, int] = {}
        table.raw._batched = table.raw._pops = batched
        for step in steps:
            applied(step, table, model)
            assert dict(table.items()) == model
            assert len(table) == len(model) and bool(table) == bool(model)
            assert all((key in table) == (key in model) for key in range(8))


def prefixes() -> st.SearchStrategy[ipaddress.IPv4Network]:
    """Few bits, so that prefixes lie within each other."""
    return st.tuples(st.integers(0, 15), st.integers(0, 8)).map(
        lambda pair: ipaddress.IPv4Network((pair[0] << 28 | pair[0] << 24, pair[1]), strict=False)
    )


TRIE_STEP = st.one_of(
    st.tuples(st.just("set"), prefixes(), VALUES), st.tuples(st.just("pop"), prefixes()),
    st.tuples(st.just("add"), prefixes(), VALUES), st.tuples(st.just("replace"), prefixes(), VALUES),
    st.tuples(st.just("remove"), st.lists(prefixes(), max_size=4)),
    st.tuples(st.just("update"), st.dictionaries(prefixes(), VALUES, max_size=4)), st.tuples(st.just("clear")),
)  # fmt: skip


@settings(deadline=None, max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(TRIE_STEP, max_size=15), address=st.integers(0, 2**32 - 1))
def test_a_trie_answers_as_networks_do(steps: list[tuple[Any, ...]], address: int) -> None:
    where = ipaddress.IPv4Address(address)
    with made(MapType.LPM_TRIE, 200, key=8) as trie:
        model: dict[Any, int] = {}
        for step in steps:
            applied(step, trie, model)
            assert dict(trie) == model
            fitting = [network for network in model if where in network]
            longest = max(fitting, key=lambda network: network.prefixlen, default=None)
            assert trie.match(where) == (None if longest is None else model[longest])
            for network in {*model, ipaddress.IPv4Network((address >> 28 << 28, 4))}:
                assert (network in trie) == (network in model)
                assert trie.get(network) == model.get(network)
