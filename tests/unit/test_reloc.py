"""CO-RE relocation on types made by hand: every kind, every rule of compatibility, every way to fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from beespace.btf import Btf, BtfBuilder, Int, IntEncoding, Member, Pointer
from beespace.errors import BeespaceError, FormatError, RelocationError
from beespace.isa import Insn, decode, encode
from beespace.isa.constants import CoreRelocKind as Kind
from beespace.isa.opcodes import LD_IMM64
from beespace.reloc import POISON, Relocation, Report, relocate
from beespace.spec import CoreReloc, FunctionSpec, LineInfo, ObjectSpec, ProgramSpec

LDX_W, LDX_DW, STX_W, MOV64_K, ADD64_K = 0x61, 0x79, 0x63, 0xB7, 0x07
POISONED = Insn(0x85, imm=POISON)


def spec(code: list[Insn], *records: CoreReloc) -> ObjectSpec:
    lines = (LineInfo(0, "probe.py", "  return task.tgid", 7, 3),)
    entry = FunctionSpec("main", encode(code), core=records, lines=lines)
    return ObjectSpec("object", "GPL", {"main": ProgramSpec("main", "socket", entry)})


def ask(
    local: Btf, target: Btf, kind: Kind, type_id: int, access: str, insn: Insn | list[Insn]
) -> tuple[list[Insn], Relocation]:
    """One record on one instruction; gives the new instructions and the report's line."""
    code = insn if isinstance(insn, list) else [insn]
    done, report = relocate(spec(code, CoreReloc(0, type_id, access, kind)), local, [target])
    (relocation,) = report.relocations
    return decode(done.programs["main"].entry.code), relocation


def load(off: int, opcode: int = LDX_W) -> Insn:
    return Insn(opcode, 0, 1, off, 0)


def mov(imm: int) -> Insn:
    return Insn(MOV64_K, 0, 0, 0, imm)


def types(make: Callable[[BtfBuilder], int]) -> tuple[Btf, int]:
    builder = BtfBuilder()
    wanted = make(builder)
    return Btf(builder.bytes()), wanted


def local_task(b: BtfBuilder) -> int:
    u32, u64 = b.int("unsigned int", 4), b.int("unsigned long", 8)
    row = b.struct("row", 8, [Member("left", u32, 0), Member("right", u32, 32)])
    return b.struct(
        "task___mine", 64,
        [
            Member("tgid", u32, 0),
            Member("start", u64, 64),
            Member("rows", b.array(row, 2), 128),
            Member("parent", b.pointer(0), 256),
            Member("gone", u32, 320),
            Member("name", b.array(b.int("char", 1, signed=True), 16), 352),
        ],
    )  # fmt: skip


def kernel_task(b: BtfBuilder) -> int:
    u32, u64 = b.int("unsigned int", 4), b.int("unsigned long", 8)
    row = b.struct("row", 16, [Member("right", u32, 0), Member("x", u64, 64), Member("left", u32, 32)])
    inner = b.struct("", 24, [Member("pad", u64, 0), Member("tgid", b.typedef("pid_t", u32), 64)])
    choice = b.union("", 24, [Member("start", b.const(u64), 0), Member("", inner, 0)])
    return b.struct(
        "task", 200,
        [
            Member("first", u64, 0),
            Member("", choice, 64),
            Member("rows", b.array(row, 4), 256),
            Member("parent", b.pointer(u32), 1024),
            Member("name", b.array(b.int("char", 1, signed=True), 32), 1088),
        ],
    )  # fmt: skip


LOCAL, TASK = types(local_task)
KERNEL, _ = types(kernel_task)


