"""Maps and variables of a clang-built object, typed by its BTF, against bpftool's reading of the same."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from beespace.errors import UsageError
from beespace.kernel import load
from beespace.kernel.maps import HashMap, LpmTrie, open_id
from beespace.spec import ObjectSpec
from beespace.syscall.process import possible_cpus

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[..., ObjectSpec]
CPUS = len(possible_cpus())

SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum state { IDLE, BUSY = 7 };
struct key { __u32 pid; char comm[16]; };
struct value { __s64 total; _Bool seen; __u8 raw[3]; __u16 parts[2]; enum state state; };
struct locked { struct bpf_spin_lock lock; __u32 count; };
struct sums { __u64 bytes; __u32 packets; };
struct prefix { __u32 prefixlen; __u8 address[4]; };
struct scope { __u32 prefixlen; __u16 zone; __u16 host; };
struct point { int x, y; };

struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 16);
         __type(key, struct key); __type(value, struct value); } table SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2);
         __type(key, __u32); __type(value, struct locked); } locks SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 2);
         __type(key, char[8]); __type(value, struct locked); } named SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_HASH); __uint(max_entries, 4);
         __type(key, __s32); __type(value, struct sums); } sums SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(map_flags, BPF_F_NO_PREALLOC); __uint(max_entries, 4);
         __type(key, struct prefix); __type(value, __s8); } routes SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(map_flags, BPF_F_NO_PREALLOC); __uint(max_entries, 4);
         __type(key, struct scope); __type(value, __s8); } scopes SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_QUEUE); __uint(max_entries, 4); __type(value, struct point); } points SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(map_flags, BPF_F_MMAPABLE); __uint(max_entries, 3);
         __type(key, __u32); __type(value, struct point); } shared SEC(".maps");

const volatile _Bool verbose = 0;
const volatile char name[8] = "bee";
const volatile struct point limits[2] = {{1, 2}, {3, 4}};
const volatile enum state first = IDLE;
volatile double ratio = 0.5;
volatile __s16 small = -5;
volatile __u8 bytes[4] = {1, 2, 3, 4};
volatile struct point where = {10, -20};
volatile __u64 hits;

SEC("tc")
int touch(struct __sk_buff *skb)
{
    struct key key = {7, "bees"};
    struct value *value = bpf_map_lookup_elem(&table, &key);
    struct sums *sum;
    __s32 minus = -1;
    struct locked *locked;
    __u32 zero = 0;
    if (value)
        value->total -= 1;
    sum = bpf_map_lookup_elem(&sums, &minus);
    if (sum) { sum->bytes += 100; sum->packets += 1; }
    locked = bpf_map_lookup_elem(&locks, &zero);
    if (locked) { bpf_spin_lock(&locked->lock); locked->count += limits[1].y; bpf_spin_unlock(&locked->lock); }
    where.y += where.x;
    __sync_fetch_and_add(&hits, 1);
    return verbose + name[0] + first;
}

char LICENSE[] SEC("license") = "GPL";
"""


