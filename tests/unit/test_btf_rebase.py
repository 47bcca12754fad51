"""Types of modules that were built apart, put on the kernel's by name, kind and size."""

from __future__ import annotations

import struct

import pytest

from beespace.btf import Btf, BtfBuilder, Enum, Kind, Member, Struct
from beespace.btf.contained import parse
from beespace.btf.rebase import rebase
from beespace.errors import FormatError


def kernel(*, task_size: int = 16, before: int = 0, twice: bool = False, without: str = "") -> Btf:
    """The types of a kernel; other ones may come ``before``, so that the ids are others."""
    builder = BtfBuilder()
    for number in range(before):
        builder.struct(f"other_{number}", 4, [])
    i32 = builder.int("int", 4, signed=True)
    builder.int("long int", 8, signed=True)
    builder.float("double", 8)
    if without != "list_head":
        builder.struct("list_head", 16, [Member("next", builder.pointer(0), 0)])
    builder.struct("task_struct", task_size, [Member("pid", i32, 0)])
    builder.union("either", 8, [Member("a", i32, 0)])
    builder.enum("state", [("RUN", 0), ("STOP", 1)])
    builder.enum("wide", [("FAR", 1 << 40)])
    if twice:
        builder.struct("inode", 8, [])
    builder.struct("inode", 600, [])
    return Btf(builder.bytes())


def distilled() -> tuple[bytes, bytes]:
    """A distilled base and the types of a module on it."""
    base = BtfBuilder()
    i32 = base.int("int", 4, signed=True)
    task = base.struct("task_struct", 16, [])
    inode = base.forward("inode")
    either = base.union("either", 8, [])
    state = base.add(Enum("state", 4, ()))
    wide = base.add(Enum("wide", 8, ()))
    head = base.struct("list_head", 16, [])
    double = base.float("double", 8)
    whole = Btf(base.bytes())
    split = BtfBuilder(first_id=whole.count, first_string=whole.string_end)
    pointer = split.pointer(inode)
    array = split.array(head, 2, i32)
    mine = split.struct(
        "mine",
        120,
        [
            Member("task", split.const(task), 0),
            Member("inode", pointer, 128),
            Member("heads", array, 192),
            Member("either", either, 448),
            Member("state", state, 512),
            Member("wide", wide, 576),
            Member("real", double, 640),
        ],
    )
    split.function("probe", split.prototype(i32, [("mine", split.pointer(mine))]))
    split.decl_tag("tagged", mine, 1)
    return base.bytes(), split.bytes()


def on(base: Btf) -> Btf:
    below, own = distilled()
    return rebase(Btf(own, Btf(below)), base)


@pytest.mark.parametrize("before", [0, 50])
def test_every_reference_goes_to_the_type_of_that_name(before: int) -> None:
    base = kernel(before=before)
    found = on(base)
    assert found.base is base and found.count - base.count == Btf(distilled()[1], Btf(distilled()[0])).count - 9
    mine = found.type(found.find("mine"))
    assert isinstance(mine, Struct) and mine.size == 120
    for member, name, kind in (
        ("task", "task_struct", Kind.STRUCT),
        ("either", "either", Kind.UNION),
        ("state", "state", Kind.ENUM),
        ("wide", "wide", Kind.ENUM64),
        ("real", "double", Kind.FLOAT),
    ):
        target = found.resolve(next(each.type for each in mine.members if each.name == member))
        assert (found.name(target), found.kind(target)) == (name, kind) and not found.owns(target)
    assert found.describe(mine.members[1].type) == "struct inode *"
    assert found.describe(mine.members[2].type) == "struct list_head[2]"
    assert found.member(found.resolve(mine.members[0].type), "pid").byte_offset == 0  # the whole struct is reached
    assert found.prototype(found.find("probe")).parameters[0].name == "mine"
    [tag] = found.ids(Kind.DECL_TAG)
    assert found.name(tag) == "tagged"


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (kernel(task_size=24), "struct task_struct of the distilled base is not one of .* of that size"),
        (kernel(without="list_head"), "struct list_head of the distilled base is not one"),
        (kernel(twice=True), "struct inode of the distilled base is 2 of the types of the kernel of that name"),
    ],
)
def test_what_does_not_fit_is_refused(base: Btf, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        on(base)


def test_only_what_is_held_by_value_must_have_its_size() -> None:
    base = BtfBuilder()
    task = base.struct("task_struct", 8, [])
    whole = Btf(base.bytes())
    split = BtfBuilder(first_id=whole.count, first_string=whole.string_end)
    split.struct("mine", 8, [Member("task", split.pointer(task), 0)])
    found = rebase(Btf(split.bytes(), whole), kernel())
    mine = found.type(found.find("mine"))
    assert isinstance(mine, Struct) and found.describe(mine.members[0].type) == "struct task_struct *"


def test_a_base_that_holds_more_than_names_is_refused() -> None:
    base = BtfBuilder()
    base.pointer(base.int("int", 4, signed=True))
    whole = Btf(base.bytes())
    split = BtfBuilder(first_id=whole.count, first_string=whole.string_end)
    split.typedef("mine", 2)
    with pytest.raises(FormatError, match="does not belong into a distilled base"):
        rebase(Btf(split.bytes(), whole), kernel())
    with pytest.raises(FormatError, match="only types on a distilled base"):
        rebase(kernel(), kernel())


def test_a_module_that_brings_its_base() -> None:
    below, own = distilled()
    module = elf({".BTF": own, ".BTF.base": below})
    assert parse(module, kernel(before=3)).name(parse(module, kernel(before=3)).find("mine")) == "mine"
    alone = parse(module)
    assert alone.base is not None and alone.base.count == 9
    with pytest.raises(FormatError, match="built for another kernel"):
        parse(module, kernel(task_size=24))


def elf(contents: dict[str, bytes]) -> bytes:
    """A 64-bit little-endian ELF file of these sections."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in contents) + b".shstrtab\0"
    parts = {**contents, ".shstrtab": names}
    body, rows = b"", struct.pack("<IIQQQQIIQQ", *[0] * 10)
    for name, content in parts.items():
        at = names.index(b"\0" + name.encode() + b"\0") + 1
        rows += struct.pack("<IIQQQQIIQQ", at, 1, 0, 0, 64 + len(body), len(content), 0, 0, 1, 0)
        body += content
    rest = (0, 64, 0, 0, 64, len(parts) + 1, len(parts))
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 1, 247, 1, 0, 0, 64 + len(body), *rest)
    return header + body + rows
