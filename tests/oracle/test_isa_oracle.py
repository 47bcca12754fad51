"""The instruction tables against LLVM, the numbers against this kernel's BTF."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from beespace.btf import Btf, Enum, Kind
from beespace.isa import Insn, constants, disassemble, encode
from beespace.isa.helpers import HELPERS
from beespace.isa.opcodes import LD_IMM64

VMLINUX = Path("/sys/kernel/btf/vmlinux")
LLVM_MC = shutil.which("llvm-mc")

ALU = [0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xA0, 0xB0, 0xC0]  # LLVM 14 does not read MOD
JUMPS = [0x10, 0x20, 0x30, 0x50, 0x60, 0x70, 0xA0, 0xB0, 0xC0, 0xD0]


def every_instruction() -> list[Insn]:
    """One of each opcode that LLVM 14 knows."""
    out = [Insn(op | cls, 1, 0, 0, 7) for op in ALU for cls in (0x04, 0x07)]
    out += [Insn(op | cls | 0x08, 1, 2) for op in ALU for cls in (0x04, 0x07)]
    out += [Insn(0x84, 3), Insn(0x87, 3)]
    out += [Insn(opcode, 4, 0, 0, bits) for opcode in (0xD4, 0xDC) for bits in (16, 32, 64)]
    out += [Insn(size | 0x61, 1, 2, off) for size in (0x00, 0x08, 0x10, 0x18) for off in (-8, 24)]
    out += [Insn(size | 0x63, 1, 2, off) for size in (0x00, 0x08, 0x10, 0x18) for off in (-8, 24)]
    out += [Insn(size | 0x20, 0, 0, 0, 12) for size in (0x00, 0x08, 0x10)]
    out += [Insn(op | cls, 1, 0, 5, 9) for op in JUMPS for cls in (0x05, 0x06)]
    out += [Insn(op | cls | 0x08, 1, 2, -3) for op in JUMPS for cls in (0x05, 0x06)]
    out += [Insn(0x05, 0, 0, 11), Insn(0x85, 0, 0, 0, 14), Insn(0x95)]
    out += [Insn(size, 1, 2, 8, op) for size in (0xC3, 0xDB) for op in (0x00, 0x40, 0x50, 0xA0)]
    out += [Insn(size, 1, 2, 8, op) for size in (0xC3, 0xDB) for op in (0x01, 0x41, 0x51, 0xA1, 0xE1, 0xF1)]
    return out


def llvm_texts(insns: list[Insn]) -> list[str]:
    """What LLVM makes of the bytes."""
    lines = [" ".join(f"0x{byte:02x}" for byte in encode([insn])) for insn in insns]
    done = subprocess.run(
        [str(LLVM_MC), "-triple=bpfel", "-mcpu=v3", "-mattr=+alu32", "--disassemble"],
        input="\n".join(lines), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not done.stderr
    return [line.strip() for line in done.stdout.splitlines() if line.strip() != ".text"]


def as_llvm(text: str) -> str:
    """Our text in LLVM's spelling."""
    text = re.sub(r"^ *\d+: \([0-9a-f]{2}\) ", "", text)
    text = re.sub(r"goto pc([+-]\d+)", r"goto \1", text)
    text = re.sub(r"0x([0-9a-f]+)", lambda found: str(int(found[1], 16)), text)
    text = re.sub(r"\((r\d+) ([+-])(\d+)\)", r"(\1 \2 \3)", text)
    text = re.sub(r"call \w+#(\d+)", r"call \1", text)
    text = re.sub(r"atomic64", "atomic", text)
    text = re.sub(r"(atomic_(?:cmp)?xchg)\(\(u(..) \*\)\((.*?)\),", r"\1_\2(\3,", text)
    return text.replace("atomic_xchg", "xchg").replace("atomic_cmpxchg", "cmpxchg")


def alike(text: str) -> str:
    """LLVM names the 32-bit registers of narrow loads, stores and atomics, the kernel does not."""
    text = text.replace("xchg32_32", "xchg_32")
    return re.sub(r"\bw(\d+)", r"r\1", text) if re.search(r"\(u\d+ \*\)|xchg", text) else text