@pytest.mark.parametrize(
    ("access", "before", "after", "what"),
    [
        ("0:0", 0, 16, "field tgid of struct task"),
        ("0:1", 8, 8, "field start of struct task"),
        ("0:2:1:1", 28, 48, "field rows[1].right of struct task"),
        ("0:5:3", 47, 139, "field name[3] of struct task"),
        ("1:0", 64, 216, "field [1].tgid of struct task"),
    ],
)
def test_offsets(access: str, before: int, after: int, what: str) -> None:
    insns, relocation = ask(LOCAL, KERNEL, Kind.FIELD_BYTE_OFFSET, TASK, access, Insn(ADD64_K, 1, 0, 0, before))
    assert insns == [Insn(ADD64_K, 1, 0, 0, after)]
    assert (relocation.what, relocation.local, relocation.value) == (what, before, after)
    opcode = {"0:1": LDX_DW, "0:5:3": 0x71}.get(access, LDX_W)
    insns, _ = ask(LOCAL, KERNEL, Kind.FIELD_BYTE_OFFSET, TASK, access, load(before, opcode))
    assert insns == [load(after, opcode)]


def test_a_missing_field_poisons_and_is_told() -> None:
    insns, relocation = ask(LOCAL, KERNEL, Kind.FIELD_BYTE_OFFSET, TASK, "0:4", load(40))
    assert insns == [POISONED]
    assert POISON == 195896080
    assert relocation.value is None
    assert "field gone of struct task (struct task has no member gone" in str(relocation)
    assert relocation.source == "probe.py:7: return task.tgid"


def test_the_report_finds_the_poisoned_instruction() -> None:
    records = [CoreReloc(0, TASK, "0:0", 0), CoreReloc(1, TASK, "0:4", 0)]
    _, report = relocate(spec([load(0), load(40)], *records), LOCAL, [KERNEL])
    assert [r.index for r in report.missing] == [1]
    assert report.poisoned("main", 1) is report.relocations[1]
    assert report.poisoned("main", 0) is None
    assert report.poisoned("other", 1) is None
    assert Report().poisoned("main", 0) is None


def test_both_halves_of_a_wide_load_are_poisoned() -> None:
    wide = [Insn(LD_IMM64, 0, 0, 0, 40), Insn(0)]
    insns, _ = ask(LOCAL, KERNEL, Kind.FIELD_BYTE_OFFSET, TASK, "0:4", wide)
    assert insns == [POISONED, POISONED]


@pytest.mark.parametrize(
    ("kind", "access", "before", "after"),
    [
        (Kind.FIELD_EXISTS, "0:0", 1, 1),
        (Kind.FIELD_EXISTS, "0:4", 1, 0),
        (Kind.FIELD_BYTE_SIZE, "0:5", 16, 32),
        (Kind.FIELD_BYTE_SIZE, "0:2:1", 8, 16),
        (Kind.FIELD_SIGNED, "0:0", 0, 0),
        (Kind.FIELD_LSHIFT_U64, "0:0", 32, 32),
        (Kind.FIELD_RSHIFT_U64, "0:1", 0, 0),
        (Kind.TYPE_ID_LOCAL, "0", TASK, TASK),
        (Kind.TYPE_ID_TARGET, "0", TASK, KERNEL.find("task")),
        (Kind.TYPE_EXISTS, "0", 1, 1),
        (Kind.TYPE_SIZE, "0", 64, 200),
        (Kind.TYPE_MATCHES, "0", 1, 0),
    ],
)
def test_kinds(kind: Kind, access: str, before: int, after: int) -> None:
    insns, relocation = ask(LOCAL, KERNEL, kind, TASK, access, mov(before))
    assert insns == [mov(after)]
    assert relocation.value == after


@pytest.mark.parametrize(
    ("kind", "before"),
    [(Kind.TYPE_EXISTS, 1), (Kind.TYPE_SIZE, 64), (Kind.TYPE_MATCHES, 1), (Kind.TYPE_ID_TARGET, TASK)],
)
def test_a_type_that_is_not_there_is_zero(kind: Kind, before: int) -> None:
    empty, _ = types(lambda b: b.int("int", 4))
    assert ask(LOCAL, empty, kind, TASK, "0", mov(before))[0] == [mov(0)]
    insns, relocation = ask(LOCAL, empty, Kind.FIELD_BYTE_OFFSET, TASK, "0:0", load(0))
    assert insns == [POISONED]
    assert relocation.reason == "there is no struct task"


# -- bitfields -------------------------------------------------------------------------------------------------


