"""What objects ask of the running kernel: its configuration, its symbols, with and without their types."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from beespace.errors import FormatError, KernelError, NotPermitted, NotSupported, RelocationError, UsageError
from beespace.isa import MapType
from beespace.isa.constants import MapFlag
from beespace.kernel import kconfig, load
from beespace.kernel.kallsyms import addresses
from beespace.kernel.kernel_types import kernel_types
from beespace.spec import ObjectSpec
from beespace.syscall import bpf

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[..., ObjectSpec]

HEAD = r"""
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
volatile __s64 out[16];
"""
PACKET = bytes(64)


def run(spec: ObjectSpec, **options: object) -> tuple[int, ...]:
    """What the one program left in ``out``."""
    with load(spec, **options) as loaded:  # type: ignore[arg-type]
        (program,) = loaded.programs.values()
        program.test_run(data_in=PACKET)
        value = loaded.variables["out"].get()
        assert isinstance(value, tuple)
        return value


OPTIONS = (
    HEAD
    + r"""
extern bool CONFIG_A_BOOL __kconfig;
extern bool CONFIG_UNSET __kconfig __weak;
extern enum libbpf_tristate CONFIG_A_TRISTATE __kconfig, CONFIG_A_MODULE __kconfig;
extern char CONFIG_A_CHAR __kconfig;
extern char CONFIG_A_TEXT[4] __kconfig;
extern short CONFIG_A_NUMBER __kconfig;
extern int CONFIG_NEGATIVE __kconfig;
extern unsigned long CONFIG_HEX __kconfig;
SEC("cgroup_skb/egress") int ask(struct __sk_buff *skb)
{
    out[0] = CONFIG_A_BOOL; out[1] = CONFIG_UNSET; out[2] = CONFIG_A_TRISTATE; out[3] = CONFIG_A_MODULE;
    out[4] = CONFIG_A_CHAR; out[5] = *(int *)CONFIG_A_TEXT; out[6] = CONFIG_A_NUMBER; out[7] = CONFIG_NEGATIVE;
    out[8] = CONFIG_HEX;
    return 1;
}
"""
)
CONFIGURATION = """#
# Linux
CONFIG_A_BOOL=y
CONFIG_A_TRISTATE=y
CONFIG_A_MODULE=m
CONFIG_A_CHAR=m
CONFIG_A_TEXT="longer than that"
CONFIG_A_NUMBER=-300
CONFIG_NEGATIVE=-1
CONFIG_HEX=0xdead000000000000
# CONFIG_UNSET is not set
"""


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes the kernel's configuration say something else."""

    def write(text: str) -> Path:
        path = tmp_path / "config.gz"
        path.write_bytes(gzip.compress(text.encode()))
        monkeypatch.setattr(kconfig, "configuration_paths", lambda: (str(tmp_path / "nowhere"), str(path)))
        kconfig._read.cache_clear()
        return path

    return write


@pytest.fixture(autouse=True)
def forget() -> object:
    yield
    kconfig._read.cache_clear()


def test_options_of_every_type(compile_c: Compile, configuration: Callable[[str], Path]) -> None:
    configuration(CONFIGURATION)
    text = int.from_bytes(b"lon\0", sys.byteorder)
    hexadecimal = 0xDEAD000000000000 - (1 << 64)
    assert run(compile_c(OPTIONS))[:9] == (1, 0, 1, 2, ord("m"), text, -300, -1, hexadecimal)


