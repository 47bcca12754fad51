"""What clang puts into sections: programs, sub-programs, data, licenses, and what is in none of them."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from beespace.elf import read
from beespace.errors import FormatError, KernelError, VerifierError
from beespace.kernel import LoadedObject, load
from beespace.spec import ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[..., ObjectSpec]

HEAD = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
"""
PACKET = bytes(64)


def run(loaded: LoadedObject, name: str) -> int:
    return loaded.programs[name].test_run(data_in=PACKET).retval


FUNCTIONS = (
    HEAD
    + r"""
volatile int two = 2;
static __noinline int own(int x) { return x + two; }
__noinline int everybodys(int x) { volatile int y = x; return own(y) * 10; }
__weak __noinline int weak_one(int x) { volatile int y = x; return y + 3; }
__hidden __noinline int hidden_one(int *x) { return *x + everybodys(1); }

SEC("tc") int a_program_with_a_name_longer_than_fifteen(struct __sk_buff *skb) { return everybodys(1); }
SEC("tc") int a_program_with_a_name_longer_than_others(struct __sk_buff *skb) { return weak_one(own(1)); }
SEC("tc") int third(struct __sk_buff *skb) { int x = 100; return hidden_one(&x) + own(1000); }
SEC("?tc") int only_if_asked(struct __sk_buff *skb) { return own(40); }
"""
)


@pytest.mark.parametrize("cpu", ["v1", "v2", "v3", "v4"])
def test_functions(compile_c: Compile, cpu: str) -> None:
    if cpu == "v4" and "v4" not in subprocess.run(
        ["clang", "-target", "bpf", "-mcpu=help", "-xc", "-c", "/dev/null", "-o", "/dev/null"],
        capture_output=True, text=True, check=False,
    ).stderr:  # fmt: skip
        pytest.skip("this clang knows CPU versions up to 3")
    with load(compile_c(FUNCTIONS, f"-mcpu={cpu}")) as loaded:
        assert list(loaded.programs) == [
            "a_program_with_a_name_longer_than_fifteen", "a_program_with_a_name_longer_than_others", "third",
        ]  # fmt: skip
        results = [run(loaded, name) for name in loaded.programs]
        assert results == [30, 6, 100 + 30 + 1002]
        info = loaded.programs["third"].info()
        assert (info.name, info.nr_func_info) == ("third", 4)
        assert info.nr_line_info > 4
    with load(compile_c(FUNCTIONS, f"-mcpu={cpu}"), programs=["only_if_asked"]) as loaded:
        assert list(loaded.programs) == ["only_if_asked"]
        assert run(loaded, "only_if_asked") == 42


def test_a_call_of_a_program(compile_c: Compile) -> None:
    source = (
        HEAD
        + r"""
SEC("tc") __noinline int called(struct __sk_buff *skb) { volatile int x = 1; return x; }
SEC("tc") int caller(struct __sk_buff *skb) { return called(skb); }
"""
    )
    with pytest.raises(FormatError, match=r"caller calls called, which is a program of section 'tc'.*\n.*without SEC"):
        compile_c(source)


DATA = (
    HEAD
    + r"""
const volatile int limit SEC(".rodata.limits") = 5;
const volatile char plain[] = "plain";
int custom SEC(".data.custom") = 7;
char narrow SEC(".data.custom") = 1;
long apart SEC(".data.custom") __attribute__((aligned(64))) = 9;
int zeroes[4] SEC(".bss.more");
int ordinary = 11;
static volatile int own = 13, own_zero;
__hidden int hidden_one SEC(".data.hidden") = 17;

static __noinline int same(const char *a, const char *b, int size)
{
    for (int i = 0; i < size && i < 16; i++)
        if (a[i] != b[i])
            return 0;
    return 1;
}
SEC("tc") int sum(struct __sk_buff *skb)
{
    char text[] = "a literal of some length, copied";
    zeroes[2]++;
    own_zero++;
    custom += limit;
    return custom + narrow + apart + ordinary + own + hidden_one + zeroes[2] + own_zero
        + 1000 * same(text, "a literal of ", 13) + 2000 * same((const char *)plain, "plain", 6);
}
"""
)


def test_data(compile_c: Compile) -> None:
    spec = compile_c(DATA)
    assert {name for name in spec.data if not name.startswith(".rodata.")} == {
        ".rodata", ".data", ".bss", ".data.custom", ".data.hidden", ".bss.more",
    }  # fmt: skip
    assert any(name.startswith(".rodata.str") for name in spec.data)
    # Hidden and static variables are the object's own.
    assert set(spec.variables) == {"limit", "plain", "custom", "narrow", "apart", "zeroes", "ordinary"}
    assert (spec.variables["apart"].offset, spec.maps[".data.custom"].value_size) == (64, 72)
    with load(spec, variables={"limit": 6, "narrow": 2, "zeroes": (0, 0, 50, 0)}) as loaded:
        expected = 7 + 6 + 2 + 9 + 11 + 13 + 17 + 51 + 1
        assert run(loaded, "sum") == expected + 3000
        assert loaded.variables["custom"].get() == 13
        assert loaded.variables["zeroes"].get() == (0, 0, 51, 0)
        loaded.variables["apart"].set(10)
        assert run(loaded, "sum") == expected + 3000 + 1 + 6 + 1 + 1


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ("static const char *const names[] = {\"a\"};", "names in '.rodata' holds the address of '.rodata.str1.1'"),
        ("int target = 5; int *names[] = {&target, 0};", "names in '.data' holds the address of 'target'"),
        ("static __noinline int f(void) { return 1; } static int (*volatile names[])(void) = {f, f};",
         "names in '.data' holds the address of '.text'"),
    ],
)  # fmt: skip
def test_pointers_in_data(compile_c: Compile, declaration: str, message: str) -> None:
    use = "f" if "f(void)" in declaration else "names"
    source = (
        HEAD
        + declaration
        + "\nvolatile long where;\n"
        + f'SEC("tc") int use(void *ctx) {{ where = (long)names[where & 1]; return (long){use} != 1; }}\n'
    )
    with pytest.raises(FormatError) as refused:
        compile_c(source, "-Wno-all")
    assert message in str(refused.value)
    assert "switch for a table of functions" in str(refused.value)