def bits(offset: int, width: int, size: int = 4, signed: bool = False) -> tuple[Btf, int]:
    def make(b: BtfBuilder) -> int:
        holder = b.int("int" if signed else "unsigned int", size, signed=signed)
        return b.struct("flags", 16, [Member("flag", holder, offset, width)])

    return types(make)


@settings(deadline=None)
@given(st.integers(0, 90), st.integers(1, 32), st.integers(0, 2**128 - 1))
def test_a_bitfield_is_read_by_its_relocated_load_and_shifts(offset: int, width: int, memory: int) -> None:
    assume(offset % 64 + width <= 64)
    local, struct = bits(3, 5)
    target, _ = bits(offset, width)

    def value(kind: Kind) -> int:
        result = ask(local, target, kind, struct, "0:0", mov(64 - 5 if kind is Kind.FIELD_RSHIFT_U64 else 0))[1].value
        assert result is not None
        return result

    start, size = value(Kind.FIELD_BYTE_OFFSET), value(Kind.FIELD_BYTE_SIZE)
    left, right = value(Kind.FIELD_LSHIFT_U64), value(Kind.FIELD_RSHIFT_U64)
    assert start % size == 0
    loaded = memory >> (8 * start) & (1 << 8 * size) - 1  # what BPF_CORE_READ_BITFIELD does with the four numbers
    assert (loaded << left & (1 << 64) - 1) >> right == memory >> offset & (1 << width) - 1


def test_a_bitfield_that_no_load_covers_is_an_error() -> None:
    local, struct = bits(0, 3, size=8)
    target, _ = bits(60, 10, size=8)
    with pytest.raises(RelocationError, match="cannot be read with one load"):
        ask(local, target, Kind.FIELD_BYTE_OFFSET, struct, "0:0", load(0))


def test_the_sign_of_a_field() -> None:
    local, struct = bits(0, 8)
    target, _ = bits(8, 8, signed=True)
    assert ask(local, target, Kind.FIELD_SIGNED, struct, "0:0", mov(0))[0] == [mov(1)]


# -- widths ----------------------------------------------------------------------------------------------------


def one_field(make: Callable[[BtfBuilder], int], name: str = "task") -> tuple[Btf, int]:
    return types(lambda b: b.struct(name, 64, [Member("field", make(b), 0)]))


def u(size: int, signed: bool = False) -> Callable[[BtfBuilder], int]:
    return lambda b: b.int(f"int{size}", size, signed=signed)


def test_a_load_takes_the_width_of_an_unsigned_field() -> None:
    local, struct = one_field(u(4))
    for size, opcode in ((1, 0x71), (2, 0x69), (8, 0x79)):
        target, _ = one_field(u(size))
        assert ask(local, target, Kind.FIELD_BYTE_OFFSET, struct, "0:0", load(0))[0] == [load(0, opcode)]
    store = Insn(STX_W, 1, 2, 0, 0)
    target, _ = one_field(u(8))
    assert ask(local, target, Kind.FIELD_BYTE_OFFSET, struct, "0:0", store)[0] == [Insn(0x7B, 1, 2, 0, 0)]


def test_a_load_of_a_signed_field_of_another_width_is_poisoned_but_an_addition_is_not() -> None:
    local, struct = one_field(u(4, signed=True))
    target, _ = one_field(u(8, signed=True))
    insns, relocation = ask(local, target, Kind.FIELD_BYTE_OFFSET, struct, "0:0", load(0))
    assert insns == [POISONED]
    assert relocation.reason == "it is int8 there: a load of 4 bytes errs"
    assert ask(local, target, Kind.FIELD_BYTE_OFFSET, struct, "0:0", mov(0))[0] == [mov(0)]


def test_a_load_whose_width_is_not_the_fields_is_refused() -> None:
    local, struct = one_field(u(4))
    target, _ = one_field(u(8))
    with pytest.raises(RelocationError, match="accesses 2 bytes of a field of 4"):
        ask(local, target, Kind.FIELD_BYTE_OFFSET, struct, "0:0", load(0, 0x69))


# -- which fields are compatible -------------------------------------------------------------------------------

