"""BTF as C against bpftool: the kernel's own types, and everything that clang can be made to write."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from beespace.btf import Btf, Kind
from beespace.btf.contained import parse
from beespace.btf.declarations import header

VMLINUX = Path("/sys/kernel/btf/vmlinux")
BPFTOOL = shutil.which("bpftool") or shutil.which("bpftool", path="/usr/sbin:/sbin")
CLANG = shutil.which("clang")

pytestmark = pytest.mark.skipif(BPFTOOL is None, reason="bpftool is not installed")

SHAPES = r"""
typedef _Bool bool; typedef unsigned char u8; typedef unsigned short u16;
typedef unsigned u32; typedef unsigned long u64;
enum small { SMALL_A, SMALL_B } __attribute__((packed));
enum wide { WIDE = 0x100000000ULL, WIDER = 0xFFFFFFFFFFFFFFFFULL };
enum negative { MINUS = -1, PLUS = 1 };
enum minus64 { FAR = -0x100000000LL };
struct later; union either; enum only_named;
typedef struct later later_t;
struct packed { u8 a; u64 b; } __attribute__((packed));
struct packed_inside { u8 a; struct packed p; u32 c; } __attribute__((packed));
struct aligned { u32 a; } __attribute__((aligned(64)));
struct member_aligned { u8 a; u8 b __attribute__((aligned(32))); u16 c; };
struct bits { u32 a : 1; u32 : 3; u32 b : 7; int : 0; u64 c : 33; u8 d; bool e : 1; enum negative f : 2; u16 g; };
struct more_bits { u8 x; u32 a : 5, b : 20; u16 y; u64 z : 3; } __attribute__((packed));
struct anonymous { union { struct { u8 a, b; }; u16 ab; }; struct { int x; } named; enum { IN_A, IN_B } inside;
    struct { struct packed deep; } *to_anonymous; };
struct functions { int (*plain)(void); void (*many)(const char *, ...); int (*(*nested)(int (*)(u8 *), u16))(long);
    void *(*table[4])(struct later *, union either *); int (*(*array_of)[3])(void); };
struct arrays { u8 grid[2][3][4]; struct packed row[2]; char *names[3]; const char *const words[2];
    u8 none[0]; u32 rest[]; };
struct qualified { const volatile int a; int *restrict b; const u8 *volatile const c; volatile struct later *d; };
struct ring { struct ring *next; struct other_ring *other; };
struct other_ring { struct ring *back; struct ring held; };
typedef int (*callback)(struct with_callback *);
struct with_callback { callback call; struct with_callback *parent; };
typedef struct { int a; } unnamed_t;
typedef unnamed_t many_t[3];
union either { struct { u64 a; u8 b; } __attribute__((packed)) s; u8 raw[9]; double real; float single; };
struct holder { many_t m; union either e; unnamed_t *p; __int128 wide; };
struct empty {}; struct holds_empty { struct empty e; u32 a; };
struct pad_end { u64 a; u8 b; u8 c[0] __attribute__((aligned(8))); };
#define USE(name, type) type *use_##name;
USE(a, enum small) USE(b, enum wide) USE(c, enum negative) USE(d, enum minus64) USE(e, later_t) USE(g, struct packed)
USE(h, struct packed_inside) USE(i, struct aligned) USE(j, struct member_aligned) USE(k, struct bits)
USE(l, struct more_bits) USE(m, struct anonymous) USE(n, struct functions) USE(o, struct arrays)
USE(p, struct qualified)
USE(q, struct ring) USE(r, struct with_callback) USE(s, struct holder) USE(t, struct holds_empty) USE(u, struct pad_end)
USE(v, struct other_ring)
"""


def bpftool(path: Path) -> str:
    asked = [str(BPFTOOL), "btf", "dump", "file", str(path), "format", "c"]
    done = subprocess.run([*asked, "unsorted"], capture_output=True, text=True)
    if done.returncode:  # before 7.5 it knew no order but this
        done = subprocess.run(asked, capture_output=True, text=True, check=True)
    return done.stdout


def body(text: str) -> str:
    """The types alone, and without what only newer ones write: prototypes, and attributes of enumerations."""
    start = text.index("apply_to = record)\n#endif\n") + len("apply_to = record)\n#endif\n")
    macros = re.search(r"#ifndef __ksym\n.*?#endif\n#endif\n", text, re.DOTALL)
    start = macros.end() if macros else start
    end = text.index("#ifndef BPF_NO_PRESERVE_ACCESS_INDEX\n#pragma clang attribute pop")
    kfuncs = text.find("/* BPF kfuncs */")
    return text[start : end if kfuncs < 0 else kfuncs].strip()


def same(ours: str, theirs: str) -> None:
    ours, theirs = body(ours), body(theirs)
    if "__attribute__((mode(" not in theirs:
        ours = re.sub(r" __attribute__\(\(mode\((?:byte|word)\)\)\)", "", ours)
    for number, (mine, wanted) in enumerate(zip(ours.splitlines(), theirs.splitlines(), strict=False)):
        assert mine == wanted, f"line {number}"
    assert ours == theirs


@pytest.mark.skipif(not VMLINUX.exists(), reason="this kernel exports no BTF")
def test_the_kernel_as_c() -> None:
    same(header(Btf(VMLINUX.read_bytes())), bpftool(VMLINUX))


@pytest.mark.skipif(CLANG is None, reason="clang is not installed")
def test_every_shape_of_clang(tmp_path: Path) -> None:
    source, made = tmp_path / "shapes.c", tmp_path / "shapes.o"
    source.write_text(SHAPES)
    subprocess.run([str(CLANG), "-target", "bpf", "-g", "-O2", "-c", str(source), "-o", str(made)], check=True)
    types = parse(made.read_bytes())
    text = header(types)
    same(text, bpftool(made))

    # And it means the same: compiled again, every type has its size and its members their places.
    again_source, again_made = tmp_path / "again.c", tmp_path / "again.o"
    names = [types.name(i) for i in types.ids(Kind.STRUCT) if types.name(i)]
    again_source.write_text(text + "".join(f"struct {name} *use_{name};\n" for name in names))
    subprocess.run([str(CLANG), "-target", "bpf", "-g", "-c", str(again_source), "-o", str(again_made)], check=True)
    again = parse(again_made.read_bytes())
    for name in names:
        first, second = types.find(name, Kind.STRUCT), again.find(name, Kind.STRUCT)
        assert types.size(first) == again.size(second), name
        assert places(types, first) == places(again, second), name


def places(btf: Btf, struct_id: int) -> list[tuple[str, int, int]]:
    struct = btf.type(struct_id)
    return [(m.name, m.bit_offset, m.bitfield_size) for m in struct.members]  # type: ignore[union-attr]
