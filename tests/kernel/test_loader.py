"""Loading objects into the running kernel."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from beespace.errors import FormatError, KernelError, RelocationError, UsageError, VerifierError
from beespace.isa import ProgramType
from beespace.kernel import LoadedObject, load
from beespace.kernel.features import helper
from beespace.spec import FunctionSpec, MapSpec, ObjectSpec, ProgramSpec, SymbolKind, SymbolReloc

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[[str], ObjectSpec]
InKernel = Callable[[str], set[int]]
Gone = Callable[..., bool]

HEAD = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
char LICENSE[] SEC("license") = "GPL";
struct bpf_map;
"""
PACKET = bytes(64)


def run(loaded: LoadedObject, name: str) -> int:
    return loaded.programs[name].test_run(data_in=PACKET).retval


def by_hand(code: str, *symbols: SymbolReloc, maps: dict[str, MapSpec] | None = None) -> ObjectSpec:
    """An object without BTF, of one cgroup program."""
    entry = FunctionSpec("hand", bytes.fromhex(code), symbols)
    return ObjectSpec("hand", "GPL", {"hand": ProgramSpec("hand", "cgroup_skb/egress", entry)}, maps=maps or {})


RETURN_1 = "b700000001000000 9500000000000000"


def test_a_program_made_by_hand() -> None:
    with load(by_hand(RETURN_1)) as loaded:
        program = loaded.programs["hand"]
        assert program.test_run(data_in=PACKET).retval == 1
        info = program.info()
        assert (info.name, info.type, info.xlated_prog_len, info.run_cnt) == ("hand", 8, 16, 0)
        told = b"\0verified_insns\0" in Path("/sys/kernel/btf/vmlinux").read_bytes()  # since Linux 5.16
        assert info.verified_insns == (2 if told else 0)
        assert len(info.tag) == 16
        assert program.xlated().hex() == RETURN_1.replace(" ", "")
        assert loaded.notes == ()


def test_a_map_by_hand() -> None:
    table = MapSpec("m", 2, 4, 8, 1)
    # r1 = &map value + 4; r0 = *(u32 *)r1; r0 &= 1; exit
    code = "1801000000000000 0000000000000000 6110000000000000 5700000001000000 9500000000000000"
    spec = by_hand(code, SymbolReloc(0, SymbolKind.MAP_VALUE, "m", 4), maps={"m": table})
    with load(spec) as loaded:
        assert run(loaded, "hand") == 0
        loaded.maps["m"].raw.update(bytes(4), bytes(4) + (1).to_bytes(4, "little"))
        assert run(loaded, "hand") == 1
        assert loaded.programs["hand"].info().map_ids == (loaded.maps["m"].info.id,)


GLOBALS = (
    HEAD
    + r"""
const volatile __u32 limit = 7;
const volatile char greeting[8] = "hello";
volatile __s32 balance = -5;
volatile __u64 total;
volatile __u8 ready;

SEC("cgroup_skb/egress")
int sum(struct __sk_buff *skb)
{
    total += limit + greeting[0];
    balance -= 1;
    return ready & 1;
}
"""
)


def test_variables(compile_c: Compile) -> None:
    with load(compile_c(GLOBALS), variables={"limit": 1000, "balance": -100, "greeting": b"x"}) as loaded:
        variables = loaded.variables
        assert sorted(variables) == ["balance", "greeting", "limit", "ready", "total"]
        assert variables["limit"].get() == 1000
        assert variables["greeting"].get() == "x"
        assert variables["balance"].get() == -100
        assert run(loaded, "sum") == 0
        variables["ready"].set(1)
        assert run(loaded, "sum") == 1
        assert variables["balance"].get() == -102
        assert variables["total"].get() == 2 * (1000 + ord("x"))
        variables["total"].set(2**64 - 1)
        assert variables["total"].get() == 2**64 - 1
        for wrong in (2**64, -(2**63) - 1):
            with pytest.raises(UsageError, match="does not fit"):
                variables["total"].set(wrong)
        assert variables["limit"].read_only
        with pytest.raises(UsageError, match="read-only once its object is loaded"):
            variables["limit"].set(1)


