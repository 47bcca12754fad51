"""BTF as C: order, names, padding, and what C cannot express."""

from __future__ import annotations

import pytest

from beespace.btf import Btf, BtfBuilder, Enum, Enumerator, Member, Modifier, Parameter, Struct
from beespace.btf.declarations import declarations, header
from beespace.btf.kinds import Kind
from beespace.btf.padding import padding
from beespace.btf.types import FunctionPrototype
from beespace.errors import FormatError


def written(b: BtfBuilder, ids: list[int] | None = None) -> list[str]:
    return [text.removesuffix(";\n\n") for text in declarations(Btf(b.bytes()), ids)]


def test_what_is_held_comes_before_what_holds_it_and_what_is_pointed_to_is_declared() -> None:
    b = BtfBuilder()
    i = b.int("int", 4)
    inner, later = b.declare(), b.declare()
    b.struct(
        "outer", 24, [Member("a", inner, 0), Member("p", b.pointer(later), 64), Member("n", b.pointer(inner), 128)]
    )
    b.define(inner, Struct("inner", 4, (Member("x", i, 0),)))
    b.define(later, Struct("later", 4, (Member("y", i, 0),)))
    assert written(b) == [
        "struct inner {\n\tint x;\n}",
        "struct later {\n\tint y;\n}",
        "struct outer {\n\tstruct inner a;\n\tstruct later *p;\n\tstruct inner *n;\n}",
    ]


def test_a_ring_of_pointers_needs_one_declaration() -> None:
    b = BtfBuilder()
    first, second = b.declare(), b.declare()
    b.define(first, Struct("first", 8, (Member("next", b.pointer(second), 0),)))
    b.define(second, Struct("second", 8, (Member("back", b.pointer(first), 0),)))
    assert written(b) == [
        "struct second",
        "struct first {\n\tstruct second *next;\n}",
        "struct second {\n\tstruct first *back;\n}",
    ]


def test_the_same_name_twice_gets_a_number() -> None:
    b = BtfBuilder()
    i = b.int("int", 4)
    b.struct("s", 4, [Member("x", i, 0)])
    b.struct("s", 8, [Member("x", i, 0), Member("y", i, 32)])
    b.enum("e", [("A", 1)])
    b.enum("f", [("A", 2)])
    b.typedef("A", i)
    assert [text.split(" {")[0] for text in written(b)] == [
        "struct s", "struct s___2", "enum e", "enum f", "typedef int A___3",
    ]  # fmt: skip
    assert "A___2 = 2" in written(b)[3]


def test_declarators() -> None:
    b = BtfBuilder()
    i, char = b.int("int", 4), b.int("char", 1)
    const_char = b.intern(Modifier(Kind.CONST, char))
    callback = b.prototype(i, [("p", b.pointer(const_char)), ("", i)])
    variadic = b.intern(FunctionPrototype(0, (Parameter("format", b.pointer(const_char)), Parameter("", 0))))
    names = {
        "const char *const *x": b.pointer(b.intern(Modifier(Kind.CONST, b.pointer(const_char)))),
        "int x[2][3]": b.array(b.array(i, 3), 2),
        "int *x[2]": b.array(b.pointer(i), 2),
        "int (*x)[2]": b.pointer(b.array(i, 2)),
        "int (*x)(const char *, int)": b.pointer(callback),
        "int (*(*x[4])(void))[2]": b.array(b.pointer(b.prototype(b.pointer(b.array(i, 2)), [])), 4),
        "void (*x)(const char *, ...)": b.pointer(variadic),
        'int __attribute__((btf_type_tag("user"))) *x': b.pointer(b.type_tag("user", i)),
        "void *x": b.pointer(0),
        "volatile int x": b.intern(Modifier(Kind.VOLATILE, i)),
    }
    ids = [b.typedef("x", each) for each in names.values()]
    for type_id, text in zip(ids, names, strict=True):
        found = written(b, [type_id])[-1].replace("const char *p", "const char *").replace("format", "")
        assert found.replace("* ", "*").removeprefix("typedef ") == text.replace("* ", "*")