@pytest.mark.skipif(LLVM_MC is None, reason="llvm-mc is not installed")
def test_llvm_reads_every_instruction_the_same_way() -> None:
    insns = every_instruction()
    ours = [alike(as_llvm(disassemble(encode([insn]))[0])) for insn in insns]
    assert ours == [alike(text) for text in llvm_texts(insns)]
    assert len(insns) > 120


@pytest.mark.skipif(LLVM_MC is None, reason="llvm-mc is not installed")
def test_llvm_reads_wide_immediates_the_same_way() -> None:
    code = encode([Insn(LD_IMM64, 1, 0, 0, 0x55667788), Insn(0, imm=0x11223344)])
    text = " ".join(f"0x{byte:02x}" for byte in code)
    done = subprocess.run([str(LLVM_MC), "-triple=bpfel", "--disassemble"], input=text, capture_output=True, text=True)
    assert "r1 = 1234605616436508552 ll" in done.stdout
    assert disassemble(code) == ["   0: (18) r1 = 0x1122334455667788"]


# -- numbers -----------------------------------------------------------------------------------------------------

TABLES = [
    ("MapType", "bpf_map_type", "BPF_MAP_TYPE_"),
    ("ProgramType", "bpf_prog_type", "BPF_PROG_TYPE_"),
    ("AttachType", "bpf_attach_type", "BPF_"),
    ("LinkType", "bpf_link_type", "BPF_LINK_TYPE_"),
    ("PerfEventType", "bpf_perf_event_type", "BPF_PERF_EVENT_"),
    ("StatsType", "bpf_stats_type", "BPF_STATS_"),
    ("CoreRelocKind", "bpf_core_relo_kind", "BPF_CORE_"),
]


@pytest.fixture(scope="module")
def vmlinux() -> Btf:
    if not VMLINUX.exists():
        pytest.skip("this kernel exports no BTF")
    return Btf(VMLINUX.read_bytes())


def kernel_enum(btf: Btf, name: str) -> dict[str, int]:
    try:
        found = btf.type(btf.find(name, Kind.ENUM, Kind.ENUM64))
    except KeyError:
        pytest.skip(f"this kernel has no enum {name}")
    assert isinstance(found, Enum)
    return {value.name: value.value for value in found.values if not value.name.startswith("__")}


@pytest.mark.parametrize(("cls", "name", "prefix"), TABLES)
def test_numbers_are_this_kernels(vmlinux: Btf, cls: str, name: str, prefix: str) -> None:
    ours = {n: int(member) for n, member in getattr(constants, cls).__members__.items()}
    for enumerator, number in kernel_enum(vmlinux, name).items():
        known = ours.get(enumerator.removeprefix(prefix))
        assert known in (None, number)  # a kernel newer than the tables may have more
    assert set(ours) & {e.removeprefix(prefix) for e in kernel_enum(vmlinux, name)}


def test_helpers_are_this_kernels(vmlinux: Btf) -> None:
    kernel = kernel_enum(vmlinux, "bpf_func_id")
    assert {n: h.number for n, h in HELPERS.items() if f"BPF_FUNC_{n}" in kernel} == {
        n.removeprefix("BPF_FUNC_"): v for n, v in kernel.items() if n.removeprefix("BPF_FUNC_") in HELPERS
    }
    assert len(kernel) > 150


def test_flags_are_this_kernels(vmlinux: Btf) -> None:
    flags: dict[str, int] = {}
    for type_id in vmlinux.ids(Kind.ENUM, Kind.ENUM64):
        found = vmlinux.type(type_id)
        assert isinstance(found, Enum)
        if not found.name:
            flags |= {value.name: value.value for value in found.values}
    for cls, prefix in ((constants.MapFlag, "BPF_F_"), (constants.RingFlag, "BPF_RB_")):
        for name, member in cls.__members__.items():
            assert flags.get(prefix + name, member) == member
    assert flags["BPF_F_MMAPABLE"] == constants.MapFlag.MMAPABLE
    assert flags["BPF_EXIST"] == constants.UpdateFlag.EXIST
