"""Maps with keys, as Python mappings on the running kernel, and against bpftool."""

from __future__ import annotations

import errno
import ipaddress
import json
import subprocess
from typing import Any

import pytest
from containers import made

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.isa.constants import MapFlag, MapType
from beespace.kernel.create import create_map
from beespace.kernel.maps import (
    ArrayMap,
    HashMap,
    LpmTrie,
    PerCpuArrayMap,
    PerCpuHashMap,
    merge,
)
from beespace.spec import MapSpec
from beespace.syscall.process import possible_cpus

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

CPUS = len(possible_cpus())
HASHES = [MapType.HASH, MapType.LRU_HASH, MapType.RHASH]


def bpftool(*words: str) -> Any:
    """What bpftool says, from its JSON."""
    done = subprocess.run(["bpftool", "-j", "map", *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout) if done.stdout.strip() not in ("", "null") else None


def number(cells: list[str]) -> int:
    """Little-endian bytes as bpftool prints them."""
    return int.from_bytes(bytes(int(cell, 16) for cell in cells), "little")


def cells(value: int, size: int) -> list[str]:
    return ["hex", *(f"{byte:02x}" for byte in value.to_bytes(size, "little"))]


def dumped(table: Any) -> dict[int, int]:
    entries = bpftool("dump", "id", str(table.info.id))
    return {number(entry["key"]): number(entry["value"]) for entry in entries if "value" in entry}


# -- hash --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", HASHES)
def test_a_hash_map_is_a_mutable_mapping(kind: MapType) -> None:
    with made(kind) as table:
        assert isinstance(table, HashMap)
        assert not table
        table[1] = 10
        table.update({2: 20, 3: 30})
        assert table == {1: 10, 2: 20, 3: 30}
        assert (len(table), bool(table), 2 in table, 9 in table) == (3, True, True, False)
        assert sorted(table) == [1, 2, 3] == sorted(table.keys())
        assert sorted(table.values()) == [10, 20, 30]
        assert 20 in table.values() and (2, 20) in table.items()
        assert table.get(9) is None and table.get(9, 5) == 5
        with pytest.raises(KeyError):
            table[9]
        with pytest.raises(KeyError):
            del table[9]
        with pytest.raises(KeyError):
            table.pop(9)
        assert (table.pop(1), table.pop(9, "none")) == (10, "none")
        assert (table.setdefault(2, 99), table.setdefault(4, 40)) == (20, 40)
        assert (table.add(4, 1), table.add(5, 50)) == (False, True)
        assert (table.replace(5, 55), table.replace(6, 1)) == (True, False)
        assert dict(table.items()) == {2: 20, 3: 30, 4: 40, 5: 55}
        assert table.remove([2, 77, 3, 78]) == 2
        key, value = table.popitem()
        assert {key: value, **table} == {4: 40, 5: 55}
        table.clear()
        assert len(table) == 0
        with pytest.raises(KeyError):
            table.popitem()


@pytest.mark.parametrize("kind", HASHES)
def test_bpftool_sees_the_same(kind: MapType) -> None:
    with made(kind) as table:
        table.update({each: each * each for each in range(20)})
        assert dumped(table) == dict(table)
        name = ["id", str(table.info.id)]
        bpftool("update", *name, "key", *cells(7, 4), "value", *cells(2**63, 8))
        assert table[7] == 2**63
        bpftool("delete", *name, "key", *cells(3, 4))
        assert 3 not in table
        table[5] = 1
        assert number(bpftool("lookup", *name, "key", *cells(5, 4))["value"]) == 1


def test_a_full_map_says_how_large_it_is() -> None:
    with made(MapType.HASH, 4) as table:
        table.update(dict.fromkeys(range(4), 0))
        for write in (lambda: table.__setitem__(9, 9), lambda: table.update({8: 8, 9: 9})):
            with pytest.raises(KernelError, match=r"'test' has no room: its max_entries is 4") as refused:
                write()
            assert refused.value.errno == errno.E2BIG
        table[0] = 5
        assert table[0] == 5


def test_keys_and_values_that_do_not_fit() -> None:
    with made(MapType.HASH, value=3) as table:
        table[1] = b"abc"
        assert table[1] == b"abc"
        for key, value, message in (
            (2**32, b"abc", "4294967296 does not fit a key of map 'test', which has 32 bits"),
            ("x", b"abc", "a key of map 'test' is an integer of 4 bytes, not 'x'"),
            (1, b"abcd", "a value of map 'test' has 3 bytes, not 4"),
            (1, 5, "3 bytes of no known type"),
        ):
            with pytest.raises(UsageError, match=message):
                table[key] = value


@pytest.mark.parametrize("batched", [True, False])
def test_many_entries(batched: bool) -> None:
    with made(MapType.HASH, 30_000) as table:
        table.raw._batched = batched
        wanted = {each * 7919: each for each in range(20_000 if batched else 500)}
        table.update(wanted)
        assert dict(table) == wanted
        assert sorted(table) == sorted(wanted)
        first = next(iter(table.items()))
        assert wanted[first[0]] == first[1]
        taken = table.take()
        assert dict(taken) == wanted and len(taken) == len(wanted)
        assert not table


def test_iterating_while_entries_come_and_go() -> None:
    with made(MapType.HASH, 1000) as table:
        for batched in (True, False):
            table.raw._batched = batched
            table.update(dict.fromkeys(range(400), 1))
            seen = []
            for position, key in enumerate(table):
                seen.append(key)
                table.pop(position, None)
                if position < 300:
                    table[1000 + position] = 2
            assert len(seen) == len(set(seen))
            assert set(range(400)) <= set(seen)  # read before they went
            table.clear()


# -- per CPU -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [MapType.PERCPU_HASH, MapType.LRU_PERCPU_HASH])
@pytest.mark.parametrize("size", [2, 4, 8])
def test_a_per_cpu_hash_has_a_value_for_each_cpu(kind: MapType, size: int) -> None:
    with made(kind, value=size) as table:
        assert isinstance(table, PerCpuHashMap)
        values = tuple(range(1, CPUS + 1))
        table[7] = values
        table.fill(8, 5)
        assert table[7] == values and table[8] == (5,) * CPUS
        assert table.sum(7) == sum(values)
        assert dict(table.sums()) == {7: sum(values), 8: 5 * CPUS}
        found = bpftool("lookup", "id", str(table.info.id), "key", *cells(7, 4))
        assert [number(each["value"]) for each in found["values"]] == list(values)
        table.update({1: values, 2: values})
        assert dict(table) == {1: values, 2: values, 7: values, 8: (5,) * CPUS}
        with pytest.raises(UsageError, match=f"a sequence of {CPUS} values"):
            table[7] = (0,) * (CPUS + 1)
        assert table.pop(7) == values
        assert len(table.take()) == 3


def test_a_per_cpu_array() -> None:
    with made(MapType.PERCPU_ARRAY, 3, value=4) as table:
        assert isinstance(table, PerCpuArrayMap)
        table.fill(0, 2)
        table[-1] = tuple(range(CPUS))
        assert list(table) == [(2,) * CPUS, (0,) * CPUS, tuple(range(CPUS))]
        assert table.sums() == [2 * CPUS, 0, sum(range(CPUS))]
        assert table.sum(0) == 2 * CPUS


def test_what_is_merged() -> None:
    assert merge([1, 2]) == 3
    assert merge([(1, (2, 3)), (10, (20, 30))]) == (11, (22, 33))
    with pytest.raises(UsageError, match="cannot be added up"):
        merge(["a", "b"])


# -- arrays ------------------------------------------------------------------------------------------------------


def test_an_array_is_a_sequence() -> None:
    with made(MapType.ARRAY, 6) as array:
        assert isinstance(array, ArrayMap)
        array[0], array[-1] = 5, 9
        array[2:4] = [1, 2]
        assert list(array) == [5, 0, 1, 2, 0, 9] == array[:]
        assert (len(array), array[1:4], array[::-2], array.index(9), 2 in array) == (6, [0, 1, 2], [9, 2, 0], 5, True)
        assert array[4:5] == [0]
        assert dumped(array) == dict(enumerate(array))
        bpftool("update", "id", str(array.info.id), "key", *cells(1, 4), "value", *cells(77, 8))
        assert array[1] == 77
        for wrong in (6, -7):
            with pytest.raises(IndexError, match="has 6 elements"):
                array[wrong]
            with pytest.raises(IndexError):
                array[wrong] = 0
        with pytest.raises(UsageError, match="cannot grow"):
            array[1:3] = [1]
        with pytest.raises(NotSupported, match="BPF_F_MMAPABLE"):
            array.memory()


@pytest.mark.parametrize("size", [1, 4, 8, 12])
def test_an_array_in_shared_memory(size: int) -> None:
    with made(MapType.ARRAY, 5, value=size, flags=MapFlag.MMAPABLE) as array:
        value: Any = 77 if size < 12 else bytes(range(12))
        memory = array.memory()
        memory[1] = memory[-1] = value
        assert array[1] == array[4] == memory[1] == value
        array[2] = value
        assert list(memory) == list(array) and memory[1:3] == [value, value]
        with pytest.raises(IndexError):
            memory[5]
        array.freeze()
        with pytest.raises(UsageError, match="frozen"):
            array.memory()[0] = value


def test_an_array_without_batches() -> None:
    with made(MapType.ARRAY, 4) as array:
        array.raw._batched = False
        array[1] = 4
        assert list(array) == [0, 4, 0, 0]


# -- tries -------------------------------------------------------------------------------------------------------


def test_a_trie_of_networks() -> None:
    network = ipaddress.ip_network
    with made(MapType.LPM_TRIE, key=8, value=4) as trie:
        assert isinstance(trie, LpmTrie)
        trie["10.0.0.0/8"] = 1
        trie[network("10.1.0.0/16")] = 2
        trie[16, b"\x0a\x02\xff\xff"] = 3  # bits behind the prefix do not count
        assert dict(trie) == {network("10.0.0.0/8"): 1, network("10.1.0.0/16"): 2, network("10.2.0.0/16"): 3}
        assert trie.match("10.1.2.3") == 2 and trie.match(ipaddress.ip_address("10.9.0.1")) == 1
        assert trie.match("11.0.0.0") is None and trie.match(b"\x0a\x02\x00\x01") == 3
        assert trie.match("10.1.0.0/12", "-") == 1
        assert "10.1.0.0/16" in trie and "10.1.0.0/17" not in trie and "10.1.2.3" not in trie
        with pytest.raises(KeyError):
            trie["10.1.2.3"]
        assert dict(trie.below("10.0.0.0/14")) == {network("10.1.0.0/16"): 2, network("10.2.0.0/16"): 3}
        with pytest.raises(UsageError, match="is a network"):
            trie["nonsense"] = 1
        entries = bpftool("dump", "id", str(trie.info.id))
        assert {(number(e["key"][:4]), number(e["value"])) for e in entries} == {(8, 1), (16, 2), (16, 3)}
        assert (trie.pop("10.0.0.0/8"), trie.match("10.9.0.1")) == (1, None)
        assert dict(trie.take()) == {network("10.1.0.0/16"): 2, network("10.2.0.0/16"): 3}
        assert not trie


def test_tries_of_other_keys() -> None:
    with made(MapType.LPM_TRIE, 2, key=20, value=4) as six:
        six["2001:db8::/32"] = 6
        assert six.match("2001:db8::1") == 6 and list(six) == [ipaddress.ip_network("2001:db8::/32")]
        six["::/0"] = 0
        with pytest.raises(KernelError, match="max_entries is 2"):
            six["1::/16"] = 1
    with made(MapType.LPM_TRIE, key=6, value=4) as two:
        two[12, b"\xab\xcf"] = 1
        assert list(two) == [(12, b"\xab\xc0")]
        assert two.match(b"\xab\xc7") == 1 and two.match(b"\xab\xd7") is None
        with pytest.raises(UsageError, match="16 bits"):
            two[17, b"ab"] = 1


# -- what all have -----------------------------------------------------------------------------------------------


def test_an_older_kernel_pops_in_two_steps() -> None:
    with made(MapType.HASH) as table:
        table.raw._pops = False
        table[1] = 5
        assert (table.pop(1), table.pop(1, None)) == (5, None)


def test_a_map_that_was_not_closed_is_named() -> None:
    raw = create_map(MapSpec("forgotten", MapType.HASH, 4, 4, 1))
    with pytest.warns(ResourceWarning, match="map forgotten, fd"):
        del raw


def test_a_closed_map_says_so() -> None:
    with made(MapType.HASH) as table:
        pass
    with pytest.raises(ValueError, match="map test is closed"):
        table[1]
    assert repr(table) == "<HashMap 'test', closed>"


def test_a_map_type_that_is_not_known_stays_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    from beespace.kernel.maps import Map, kinds

    monkeypatch.setattr(kinds, "CLASSES", {})
    with made(MapType.HASH) as plain:
        assert type(plain) is Map and plain.raw is plain