def test_anonymous_members_and_enumerations_stand_inside() -> None:
    b = BtfBuilder()
    i = b.int("int", 4)
    inside = b.add(Enum("", 4, (Enumerator("X", 1),)))
    union = b.union("", 4, [Member("a", i, 0), Member("e", inside, 0)])
    b.struct("s", 4, [Member("", union, 0)])
    b.add(Enum("", 4, (Enumerator("ALONE", -1),), is_signed=True))
    assert written(b) == [
        "struct s {\n\tunion {\n\t\tint a;\n\t\tenum {\n\t\t\tX = 1,\n\t\t} e;\n\t};\n}",
        "enum {\n\tALONE = -1,\n}",
    ]


def test_sizes_of_enumerations() -> None:
    b = BtfBuilder()
    b.add(Enum("small", 1, (Enumerator("A", 1),)))
    b.add(Enum("word", 8, (Enumerator("B", 1),), is_64=True))
    b.add(Enum("wide", 8, (Enumerator("C", 1 << 40),), is_64=True))
    b.add(Enum("negative", 8, (Enumerator("D", -1),), is_signed=True, is_64=True))
    assert written(b) == [
        "enum small {\n\tA = 1,\n} __attribute__((mode(byte)))",
        "enum word {\n\tB = 1ULL,\n} __attribute__((mode(word)))",
        "enum wide {\n\tC = 1099511627776ULL,\n}",
        "enum negative {\n\tD = -1LL,\n}",
    ]


def test_packed_and_padded() -> None:
    b = BtfBuilder()
    i, c = b.int("int", 4), b.int("char", 1)
    b.struct("packed", 5, [Member("c", c, 0), Member("i", i, 8)])
    b.struct("aligned", 64, [Member("i", i, 0)])
    b.struct("bits", 8, [Member("a", i, 0, 3), Member("b", i, 10, 2), Member("z", c, 56)])
    b.struct("empty", 0, [])
    assert written(b) == [
        "struct packed {\n\tchar c;\n\tint i;\n} __attribute__((packed))",
        "struct aligned {\n\tint i;\n" + "".join("\tlong: 64;\n" for _ in range(7)) + "}",
        "struct bits {\n\tint a: 3;\n\tchar: 5;\n\tchar: 2;\n\tint b: 2;\n\tint: 24;\n\tchar z;\n}",
        "struct empty {}",
    ]


@pytest.mark.parametrize(
    ("at", "to", "align", "bits", "lines"),
    [
        (0, 0, 4, False, []),
        (8, 32, 4, False, []),  # the compiler does it
        (8, 32, 1, False, ["int: 0;"]),
        (32, 96, 4, False, ["long: 0;", "int: 32;"]),
        (3, 10, 4, True, ["char: 5;", "char: 2;"]),
        (32, 512, 4, False, ["long: 64;"] * 7),
    ],
)
def test_gaps(at: int, to: int, align: int, bits: bool, lines: list[str]) -> None:
    assert padding(at, to, align, bits, 64) == lines


def test_headers_keep_the_access_index() -> None:
    b = BtfBuilder()
    b.struct("s", 0, [])
    text = header(Btf(b.bytes()))
    assert text.startswith("#ifndef __VMLINUX_H__\n#define __VMLINUX_H__\n")
    assert "#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)" in text
    assert text.endswith("#pragma clang attribute pop\n#endif\n\n#endif /* __VMLINUX_H__ */\n")


def test_what_c_cannot_express() -> None:
    b = BtfBuilder()
    itself = b.declare()
    b.define(itself, Struct("itself", 4, (Member("self", itself, 0),)))
    with pytest.raises(FormatError, match=r"struct itself .* holds itself"):
        written(b)
    b = BtfBuilder()
    level = b.int("int", 4)
    for _ in range(40):  # 2 ** 40 lines
        level = b.struct("", 8, [Member("a", level, 0), Member("b", level, 32)])
    b.struct("top", 8, [Member("x", level, 0)])
    with pytest.raises(FormatError, match="without end"):
        written(b)
    b = BtfBuilder()
    level = b.int("int", 4)
    for number in range(500):
        level = b.typedef(f"t{number}", b.array(b.prototype(level, [("x", level)]), 1))
    with pytest.raises(FormatError, match="without end"):
        written(b, [level])