def test_variables_by_system_call(compile_c: Compile) -> None:
    spec = compile_c(GLOBALS)
    maps = {name: replace(each, flags=each.flags & ~(1 << 10)) for name, each in spec.maps.items()}
    with load(replace(spec, maps=maps)) as loaded:
        assert loaded.variables["limit"].get() == 7
        assert loaded.variables["balance"].get() == -5
        loaded.variables["balance"].set(6)
        run(loaded, "sum")
        assert loaded.variables["balance"].get() == 5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"limti": 1}, "did you mean limit"),
        ({"zzz": 1}, "its variables: balance, greeting, limit"),
        ({"limit": 1 << 32}, "does not fit variable 'limit', which has 32 bits"),
        ({"greeting": b"much too long"}, "has 8 bytes; 13 do not fit"),
    ],
)
def test_wrong_variables(compile_c: Compile, values: dict[str, int | bytes], message: str, gone: Gone) -> None:
    with pytest.raises(UsageError, match=message):
        load(compile_c(GLOBALS), variables=values)
    assert gone("probe.rodata")


CALLS = (
    HEAD
    + r"""
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8);
    __type(key, __u32);
    __type(value, __u64);
} seen SEC(".maps");

static __attribute__((noinline)) int leaf(int x) { volatile int y = x; return y + 1; }
static __attribute__((noinline)) int branch(int x) { volatile int y = leaf(x); return leaf(y) + 10; }
__attribute__((noinline)) int global(struct __sk_buff *skb) { return skb->len ? 100 : 0; }

SEC("cgroup_skb/egress")
int calls(struct __sk_buff *skb)
{
    return branch(1) + global(skb) + leaf(1000) == 13 + 100 + 1001;
}
"""
)

CALLBACKS = (
    CALLS
    + r"""
static long visit(__u32 index, __u64 *sum) { *sum += index; return 0; }
static long each(struct bpf_map *map, __u32 *key, __u64 *value, __u64 *sum) { *sum += *value; return 0; }

SEC("cgroup_skb/ingress")
int callbacks(struct __sk_buff *skb)
{
    __u64 sum = 0;
    bpf_loop(10, visit, &sum, 0);
    bpf_for_each_map_elem(&seen, each, &sum, 0);
    __u32 key = 0;
    bpf_map_update_elem(&seen, &key, &sum, 0);
    return 1;
}
"""
)


@pytest.fixture
def callbacks() -> None:
    """Skips where the kernel does not take functions as arguments."""
    if not helper(ProgramType.CGROUP_SKB, "loop").available:
        pytest.skip("this kernel has no bpf_loop() (Linux 5.17)")


def test_sub_programs(compile_c: Compile) -> None:
    with load(compile_c(CALLS)) as loaded:
        assert loaded.notes == ()
        assert run(loaded, "calls") == 1


@pytest.mark.usefixtures("callbacks")
def test_sub_programs_and_callbacks(compile_c: Compile) -> None:
    with load(compile_c(CALLBACKS)) as loaded:
        assert loaded.notes == ()
        assert run(loaded, "calls") == 1
        loaded.maps["seen"].raw.update((5).to_bytes(4, "little"), (1000).to_bytes(8, "little"))
        assert run(loaded, "callbacks") == 1
        assert loaded.maps["seen"].raw.get(bytes(4)) == (1045).to_bytes(8, "little")
        info = loaded.programs["callbacks"].info()
        assert info.nr_func_info == 3
        assert info.nr_line_info > 5
        assert info.btf_id == loaded.programs["calls"].info().btf_id != 0


@pytest.mark.usefixtures("callbacks")
def test_only_the_programs_asked_for(compile_c: Compile, in_kernel: InKernel) -> None:
    with load(compile_c(CALLBACKS), programs=["callbacks"]) as loaded:
        assert list(loaded.programs) == ["callbacks"]
        assert len(in_kernel("callbacks")) == 1
        assert in_kernel("calls") == set()
    with pytest.raises(UsageError, match=r"has no program 'nosuch'.*\n.*its programs: calls, callbacks"):
        load(compile_c(CALLBACKS), programs=["nosuch"])


def test_types_are_shown_with_the_maps(compile_c: Compile) -> None:
    with load(compile_c(CALLS)) as loaded:
        info = loaded.maps["seen"].info
        assert info.btf_id and info.btf_key_type_id and info.btf_value_type_id