def bpftool(*words: str) -> Any:
    done = subprocess.run(["bpftool", "-j", "map", *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def run(loaded: Any) -> int:
    return int(loaded.programs["touch"].test_run(bytes(64)).retval)


def test_keys_and_values_are_what_c_says(compile_c: Compile) -> None:
    with load(compile_c(SOURCE)) as loaded:
        table = loaded.maps["table"]
        assert isinstance(table, HashMap)
        assert list(loaded.maps) == list(loaded.spec.maps) and loaded.maps["table"] is table
        with pytest.raises(KeyError, match="has no map 'tables'"):
            loaded.maps["tables"]
        table[7, "bees"] = {"total": 5, "seen": True, "state": "BUSY", "parts": (1, 2)}
        value = table[{"pid": 7, "comm": "bees"}]
        assert (value.total, value.seen, value.raw, value.parts, value.state) == (5, True, bytes(3), (1, 2), 7)
        assert run(loaded) == ord("b")
        ((key, value),) = table.items()
        assert (key.pid, key.comm, value.total) == (7, "bees", 4)
        assert dict(table)[key] is not None and key in table
        table[key] = value
        entry = bpftool("dump", "id", str(table.info.id))[0]["formatted"]
        assert entry["key"]["pid"] == 7 and entry["value"]["total"] == 4 and entry["value"]["parts"] == [1, 2]
        table.update({(8, "wasp"): value, (9, "ant"): value._asdict()})
        assert sorted(each.comm for each in table) == ["ant", "bees", "wasp"]
        with pytest.raises(UsageError, match="parts"):
            table[key] = {"parts": (1, 2, 3)}


def test_locks_are_the_kernels_own(compile_c: Compile) -> None:
    with load(compile_c(SOURCE), variables={"limits": [(0, 0), (0, 9)]}) as loaded:
        locks, named = loaded.maps["locks"], loaded.maps["named"]
        locks.write(0, {"count": 5}, locked=True)
        run(loaded)
        assert locks.read(0, locked=True).count == 14 == locks[0].count
        named.put("bee", {"count": 1}, locked=True)
        assert named.get("bee", locked=True).count == 1
        assert not named.add("bee", {"count": 2}, locked=True)
        assert named.replace("bee", {"count": 3}, locked=True)
        assert [(key, value.count) for key, value in named.items()] == [("bee", 3)]


def test_sums_of_structs(compile_c: Compile) -> None:
    with load(compile_c(SOURCE)) as loaded:
        sums = loaded.maps["sums"]
        sums.fill(-1, {"bytes": 10, "packets": 1})
        run(loaded)
        assert len(sums[-1]) == CPUS
        total = sums.sum(-1)
        assert (total.bytes, total.packets) == (10 * CPUS + 100, CPUS + 1)
        assert [key for key, _ in sums.sums()] == [-1]


def test_keys_of_tries_follow_their_type(compile_c: Compile) -> None:
    with load(compile_c(SOURCE)) as loaded:
        routes, scopes = loaded.maps["routes"], loaded.maps["scopes"]
        assert isinstance(routes, LpmTrie)
        routes["10.0.0.0/8"] = -8
        assert dict(routes) == {ipaddress.ip_network("10.0.0.0/8"): -8}
        scopes[16, b"\x01\x02"] = 4
        assert dict(scopes) == {(16, b"\x01\x02\0\0"): 4} and scopes.match(b"\x01\x02\x03\x04") == 4


def test_the_kernels_types_serve_who_opens_a_map(compile_c: Compile) -> None:
    with load(compile_c(SOURCE)) as loaded:
        loaded.maps["table"][1, "a"] = {"total": -1}
        with open_id(loaded.maps["table"].info.id) as again:
            ((key, value),) = again.items()
            assert (key.comm, value.total) == ("a", -1)
        loaded.maps["points"].push((1, -2))
        point = loaded.maps["points"].pop()
        assert (point.x, point.y) == (1, -2)
        memory = loaded.maps["shared"].memory()
        memory[1] = {"x": 5, "y": 6}
        assert loaded.maps["shared"][1] == (5, 6) == memory[1]


def test_variables_have_values_of_their_type(compile_c: Compile) -> None:
    given = {"verbose": True, "name": "wasp", "limits": [{"x": 1}, (5, 6)], "first": "BUSY", "ratio": 1, "small": -1}
    with load(compile_c(SOURCE), variables=given) as loaded:
        values = {name: variable.value for name, variable in loaded.variables.items() if not name.startswith("LICENSE")}
        assert values == {
            "verbose": True, "name": "wasp", "limits": ((1, 0), (5, 6)), "first": 7, "ratio": 1.0, "small": -1,
            "bytes": b"\1\2\3\4", "where": (10, -20), "hits": 0,
        }  # fmt: skip
        assert values["verbose"] is True and values["limits"][1].y == 6
        variables = loaded.variables
        assert run(loaded) == 1 + ord("w") + 7
        assert (variables["hits"].value, variables["where"].value.y) == (1, -10)
        variables["where"].value = {"x": 1, "y": 2}
        variables["ratio"].value = 0.25
        variables["small"].set(-7)
        variables["bytes"].value = b"\5"
        assert variables["where"].get() == (1, 2)
        assert (variables["ratio"].value, variables["small"].value) == (0.25, -7)
        assert variables["bytes"].value == b"\5\0\0\0"
        assert variables["small"].read() == (-7).to_bytes(2, "little", signed=True)
        run(loaded)
        assert variables["where"].value.y == 3
        for name, wrong, message in (
            ("small", 2**17, "does not fit variable 'small', which has 16 bits"),
            ("where", (1, 2, 3), "variable 'where': "),
            ("ratio", "x", "variable 'ratio': "),
            ("bytes", b"12345", "has 4 bytes; 5 do not fit"),
            ("name", "x", "read-only once its object is loaded"),
        ):
            with pytest.raises(UsageError, match=message):
                variables[name].value = wrong


def test_variables_without_shared_memory(compile_c: Compile) -> None:
    with load(compile_c(SOURCE)) as loaded:
        for variable in loaded.variables.values():
            variable._shared = False
        loaded.variables["where"].value = (3, 4)
        loaded.variables["small"].value = 9
        run(loaded)
        assert loaded.variables["where"].value == (3, 7) and loaded.variables["small"].value == 9


@pytest.mark.parametrize("name", ["verbose", "limits"])
def test_first_values_that_do_not_fit(compile_c: Compile, name: str) -> None:
    with pytest.raises(UsageError, match=f"variable '{name}'"):
        load(compile_c(SOURCE), variables={name: 99})
