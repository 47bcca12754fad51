"""Relocated code against code that clang compiled for this very kernel.

The same C is compiled twice: against a few members of the kernel's structs declared by hand, in another order
and with other sizes, and then relocated; and against the kernel's own types as bpftool prints them.
The instructions must come out the same.  (Where a bitfield's load begins and how wide it is may differ between
compilers; that its bits are found is in tests/unit/test_reloc.py.)
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from beespace.btf import Btf, Kind, subset
from beespace.elf import read
from beespace.isa import disassemble
from beespace.reloc import Report, relocate
from beespace.spec import ObjectSpec

VMLINUX = Path("/sys/kernel/btf/vmlinux")
BPFTOOL = shutil.which("bpftool") or shutil.which("bpftool", path="/usr/sbin:/sbin")

pytestmark = [
    pytest.mark.skipif(not VMLINUX.exists(), reason="this kernel exports no BTF"),
    pytest.mark.skipif(BPFTOOL is None, reason="bpftool is not installed"),
    pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed"),
]

LOCAL = """
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long long u64;
typedef int pid_t; typedef u16 __be16; typedef u32 __be32;
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
struct file;
struct qstr { const unsigned char *name; u32 len; };
struct dentry { struct qstr d_name; struct dentry *d_parent; };
struct path { struct dentry *dentry; };
struct file___mine { struct path f_path; };
struct mm_struct { struct file___mine *exe_file; };
struct task_struct___mine {
    char comm[16]; struct task_struct___mine *real_parent; pid_t tgid; u64 start_boottime; struct mm_struct *mm;
    unsigned sched_reset_on_fork : 1; unsigned in_execve : 1;
};
struct sock_common { __be16 skc_dport; u16 skc_family; __be32 skc_daddr; };
struct sock { struct sock_common __sk_common; u16 sk_protocol; int sk_rcvbuf; u8 sk_userlocks : 4; };
struct sk_buff { u32 len; u16 transport_header; u8 *head; u8 pkt_type : 3; };
#pragma clang attribute pop
#define task_struct task_struct___mine
enum bpf_map_type { BPF_MAP_TYPE_ARRAY = 70, BPF_MAP_TYPE_RINGBUF = 71 };
enum bpf_cmd { BPF_PROG_LOAD };
"""

PROGRAMS = """
#define SEC(name) __attribute__((section(name), used))
#define SIZE(field) __builtin_preserve_field_info(field, 1)
#define SIGNED(field) __builtin_preserve_field_info(field, 3)
#define RIGHT(field) __builtin_preserve_field_info(field, 5)
#define VALUE(type, name) __builtin_preserve_enum_value(*(type *)name, 1)

SEC("raw_tp/parent") u64 parent(struct task_struct *t) { return t->real_parent->real_parent->tgid; }
SEC("raw_tp/start") u64 start(struct task_struct *t) { return t->start_boottime; }
SEC("raw_tp/letter") u64 letter(struct task_struct *t) { return t->comm[5] + t->comm[15]; }
SEC("raw_tp/element") u64 element(struct task_struct *t) { return t[2].tgid; }
SEC("raw_tp/store") u64 store(struct task_struct *t) { t->start_boottime = 7; t->tgid = (int)t->start_boottime;
    return 0; }
SEC("raw_tp/address") u64 address(struct task_struct *t) { return (u64)&t->comm + (u64)&t->mm; }
SEC("raw_tp/family") u64 family(struct sock *sk) { return sk->__sk_common.skc_family; }
SEC("raw_tp/ports") u64 ports(struct sock *sk) { return sk->__sk_common.skc_dport + sk->__sk_common.skc_daddr; }
SEC("raw_tp/protocol") u64 protocol(struct sock *sk) { return sk->sk_protocol + sk->sk_rcvbuf; }
SEC("raw_tp/header") u64 header(struct sk_buff *skb) { return (u64)(skb->head + skb->transport_header) + skb->len; }
SEC("raw_tp/sizes") u64 sizes(struct task_struct *t, struct sock *sk) {
    return SIZE(t->comm) * 3 + SIZE(sk->__sk_common) * 5 + SIZE(t->real_parent) * 7; }