def test_maps_of_old(compile_c: Compile) -> None:
    source = (
        HEAD
        + r"""
struct bpf_map_def { unsigned int type, key_size, value_size, max_entries, map_flags; };
struct bpf_map_def SEC("maps") old = { .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 1 };
"""
    )
    with pytest.raises(FormatError, match=r"which libbpf 1.0 has dropped too.*\n.*SEC\(\"\.maps\"\)"):
        compile_c(source, "-I.", "-Wno-all")


def test_a_section_that_nobody_knows(compile_c: Compile) -> None:
    spec = compile_c(HEAD + 'SEC("nosuch/hook") int f(void *ctx) { return 0; }')
    with pytest.raises(FormatError, match="no hook has the section name 'nosuch/hook'"):
        load(spec)


def test_without_a_license(compile_c: Compile) -> None:
    source = (
        HEAD.replace('char LICENSE[] SEC("license") = "GPL";', "")
        + r"""
__u32 _version SEC("version") = 0x50a00;
SEC("tc") int f(struct __sk_buff *skb)
{
    struct bpf_fib_lookup at = {};
    return bpf_fib_lookup(skb, &at, sizeof at, 0) != 0;
}
"""
    )
    spec = compile_c(source)
    assert spec.license == ""
    with pytest.raises(VerifierError, match="GPL"):
        load(spec)
    with load(compile_c(source.replace("bpf_fib_lookup(skb, &at, sizeof at, 0)", "skb->len + at.ifindex"))) as loaded:
        assert run(loaded, "f") == 1


def test_without_types(tmp_path: Path) -> None:
    source = (
        HEAD
        + r"""
static __noinline int twice(int x) { volatile int y = x; return 2 * y; }
int count = 5;
SEC("tc") int f(struct __sk_buff *skb) { return twice(count++); }
"""
    )
    (tmp_path / "plain.c").write_text(source)
    command = ["clang", "-target", "bpf", "-O2", "-I/usr/include/x86_64-linux-gnu", "-c", "plain.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    spec = read((tmp_path / "plain.o").read_bytes(), "plain")
    assert spec.btf == b""
    with load(spec) as loaded:
        assert run(loaded, "f") == 10
        assert loaded.variables["count"].get() == 6
        info = loaded.programs["f"].info()
        assert (info.btf_id, info.nr_func_info) == (0, 0)


MAPS = (
    HEAD
    + r"""
struct key { int a, b; };
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 9);
    __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE);
    __uint(numa_node, 0);
    __type(key, struct key);
    __type(value, long);
} typed SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(key_size, 4);
    __uint(value_size, 24);
    __uint(max_entries, 2);
} sized SEC(".maps");
struct one { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, int); };
struct one inside SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, 3);
    __uint(key_size, 4);
    __array(values, struct one);
} outer SEC(".maps") = { .values = { [2] = (void *)&inside } };
"""
)


def test_maps(compile_c: Compile) -> None:
    with load(compile_c(MAPS)) as loaded:
        infos = {name: loaded.maps[name].info for name in ("typed", "sized", "outer")}
        shown = {n: (i.type, i.key_size, i.value_size, i.max_entries, i.map_extra) for n, i in infos.items()}
        assert shown == {
            "typed": (1, 8, 8, 9, 0), "sized": (2, 4, 24, 2, 0), "outer": (12, 4, 4, 3, 0),
        }  # fmt: skip
        assert infos["typed"].map_flags == 1 | 4
        assert infos["typed"].btf_key_type_id and not infos["sized"].btf_key_type_id


def test_a_map_that_is_told_more(compile_c: Compile) -> None:
    spec = compile_c(
        HEAD
        + r"""
struct {
    __uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
    __uint(max_entries, 100);
    __uint(value_size, 8);
    __uint(map_extra, 3);
} bloom SEC(".maps");
"""
    )
    try:
        loaded = load(spec)
    except KernelError as error:
        if error.errno != errno.EINVAL:
            raise
        pytest.skip(f"this kernel has no bloom filters (Linux 5.16): {error}")
    with loaded:
        info = loaded.maps["bloom"].info
        assert (info.type, info.key_size, info.value_size, info.max_entries, info.map_extra) == (30, 0, 8, 100, 3)