def test_options_that_the_caller_gives(compile_c: Compile, configuration: Callable[[str], Path]) -> None:
    configuration(CONFIGURATION.replace("CONFIG_A_NUMBER=-300", "CONFIG_A_NUMBER=nonsense"))
    given = {"CONFIG_A_NUMBER": 5, "CONFIG_UNSET": 1}
    assert run(compile_c(OPTIONS), variables=given)[1:7:5] == (1, 5)
    with pytest.raises(UsageError, match="CONFIG_A_NUMBER"):
        load(compile_c(OPTIONS), variables={"CONFIG_A_NUMBER": 1 << 16})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("CONFIG_A_BOOL=y", "CONFIG_A_BOOL=m", "CONFIG_A_BOOL is m in this kernel.* neither true nor false"),
        ("CONFIG_A_BOOL=y", "CONFIG_A_BOOL=1", "CONFIG_A_BOOL is 1 in this kernel.* as an integer"),
        ("CONFIG_A_TRISTATE=y", "CONFIG_A_TRISTATE=7", "CONFIG_A_TRISTATE is 7"),
        ("CONFIG_A_NUMBER=-300", "CONFIG_A_NUMBER=32768", "CONFIG_A_NUMBER is 32768.* holds -32768 to 32767"),
        ("CONFIG_A_NUMBER=-300", "CONFIG_A_NUMBER=y", "CONFIG_A_NUMBER is y.* declare it bool"),
        ("CONFIG_A_NUMBER=-300", 'CONFIG_A_NUMBER="5"', "a string does not fit"),
        ("CONFIG_A_NUMBER=-300", "CONFIG_A_NUMBER=5x", "it is no number"),
        ("CONFIG_HEX=0x", "CONFIG_HEX=-0x", "holds 0 to 18446744073709551615"),
        ("CONFIG_A_TEXT=", "CONFIG_A_TEXT=5 #", "is for strings"),
        ("CONFIG_A_CHAR=m", "CONFIG_A_CHAR=300", "holds -128 to 127"),
    ],
)
def test_options_that_do_not_fit(
    compile_c: Compile, configuration: Callable[[str], Path], old: str, new: str, message: str
) -> None:
    configuration(CONFIGURATION.replace(old, new))
    with pytest.raises(RelocationError, match=message):
        load(compile_c(OPTIONS))


def test_an_option_that_is_missing(
    compile_c: Compile, configuration: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configuration(CONFIGURATION.replace("CONFIG_HEX=", "CONFIG_HEXA="))
    with pytest.raises(RelocationError, match=f"CONFIG_HEX is not set in this kernel .{path}") as refused:
        load(compile_c(OPTIONS))
    assert "variables={'CONFIG_HEX': ...}" in str(refused.value)
    monkeypatch.setattr(kconfig, "configuration_paths", lambda: ("/nowhere/config",))
    with pytest.raises(RelocationError, match=r"configuration was not found.*\n.*looked for /nowhere/config"):
        load(compile_c(OPTIONS))


FACTS = (
    HEAD
    + r"""
extern int LINUX_KERNEL_VERSION __kconfig;
extern bool LINUX_HAS_BPF_COOKIE __kconfig, LINUX_HAS_SYSCALL_WRAPPER __kconfig;
extern bool LINUX_HAS_BEES __kconfig __weak;
SEC("cgroup_skb/egress") int ask(struct __sk_buff *skb)
{
    out[0] = LINUX_KERNEL_VERSION; out[1] = LINUX_HAS_BPF_COOKIE; out[2] = LINUX_HAS_SYSCALL_WRAPPER;
    out[3] = LINUX_HAS_BEES;
    return 1;
}
"""
)


def test_facts(compile_c: Compile) -> None:
    version, cookie, wrapper, bees = run(compile_c(FACTS))[:4]
    release = [int(number) for number in os.uname().release.partition("-")[0].split(".")[:2]]
    assert (version >> 16, version >> 8 & 0xFF) == tuple(release)
    assert cookie == (version >= 0x050F00)  # 5.15
    listed = Path("/proc/kallsyms").read_text()
    assert wrapper == any(f" {prefix}_sys_bpf\n" in listed for prefix in ("__x64", "__arm64"))
    assert bees == 0


def test_a_fact_that_nobody_knows(compile_c: Compile) -> None:
    with pytest.raises(RelocationError, match="nothing is known of LINUX_HAS_BEES"):
        load(compile_c(FACTS.replace("LINUX_HAS_BEES __kconfig __weak", "LINUX_HAS_BEES __kconfig")))


@pytest.mark.parametrize(
    ("release", "version", "expected"),
    [
        ("6.18.44-fc-v657", "#1 SMP PREEMPT_DYNAMIC @0", (6, 18, 44)),
        ("6.1.0-18-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)", (6, 1, 76)),
        ("5.10.300", "#1", (5, 10, 255)),
        ("6.12-rc1+", "#1", (6, 12, 0)),
    ],
)
def test_versions(monkeypatch: pytest.MonkeyPatch, release: str, version: str, expected: tuple[int, ...]) -> None:
    here = os.uname()
    named = os.uname_result((here.sysname, here.nodename, release, version, here.machine))
    monkeypatch.setattr(os, "uname", lambda: named)
    monkeypatch.setattr(kconfig, "_SIGNATURE", Path("/nowhere"))
    assert kconfig.linux_version() == expected[0] << 16 | expected[1] << 8 | expected[2]


def test_ubuntu_keeps_the_third_number_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "signature").write_text("Ubuntu 5.4.0-12.15-generic 5.4.8\n")
    monkeypatch.setattr(kconfig, "_SIGNATURE", tmp_path / "signature")
    assert kconfig.linux_version() == 0x050408