FIELDS: dict[str, Callable[[BtfBuilder], int]] = {
    "int": u(4),
    "long": u(8, signed=True),
    "old bitfield": lambda b: b.add(Int("int4", 4, IntEncoding.NONE, 3, 1)),
    "const typedef": lambda b: b.const(b.typedef("pid_t", b.volatile(b.int("int4", 4)))),
    "pointer": lambda b: b.pointer(0),
    "struct pointer": lambda b: b.pointer(b.struct("any", 4, [])),
    "struct": lambda b: b.struct("some", 4, []),
    "union": lambda b: b.union("other", 4, []),
    "enum": lambda b: b.enum("color", [("RED", 1)]),
    "enum flavour": lambda b: b.enum("color___old", [("BLUE", 1)]),
    "other enum": lambda b: b.enum("shape", [("ROUND", 1)]),
    "anonymous enum": lambda b: b.enum("", [("A", 1)]),
    "wide enum": lambda b: b.enum("color", [("RED", 1 << 40)]),
    "float": lambda b: b.float("double", 8),
    "int array": lambda b: b.array(b.int("int4", 4), 1),
    "long array": lambda b: b.array(b.int("int8", 8), 7),
    "pointer array": lambda b: b.array(b.pointer(0), 7),
}
COMPATIBLE = [
    {"int", "long", "const typedef"},
    {"pointer", "struct pointer"},
    {"struct", "union"},
    {"enum", "enum flavour", "anonymous enum", "wide enum"},
    {"other enum", "anonymous enum"},
    {"float"},
    {"int array", "long array"},
    {"pointer array"},
]


@pytest.mark.parametrize("first", FIELDS)
@pytest.mark.parametrize("second", FIELDS)
def test_which_fields_are_compatible(first: str, second: str) -> None:
    local, struct = one_field(FIELDS[first])
    target, _ = one_field(FIELDS[second])
    insns, _ = ask(local, target, Kind.FIELD_EXISTS, struct, "0:0", mov(1))
    assert bool(insns[0].imm) == any({first, second} <= group for group in COMPATIBLE)


# -- which types exist, and which match ------------------------------------------------------------------------


def function(count: int, result: bool = True) -> Callable[[BtfBuilder], int]:
    def make(b: BtfBuilder) -> int:
        i32 = b.int("int", 4, signed=True)
        parameter = b.pointer(b.struct("sock", 4, []))
        return b.pointer(b.prototype(i32 if result else 0, [("", parameter)] * count))

    return make


def typedef(make: Callable[[BtfBuilder], int]) -> tuple[Btf, int]:
    return types(lambda b: b.typedef("thing_t", make(b)))


@pytest.mark.parametrize(
    ("mine", "theirs", "exists", "matches"),
    [
        (u(4), u(4), 1, 1),
        (u(4), u(8), 1, 0),
        (FIELDS["pointer"], FIELDS["struct pointer"], 0, 0),
        (FIELDS["pointer"], FIELDS["pointer"], 1, 1),
        (FIELDS["struct"], FIELDS["struct"], 1, 1),
        (FIELDS["struct"], FIELDS["union"], 0, 0),
        (FIELDS["enum"], FIELDS["enum"], 1, 1),
        (FIELDS["enum"], FIELDS["enum flavour"], 1, 0),
        (FIELDS["enum"], FIELDS["other enum"], 1, 0),
        (FIELDS["int array"], FIELDS["int array"], 1, 1),
        (FIELDS["int array"], FIELDS["long array"], 1, 0),
        (function(2), function(2), 1, 1),
        (function(2), function(3), 0, 0),
        (function(2), function(2, result=False), 0, 0),
        (lambda b: b.pointer(b.forward("sock")), lambda b: b.pointer(b.struct("sock", 4, [])), 0, 1),
        (lambda b: b.pointer(b.struct("sock", 4, [])), lambda b: b.pointer(b.forward("sock")), 0, 1),
        (lambda b: b.pointer(b.struct("sock", 4, [])), lambda b: b.pointer(b.forward("sock", is_union=True)), 0, 0),
    ],
)
def test_which_types_exist_and_match(
    mine: Callable[[BtfBuilder], int], theirs: Callable[[BtfBuilder], int], exists: int, matches: int
) -> None:
    local, type_id = typedef(mine)
    target, _ = typedef(theirs)
    assert ask(local, target, Kind.TYPE_EXISTS, type_id, "0", mov(1))[0] == [mov(exists)]
    assert ask(local, target, Kind.TYPE_MATCHES, type_id, "0", mov(1))[0] == [mov(matches)]