SEC("raw_tp/signs") u64 signs(struct task_struct *t) { return SIGNED(t->tgid) * 3 + SIGNED(t->start_boottime) * 5; }
SEC("raw_tp/bits") u64 bits(struct task_struct *t, struct sk_buff *skb) {
    return RIGHT(skb->pkt_type) * 3 + SIGNED(skb->pkt_type) * 5 + RIGHT(t->sched_reset_on_fork) * 7; }
SEC("raw_tp/enums") u64 enums(void) {
    return VALUE(enum bpf_map_type, BPF_MAP_TYPE_RINGBUF) * 3 + VALUE(enum bpf_cmd, BPF_PROG_LOAD) * 5;
}
SEC("raw_tp/type_size") u64 type_size(void) {
    return __builtin_preserve_type_info(*(struct sock *)0, 1) * 3 +
           __builtin_preserve_type_info(*(struct task_struct *)0, 1);
}
SEC("raw_tp/name") u64 name(struct task_struct *t) {
    return t->mm->exe_file->f_path.dentry->d_parent->d_name.name[3];
}
char _license[] SEC("license") = "GPL";
"""

ABSENT = """
typedef unsigned long long u64;
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
struct task_struct { int tgid; int beespace_has_no_such_member; };
struct beespace_has_no_such_struct { int x; };
#pragma clang attribute pop
enum bpf_map_type { BPF_MAP_TYPE_HASH, BEESPACE_HAS_NO_SUCH_ENUMERATOR };
#define SEC(name) __attribute__((section(name), used))

SEC("raw_tp/field") int field(struct task_struct *t) { return t->beespace_has_no_such_member; }
SEC("raw_tp/structure") int structure(struct beespace_has_no_such_struct *s) { return s->x; }
SEC("raw_tp/exists") int exists(struct task_struct *t) {
    return __builtin_preserve_field_info(t->tgid, 2) * 2 +
           __builtin_preserve_field_info(t->beespace_has_no_such_member, 2) * 4 +
           __builtin_preserve_type_info(*(struct task_struct *)0, 0) * 8 +
           __builtin_preserve_type_info(*(struct beespace_has_no_such_struct *)0, 0) * 16 +
           __builtin_preserve_type_info(*(struct beespace_has_no_such_struct *)0, 1) * 32; }
SEC("raw_tp/enumerator") u64 enumerator(void) {
    return __builtin_preserve_enum_value(*(enum bpf_map_type *)BEESPACE_HAS_NO_SUCH_ENUMERATOR, 0) * 2 +
           __builtin_preserve_enum_value(*(enum bpf_map_type *)BEESPACE_HAS_NO_SUCH_ENUMERATOR, 1) * 4 +
           __builtin_preserve_enum_value(*(enum bpf_map_type *)BPF_MAP_TYPE_HASH, 0) * 8; }