SYMBOLS = (
    HEAD
    + r"""
extern const void init_net_of_nobody __ksym __weak;
extern const void _stext __ksym;
extern const void tcp_v4_connect __ksym;
SEC("cgroup_skb/egress") int ask(struct __sk_buff *skb)
{
    out[0] = (long)&_stext; out[1] = (long)&tcp_v4_connect; out[2] = (long)&init_net_of_nobody;
    return 1;
}
"""
)


def test_addresses(compile_c: Compile) -> None:
    known = addresses(["_stext", "tcp_v4_connect"])
    got = run(compile_c(SYMBOLS))
    assert [address % (1 << 64) for address in got[:2]] == [known["_stext"], known["tcp_v4_connect"]]
    assert got[2] == 0


def test_an_address_that_is_missing(compile_c: Compile) -> None:
    with pytest.raises(RelocationError, match="no symbol 'init_net_of_nobody'"):
        load(compile_c(SYMBOLS.replace(" __ksym __weak", " __ksym")))


def test_hidden_addresses(compile_c: Compile) -> None:
    setting = Path("/proc/sys/kernel/kptr_restrict")
    before = setting.read_text()
    setting.write_text("2")
    try:
        with pytest.raises(NotPermitted, match="kptr_restrict"):
            load(compile_c(SYMBOLS))
    finally:
        setting.write_text(before)


FUNCTIONS = (
    HEAD
    + r"""
struct task_struct { int pid; };
struct cgroup;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern struct task_struct *bpf_task_from_pid___too_many(int pid, long more) __ksym __weak;
extern struct task_struct *bpf_task_from_pid___as_it_is(int pid) __ksym __weak;
const volatile int pid;
SEC("tp_btf/task_newtask") int ask(__u64 *ctx)
{
    out[0] = &bpf_task_from_pid___too_many != 0;
    out[1] = &bpf_task_from_pid___as_it_is != 0;
    struct task_struct *task = 0;
    if (&bpf_task_from_pid___too_many)
        task = bpf_task_from_pid___too_many(pid, 2);
    else if (&bpf_task_from_pid___as_it_is)
        task = bpf_task_from_pid___as_it_is(pid);
    if (!task)
        return 0;
    out[2] = 1;
    bpf_task_release(task);
    return 0;
}
"""
)


@pytest.fixture
def kernel_has_functions() -> None:
    from beespace.btf import Kind

    with kernel_types() as kernel:
        if kernel.find("bpf_task_from_pid", Kind.FUNC) is None:
            pytest.skip("this kernel has no bpf_task_from_pid() (Linux 6.2)")


@pytest.mark.usefixtures("kernel_has_functions")
def test_functions_declared_in_several_ways(compile_c: Compile) -> None:
    with load(compile_c(FUNCTIONS), variables={"pid": os.getpid()}) as loaded, loaded.programs["ask"].attach():
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        value = loaded.variables["out"].get()
    assert value[:3] == (0, 1, 1)