def test_a_struct_matches_if_the_kernel_has_all_its_members() -> None:
    def made(*members: tuple[str, int]) -> tuple[Btf, int]:
        return types(lambda b: b.struct("thing", 64, [Member(n, b.int(f"int{s}", s), 0) for n, s in members]))

    local, struct = made(("a", 4), ("b", 8))
    for members, matches in (
        ([("b", 8), ("a", 4), ("c", 1)], 1),
        ([("a", 4)], 0),
        ([("a", 4), ("b", 4)], 0),
        ([("a", 4), ("x", 8)], 0),
    ):
        target, _ = made(*members)
        assert ask(local, target, Kind.TYPE_MATCHES, struct, "0", mov(1))[0] == [mov(matches)]


# -- enumerators -----------------------------------------------------------------------------------------------


def enum(*values: tuple[str, int], name: str = "kind") -> tuple[Btf, int]:
    return types(lambda b: b.enum(name, list(values)))


def wide(number: int) -> list[Insn]:
    number &= (1 << 64) - 1
    halves = [half - (1 << 32) if half >> 31 else half for half in (number & 0xFFFFFFFF, number >> 32)]
    return [Insn(LD_IMM64, 0, 0, 0, halves[0]), Insn(0, imm=halves[1])]


def test_enumerators() -> None:
    local, kind = enum(("A", 1), ("B___mine", 2), name="kind___mine")
    target, _ = enum(("Z", 0), ("B", 77), ("NEGATIVE", -3))
    assert ask(local, target, Kind.ENUMVAL_VALUE, kind, "1", wide(2))[0] == wide(77)
    assert ask(local, target, Kind.ENUMVAL_VALUE, kind, "1", mov(2))[0] == [mov(77)]
    assert ask(local, target, Kind.ENUMVAL_EXISTS, kind, "1", wide(1))[0] == wide(1)
    assert ask(local, target, Kind.ENUMVAL_EXISTS, kind, "0", wide(1))[0] == wide(0)
    insns, relocation = ask(local, target, Kind.ENUMVAL_VALUE, kind, "0", wide(1))
    assert insns == [POISONED, POISONED]
    assert str(relocation) == "enumerator A of enum kind (enum kind has no A)"


@pytest.mark.parametrize(("before", "after"), [(5, -1), (-1, 5), (1 << 40, 7), (7, 1 << 40), (-1 << 40, -9)])
def test_enumerators_of_any_size_and_sign(before: int, after: int) -> None:
    local, kind = enum(("A", before), ("N", -1))
    target, _ = enum(("A", after))
    assert ask(local, target, Kind.ENUMVAL_VALUE, kind, "0", wide(before))[0] == wide(after)


# -- candidates ------------------------------------------------------------------------------------------------


def two(first: int, second: int) -> Btf:
    builder = BtfBuilder()
    i32 = builder.int("int", 4)
    builder.struct("task", 64, [Member("tgid", i32, first)])
    builder.struct("task___2", 64, [Member("tgid", i32, second), Member("only", i32, 0)])
    return Btf(builder.bytes())


def test_candidates_that_agree_are_fine_and_others_are_ambiguous() -> None:
    assert ask(LOCAL, two(96, 96), Kind.FIELD_BYTE_OFFSET, TASK, "0:0", load(0))[0] == [load(12)]
    with pytest.raises(
        RelocationError, match=r"main, instruction 0, probe.py:7.*tgid of struct task is ambiguous"
    ) as e:
        ask(LOCAL, two(96, 64), Kind.FIELD_BYTE_OFFSET, TASK, "0:0", load(0))
    assert e.value.help is not None