char _license[] SEC("license") = "GPL";
"""


def compile_c(folder: Path, name: str, text: str) -> ObjectSpec:
    (folder / f"{name}.c").write_text(text)
    command = ["clang", "-target", "bpf", "-g", "-O2", "-w", "-mcpu=v3", "-c", f"{name}.c", "-o", f"{name}.o"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return read((folder / f"{name}.o").read_bytes(), name)


@dataclass(frozen=True)
class Both:
    local: ObjectSpec
    relocated: ObjectSpec
    report: Report
    kernels: ObjectSpec
    vmlinux: Btf


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("core")
    types = subprocess.run([str(BPFTOOL), "btf", "dump", "file", str(VMLINUX), "format", "c"], capture_output=True)
    (folder / "vmlinux.h").write_bytes(types.stdout)
    # This object has CO-RE records too, so the code has the same shape, but its numbers are clang's own.
    kernels = compile_c(folder, "kernels", '#include "vmlinux.h"\n' + PROGRAMS)
    local = compile_c(folder, "local", LOCAL + PROGRAMS)
    vmlinux = Btf(VMLINUX.read_bytes())
    relocated, report = relocate(local, Btf(local.btf), [vmlinux])
    return Both(local, relocated, report, kernels, vmlinux)


NAMES = [line.split('"')[1].split("/")[1] for line in PROGRAMS.splitlines() if line.startswith('SEC("raw_tp/')]


@pytest.mark.parametrize("name", NAMES)
def test_relocated_code_is_what_clang_makes_for_this_kernel(both: Both, name: str) -> None:
    ours = disassemble(both.relocated.programs[name].entry.code)
    assert ours == disassemble(both.kernels.programs[name].entry.code)


def test_the_local_types_are_not_the_kernels(both: Both) -> None:
    """So the test above compares something."""
    changed = [n for n in NAMES if both.local.programs[n].entry.code != both.relocated.programs[n].entry.code]
    assert len(changed) >= len(NAMES) - 3
    assert not both.report.missing
    assert len(both.report.relocations) > 30
    assert all(r.source for r in both.report.relocations)


def test_a_subset_of_the_kernels_types_is_as_good_as_all(both: Both) -> None:
    small = subset(
        both.vmlinux,
        {
            "task_struct": {"comm", "real_parent", "tgid", "start_boottime", "mm", "sched_reset_on_fork"},
            "mm_struct": {"exe_file"},
            "file": {"f_path"},
            "dentry": {"d_parent", "d_name"},
            "path": None,
            "sock": {"__sk_common", "sk_protocol", "sk_rcvbuf", "sk_userlocks"},
            "sk_buff": {"len", "transport_header", "head", "pkt_type"},
            "bpf_map_type": {"BPF_MAP_TYPE_RINGBUF"},
            "bpf_cmd": {"BPF_PROG_LOAD"},
        },
    )
    assert len(small) < 20_000
    again, report = relocate(both.local, Btf(both.local.btf), [Btf(small)])
    assert not report.missing
    for name in NAMES:
        assert again.programs[name].entry.code == both.relocated.programs[name].entry.code


def test_an_object_relocated_to_its_own_types_is_unchanged(both: Both) -> None:
    local = Btf(both.local.btf)
    again, report = relocate(both.local, local, [local])
    assert not report.missing
    for name in NAMES:
        assert again.programs[name].entry.code == both.local.programs[name].entry.code


def test_what_the_kernel_lacks(both: Both, tmp_path: Path) -> None:
    absent = compile_c(tmp_path, "absent", ABSENT)
    relocated, report = relocate(absent, Btf(absent.btf), [both.vmlinux])
    missing = {r.function: str(r) for r in report.missing}
    assert "field beespace_has_no_such_member of struct task_struct (struct task_struct has no" in missing["field"]
    assert missing["structure"].endswith("(there is no struct beespace_has_no_such_struct)")
    assert "enumerator BEESPACE_HAS_NO_SUCH_ENUMERATOR of enum bpf_map_type" in missing["enumerator"]
    assert "exists" not in missing
    field = disassemble(relocated.programs["field"].entry.code)
    assert field[0].endswith("call unknown#195896080")
    for r in report.missing:
        assert r.source.startswith("absent.c:") or "/absent.c:" in r.source
    answers = {r.what: r.value for r in report.relocations if r.function == "exists" and r.kind.name.endswith("EXISTS")}
    assert answers == {
        "field tgid of struct task_struct": 1,
        "field beespace_has_no_such_member of struct task_struct": 0,
        "type struct task_struct": 1,
        "type struct beespace_has_no_such_struct": 0,
    }
    assert both.vmlinux.find("task_struct", Kind.STRUCT)