def test_sizes_are_overridden(compile_c: Compile) -> None:
    with load(compile_c(CALLS), max_entries={"seen": 99}) as loaded:
        assert loaded.maps["seen"].info.max_entries == 99 == loaded.maps["seen"].spec.max_entries
    for wrong, message in (({"sen": 9}, "has no map 'sen'"), ({"seen": 0}, "cannot have 0 entries")):
        with pytest.raises(UsageError, match=message):
            load(compile_c(CALLS), max_entries=wrong)


def test_a_sub_program_that_is_missing() -> None:
    spec = by_hand("8510000000000000 9500000000000000", SymbolReloc(0, SymbolKind.CALL, "gone"))
    with pytest.raises(FormatError, match="calls 'gone'"):
        load(spec)


def test_a_map_that_is_missing() -> None:
    spec = by_hand("1801000000000000 0000000000000000 9500000000000000", SymbolReloc(0, SymbolKind.MAP, "gone"))
    with pytest.raises(FormatError, match="map 'gone'"):
        load(spec)


MAPS_IN_MAPS = (
    HEAD
    + r"""
struct inner { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u32); };
struct inner one SEC(".maps"), two SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
    __uint(max_entries, 4);
    __type(key, __u32);
    __array(values, struct inner);
} outer SEC(".maps") = { .values = { [1] = &one, [3] = &two } };
struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __array(values, int (struct __sk_buff *));
} next SEC(".maps");

SEC("cgroup_skb/egress") int look(struct __sk_buff *skb)
{
    __u32 key = 3, zero = 0;
    void *inner = bpf_map_lookup_elem(&outer, &key);
    __u32 *value = inner ? bpf_map_lookup_elem(inner, &zero) : 0;
    return value && *value == 77;
}
"""
)


def test_maps_in_maps_have_their_contents(compile_c: Compile) -> None:
    with load(compile_c(MAPS_IN_MAPS)) as loaded:
        maps = loaded.maps
        assert dict(maps["outer"].ids()) == {1: maps["one"].info.id, 3: maps["two"].info.id}
        assert run(loaded, "look") == 0
        maps["two"][0] = 77
        assert run(loaded, "look") == 1


TAIL = (
    HEAD
    + r"""
int last(struct __sk_buff *skb);
struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __array(values, int (struct __sk_buff *));
} next SEC(".maps") = { .values = { [1] = (void *)&last } };

SEC("cgroup_skb/egress") int first(struct __sk_buff *skb) { bpf_tail_call(skb, &next, 1); return 0; }
SEC("cgroup_skb/egress") int last(struct __sk_buff *skb) { return 1; }
"""
)


def test_tail_calls_have_their_programs(compile_c: Compile) -> None:
    with load(compile_c(TAIL)) as loaded:
        assert run(loaded, "first") == 1


REFUSED = (
    HEAD
    + r"""
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8);
    __type(key, __u32);
    __type(value, __u64);
} seen SEC(".maps");
static __attribute__((noinline)) int helper(struct __sk_buff *skb)
{
    __u32 key = 0;
    __u64 *value = bpf_map_lookup_elem(&seen, &key);
    return *value;
}
SEC("cgroup_skb/egress") int good(struct __sk_buff *skb) { return 1; }
SEC("cgroup_skb/egress") int a_program_with_a_long_name(struct __sk_buff *skb) { return helper(skb) & 1; }
"""
)


def test_a_refused_program(compile_c: Compile, gone: Gone) -> None:
    with pytest.raises(VerifierError) as refused:
        load(compile_c(REFUSED))
    error = refused.value
    assert error.program == "a_program_with_a_long_name"
    nullable = ("map_value_or_null", "nullable map value")  # before 7.3, and since
    assert any(word in error.reason for word in nullable)
    assert error.source is not None
    assert error.source.endswith("return *value;")
    number = REFUSED.split("\n").index("    return *value;") + 1
    assert f"probe.c:{number}:" in error.source
    assert error.errno == errno.EACCES
    assert "bpf_map_lookup_elem" in error.log
    assert "processed" in error.log
    assert "probe.c" in str(error) and any(word in str(error) for word in nullable)
    assert gone("good", "seen")


def test_a_refused_program_without_types() -> None:
    with pytest.raises(VerifierError) as refused:
        load(by_hand("bf01000000000000 9500000000000000"))  # r1 = r0, which was never set
    assert refused.value.reason == "R0 !read_ok" or "R0 has never been initialized" in refused.value.reason
    assert refused.value.source is None