@pytest.mark.usefixtures("kernel_has_functions")
def test_a_function_of_another_type(compile_c: Compile) -> None:
    source = FUNCTIONS.replace("bpf_task_from_pid___too_many(int pid, long more) __ksym __weak",
                               "bpf_task_from_pid___too_many(int pid, long more) __ksym")  # fmt: skip
    with pytest.raises(RelocationError, match=r"declared as struct task_struct \* \(int, long\); in this kernel it is"):
        load(compile_c(source))


ARENA = (
    HEAD
    + r"""
#define __arena __attribute__((address_space(1)))
struct {
    __uint(type, 33); /* BPF_MAP_TYPE_ARENA */
    __uint(map_flags, 1 << 10);
    __uint(max_entries, 16);
} arena SEC(".maps");
int __arena counter = 5;
int __arena steps = 1;
SEC("syscall") int bump(void *ctx)
{
    counter += steps;
    return counter;
}
"""
)


@pytest.fixture
def newest_clang(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Compiles with a clang that knows address spaces (19), if one is installed."""
    found = [path for number in range(30, 18, -1) if (path := shutil.which(f"clang-{number}"))]
    if not found:
        pytest.skip("no clang of version 19 or newer is installed")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "clang").symlink_to(found[0])
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")


@pytest.mark.usefixtures("newest_clang")
def test_variables_in_an_arena(compile_c: Compile) -> None:
    spec = compile_c(ARENA, "-mcpu=v3")
    assert spec.data["arena"][:8] in (
        b"".join(number.to_bytes(4, sys.byteorder) for number in pair) for pair in ((5, 1), (1, 5))
    )
    try:
        bpf.map_create(MapType.ARENA, 0, 0, 1, map_flags=MapFlag.MMAPABLE).close()
    except KernelError as error:
        pytest.skip(f"this kernel has no arenas (Linux 6.9): {error}")
    with load(spec, variables={"steps": 37}) as loaded:
        assert loaded.programs["bump"].test_run().retval == 42
        assert loaded.variables["counter"].get() == 42
        loaded.variables["steps"].set(-40)
        assert loaded.programs["bump"].test_run().retval == 2
    with pytest.raises(UsageError, match="arena 'arena' has 0 bytes, and variables of 8"):
        load(replace(spec, maps={**spec.maps, "arena": replace(spec.maps["arena"], max_entries=0)}))


def test_an_object_of_the_other_byte_order(compile_c: Compile) -> None:
    other = "bpfeb" if sys.byteorder == "little" else "bpfel"
    spec = compile_c(FACTS, "-target", other)
    assert spec.byteorder != sys.byteorder
    with pytest.raises(FormatError, match=f"this machine is {sys.byteorder}-endian"):
        load(spec)


SWITCH = (
    HEAD
    + r"""
static __noinline int pick(int x, volatile long *p)
{
    switch (x) {
"""
    + "\n".join(f"    case {n}: {f'*p = {n}; ' if n % 3 else ''}return *p * {n * n + 7};" for n in range(20))
    + r"""
    default: return -1;
    }
}
volatile int which;
SEC("tc") int first(struct __sk_buff *skb) { long p = 2; return pick(which, &p); }
SEC("tc") int second(struct __sk_buff *skb) { long p = skb->len; return pick(which, &p) + 1; }
"""
)


@pytest.mark.usefixtures("newest_clang")
def test_a_switch_of_many_cases(compile_c: Compile) -> None:
    spec = compile_c(SWITCH, "-mcpu=v4")
    (table,) = spec.subprograms["pick"].jump_tables or (None,)
    if table is None:
        pytest.skip("this clang makes no tables of jump targets (22)")
    assert len(table.targets) == 20
    try:
        loaded = load(spec)
    except NotSupported as error:
        assert "-mcpu=v3" in str(error)
        pytest.skip(str(error))
    with loaded:
        for number in (0, 1, 9, 19, 20):
            loaded.variables["which"].set(number)
            p = 2 if number % 3 == 0 else number
            expected = p * (number * number + 7) if number < 20 else -1
            assert loaded.programs["first"].test_run(data_in=PACKET).retval == expected % (1 << 32)