def test_doubles_that_differ_only_in_their_types_agree() -> None:
    builder = BtfBuilder()
    for size in (4, 8):
        builder.struct("task", 64, [Member("tgid", builder.int(f"int{size}", size), 96)])
    assert ask(LOCAL, Btf(builder.bytes()), Kind.FIELD_BYTE_OFFSET, TASK, "0:0", mov(0))[0] == [mov(12)]


def test_a_candidate_that_did_not_fit_once_is_out() -> None:
    local, task = types(
        lambda b: b.struct("task", 8, [Member("only", b.int("int", 4), 0), Member("tgid", b.int("int", 4), 32)])
    )
    records = [CoreReloc(0, task, "0:0", 0), CoreReloc(1, task, "0:1", 0)]
    done, _ = relocate(spec([load(0), load(4)], *records), local, [two(96, 64)])
    assert decode(done.programs["main"].entry.code) == [load(0), load(8)]


def test_modules_are_asked_only_for_what_the_kernel_lacks() -> None:
    base = KERNEL
    builder = BtfBuilder(first_id=base.count, first_string=base.string_end)
    i32 = builder.int("int", 4)
    builder.struct("task", 8, [Member("tgid", i32, 32)])
    builder.struct("module_thing", 8, [Member("x", i32, 32)])
    module = Btf(builder.bytes(), base)
    local, thing = types(lambda b: b.struct("module_thing", 4, [Member("x", b.int("int", 4), 0)]))
    done, _ = relocate(spec([load(0)], CoreReloc(0, thing, "0:0", 0)), local, [base, module])
    assert decode(done.programs["main"].entry.code) == [load(4)]

    class Lazy(tuple[Btf, ...]):
        def __iter__(self) -> Iterator[Btf]:
            yield base
            raise AssertionError("a module was read for what the kernel has")

    done, _ = relocate(spec([load(0)], CoreReloc(0, TASK, "0:0", 0)), LOCAL, Lazy((base, module)))
    assert decode(done.programs["main"].entry.code) == [load(16)]


def test_modules_that_differ_are_ambiguous() -> None:
    def module(at: int) -> Btf:
        builder = BtfBuilder(first_id=KERNEL.count, first_string=KERNEL.string_end)
        builder.struct("thing", 16, [Member("x", builder.int("int", 4), at)])
        return Btf(builder.bytes(), KERNEL)

    local, thing = types(lambda b: b.struct("thing", 4, [Member("x", b.int("int", 4), 0)]))
    asked = spec([load(0)], CoreReloc(0, thing, "0:0", 0))
    done, _ = relocate(asked, local, [KERNEL, module(64), module(64)])
    assert decode(done.programs["main"].entry.code) == [load(8)]
    with pytest.raises(RelocationError, match="ambiguous"):
        relocate(asked, local, [KERNEL, module(64), module(32)])


@pytest.mark.parametrize("levels", [61, 62])
def test_a_path_of_more_than_64_members_is_refused_as_by_libbpf(levels: int) -> None:
    def nested(b: BtfBuilder) -> int:
        inner = b.struct("", 4, [Member("x", b.int("int", 4), 0)])
        for _ in range(levels):
            inner = b.struct("", 4, [Member("", inner, 0)])
        return b.struct("deep", 4, [Member("", inner, 0)])

    target, _ = types(nested)
    local, deep = types(lambda b: b.struct("deep", 4, [Member("x", b.int("int", 4), 0)]))
    asked = spec([load(0)], CoreReloc(0, deep, "0:0", 0))
    if levels == 61:  # the pointer's index, and 63 members
        assert relocate(asked, local, [target])[1].relocations[0].value == 0
        return
    with pytest.raises(RelocationError, match="the path to x is longer than 64 members"):
        relocate(asked, local, [target])


def test_flexible_arrays_have_elements_beyond_their_count() -> None:
    def flexible(before: int) -> tuple[Btf, int]:
        def make(b: BtfBuilder) -> int:
            u32 = b.int("unsigned int", 4)
            return b.struct("list", before, [Member("n", u32, 0), Member("items", b.array(u32, 0), 8 * before)])

        return types(make)

    local, struct = flexible(4)
    target, _ = flexible(12)
    assert ask(local, target, Kind.FIELD_BYTE_OFFSET, struct, "0:1:3", load(16))[0] == [load(24)]