LONG = (
    HEAD
    + r"""
volatile __u64 sink;
SEC("cgroup_skb/egress") int many(struct __sk_buff *skb)
{
    for (int i = 0; i < 3000; i++)
        sink += skb->len * i;
    return *(volatile int *)(long)skb->len & 1;
}
"""
)


def test_a_long_log_is_whole(compile_c: Compile) -> None:
    with pytest.raises(VerifierError) as refused:
        load(compile_c(LONG))
    error = refused.value
    assert len(error.log) > 1 << 17
    assert error.log.startswith(("func#0", "0:", "reg ", '; SEC("cgroup_skb/egress")'))
    # In the words of Linux 7.3, of 5.18 and those before.
    assert re.search("is an integer scalar here|invalid mem access '(scalar|inv)'", error.reason)
    assert "return *(volatile int *)" in (error.source or "")


def test_an_unknown_section() -> None:
    spec = by_hand(RETURN_1)
    program = replace(spec.programs["hand"], section="nonsense/here")
    with pytest.raises(FormatError, match="no hook has the section name 'nonsense/here'"):
        load(replace(spec, programs={"hand": program}))


def test_a_target_that_does_not_exist() -> None:
    spec = by_hand(RETURN_1)
    program = replace(spec.programs["hand"], section="tp_btf/sched_swich")
    with pytest.raises(RelocationError, match=r"no tracepoint 'sched_swich'\n.*did you mean sched_switch"):
        load(replace(spec, programs={"hand": program}))
    program = replace(spec.programs["hand"], section="iter/tsk")
    with pytest.raises(RelocationError, match=r"no iterator 'tsk'\n.*did you mean .*task"):
        load(replace(spec, programs={"hand": program}))


@pytest.mark.usefixtures("callbacks")
def test_an_object_whose_types_are_refused(compile_c: Compile) -> None:
    """A name that is none: the programs are loaded without types, unless they cannot be."""
    spec = compile_c(CALLBACKS)
    damaged = bytearray(spec.btf)
    at = damaged.rfind(b"\0skb\0") + 1
    assert at
    damaged[at] = ord("?")  # no identifier: the kernel refuses the function
    with load(replace(spec, btf=bytes(damaged)), programs=["calls"]) as loaded:
        assert run(loaded, "calls") == 1
        (note,) = loaded.notes
        assert "without BTF, functions and lines" in note
        assert loaded.programs["calls"].info().btf_id == 0
    with pytest.raises(VerifierError, match="missing btf func_info") as refused:
        load(replace(spec, btf=bytes(damaged)), programs=["callbacks"])
    assert refused.value.__notes__ == [note]


def test_closing_twice_and_reading_after(compile_c: Compile) -> None:
    loaded = load(compile_c(GLOBALS))
    loaded.close()
    loaded.close()
    with pytest.raises(ValueError, match="closed"):
        loaded.programs["sum"].info()


def test_a_failure_half_way_leaves_nothing(compile_c: Compile, gone: Gone) -> None:
    spec = compile_c(CALLS)
    maps = dict(spec.maps)
    maps["impossible"] = MapSpec("impossible", 2, 8, 8, 1)  # arrays have keys of 4 bytes
    with pytest.raises(KernelError, match="create map 'impossible'"):
        load(replace(spec, maps=maps))
    assert gone("seen", "calls")


def test_what_bpftool_sees(compile_c: Compile) -> None:
    with load(compile_c(CALLS)) as loaded:
        number = loaded.programs["calls"].info().id
        shown = subprocess.run(
            ["bpftool", "prog", "dump", "xlated", "id", str(number)], capture_output=True, text=True, check=True
        ).stdout
        assert "int calls(struct __sk_buff *skb)" in shown
        assert "; return branch(1) + global(skb) + leaf(1000) == 13 + 100 + 1001;" in shown
        maps = subprocess.run(["bpftool", "map", "show"], capture_output=True, text=True, check=True).stdout
        assert "name seen" in maps
    shown = subprocess.run(["bpftool", "prog", "show"], capture_output=True, text=True, check=True).stdout
    assert f"{number}:" not in shown


def test_loading_needs_the_standard_library_only(compile_c: Compile, tmp_path: Path) -> None:
    text = """
import sys
import time
before = set(sys.modules)
import beespace.kernel
names = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(name for name in names if name not in sys.stdlib_module_names and name != "beespace"))
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "[]"


# -- CO-RE and the kernel's own symbols ------------------------------------------------------------------------