def test_an_index_beyond_the_kernels_array_is_missing() -> None:
    local, struct = types(lambda b: b.struct("task", 64, [Member("a", b.array(b.int("int", 4), 8), 0)]))
    target, _ = types(lambda b: b.struct("task", 64, [Member("a", b.array(b.int("int", 4), 2), 0)]))
    insns, relocation = ask(local, target, Kind.FIELD_BYTE_OFFSET, struct, "0:0:5", load(20))
    assert insns == [POISONED]
    assert relocation.reason == "the array has only 2 elements there"


# -- damage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "access", "insn", "error", "message"),
    [
        (0, "0:99", load(0), FormatError, "leads out of struct task___mine"),
        (0, "0:0:1", load(0), FormatError, "leads out of"),
        (0, "0:2:7", load(0), FormatError, "leads out of"),
        (0, "", load(0), FormatError, "is no path"),
        (0, ":1", load(0), FormatError, "is no path"),
        (0, "0:-1", load(0), FormatError, "is no path"),
        (0, ":".join(["0"] * 65), load(0), FormatError, "is no path"),
        (8, "1", mov(1), FormatError, "access string"),
        (10, "0", mov(1), FormatError, "no enumerator"),
        (99, "0", mov(1), FormatError, "kind 99"),
        (0, "0:0", load(4), RelocationError, "holds 4, but by the object's own types it should be 0"),
        (0, "0:0", Insn(0x95), RelocationError, "opcode 0x95"),
        (0, "0:0", Insn(LD_IMM64), RelocationError, "opcode 0x18"),
        (3, "0:2:1", mov(0), RelocationError, "cannot be asked of an array element"),
    ],
)
def test_what_is_damaged_is_refused(kind: int, access: str, insn: Insn, error: type, message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        relocate(spec([insn], CoreReloc(0, TASK, access, kind)), LOCAL, [KERNEL])
    assert "main, instruction 0, probe.py:7: return task.tgid" in str(caught.value)


def test_a_record_beyond_the_function_is_refused() -> None:
    with pytest.raises(FormatError, match="beyond the end of the function"):
        relocate(spec([load(0)], CoreReloc(5, TASK, "0:0", 0)), LOCAL, [KERNEL])


def test_an_offset_beyond_a_load_is_refused() -> None:
    local, struct = one_field(u(4))
    target, _ = types(lambda b: b.struct("task", 1 << 17, [Member("field", b.int("int4", 4), 1 << 19)]))
    with pytest.raises(RelocationError, match="offset 65536 does not fit"):
        ask(local, target, Kind.FIELD_BYTE_OFFSET, struct, "0:0", load(0))


def test_types_that_go_round_in_circles_end() -> None:
    def circle(b: BtfBuilder) -> int:
        pointer = b.declare()
        prototype = b.prototype(pointer, [("", pointer)])
        b.define(pointer, Pointer(prototype))
        return b.typedef("thing_t", pointer)

    local, type_id = types(circle)
    target, _ = types(circle)
    for kind in (Kind.TYPE_EXISTS, Kind.TYPE_MATCHES):
        assert ask(local, target, kind, type_id, "0", mov(1))[0] == [mov(1)]


accesses = st.one_of(
    st.lists(st.integers(0, 6), min_size=1, max_size=6).map(lambda parts: ":".join(map(str, parts))),
    st.text("0123456789:-x", max_size=8),
)
insns = st.builds(
    Insn, st.integers(0, 255), st.integers(0, 10), st.integers(0, 10), st.integers(-64, 64), st.integers(-64, 64)
)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 13), st.integers(0, LOCAL.count), accesses, st.lists(insns, min_size=1, max_size=3))
def test_no_record_does_worse_than_an_error(kind: int, type_id: int, access: str, code: list[Insn]) -> None:
    try:
        done, report = relocate(spec(code, CoreReloc(0, type_id, access, kind)), LOCAL, [KERNEL])
    except BeespaceError:
        return
    assert len(done.programs["main"].entry.code) == 8 * len(code)
    assert len(report.relocations) == 1
