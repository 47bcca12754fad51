"""``subset`` keeps what was asked for, where it was."""

from __future__ import annotations

import pytest

from beespace.btf import Btf, BtfBuilder, DeclTag, Forward, Kind, Member, Pointer, Struct, subset


@pytest.fixture
def kernel() -> Btf:
    builder = BtfBuilder()
    i32 = builder.int("int", 4, signed=True)
    task = builder.declare()
    task_pointer = builder.pointer(task)
    mm = builder.struct("mm_struct", 64, [Member("owner", task_pointer, 0), Member("users", i32, 256)])
    mm_t = builder.typedef("mm_t", mm)
    entity = builder.struct("sched_entity", 16, [Member("mm", builder.pointer(mm), 0), Member("weight", i32, 64)])
    hidden = builder.union("", 8, [Member("pid", i32, 0), Member("tid", i32, 0), Member("mm", builder.pointer(mm), 0)])
    members = (
        Member("se", entity, 0),
        Member("", hidden, 128),
        Member("parent", builder.const(task_pointer), 192),
        Member("active_mm", builder.pointer(mm_t), 256),
    )
    builder.define(task, Struct("task_struct", 40, members))
    builder.decl_tag("tagged", task, 2)
    function = builder.function("schedule", builder.prototype(0, [("task", task_pointer)]))
    builder.decl_tag("bpf_kfunc", function)
    builder.typedef("btf_trace_run", builder.pointer(builder.prototype(0, [("", builder.pointer(mm))])))
    builder.enum("color", [("RED", 1), ("BLUE", 2)])
    builder.struct("unrelated", 4, [Member("x", i32, 0)])
    return Btf(builder.bytes())


def struct(btf: Btf, name: str) -> Struct:
    found = btf.type(btf.find(name))
    assert isinstance(found, Struct)
    return found


def test_only_the_chosen_members_stay_and_where_they_were(kernel: Btf) -> None:
    small = Btf(subset(kernel, {"task_struct": {"pid", "parent"}}))
    task = small.find("task_struct", Kind.STRUCT)
    assert [m.name for m in struct(small, "task_struct").members] == ["", "parent"]
    assert small.size(task) == 40
    for name in ("pid", "parent"):
        assert small.member(task, name).bit_offset == kernel.member(kernel.find("task_struct"), name).bit_offset
    for gone in ("tid", "se", "mm"):
        with pytest.raises(KeyError):
            small.member(task, gone)
    assert not small.find_all("mm_struct")
    assert not small.find_all("unrelated")


def test_what_is_pointed_to_is_only_declared_unless_it_is_a_root(kernel: Btf) -> None:
    small = Btf(subset(kernel, {"task_struct": None}))
    assert isinstance(small.type(small.find("mm_struct")), Forward)
    assert [m.name for m in struct(small, "sched_entity").members] == ["mm", "weight"]  # held by value: whole
    assert small.resolve(small.find("mm_t")) == small.find("mm_struct")
    small = Btf(subset(kernel, {"task_struct": None, "mm_struct": {"users"}}))
    assert [m.name for m in struct(small, "mm_struct").members] == ["users"]


def test_functions_typedefs_enums_and_tags(kernel: Btf) -> None:
    small = Btf(subset(kernel, {"schedule": None, "btf_trace_run": None, "color": {"BLUE"}}))
    pointer = small.type(small.prototype(small.find("schedule", Kind.FUNC)).parameters[0].type)
    assert isinstance(pointer, Pointer)
    assert small.type(pointer.type) == Forward("task_struct")
    assert small.describe(small.prototype(small.find("btf_trace_run")).parameters[0].type) == "struct mm_struct *"
    enum = small.type(small.find("color"))
    assert [(v.name, v.value) for v in enum.values] == [("BLUE", 2)]  # type: ignore[union-attr]
    assert [small.type(i) for i in small.ids(Kind.DECL_TAG)] == [DeclTag("bpf_kfunc", small.find("schedule"))]


def test_tags_of_members_follow_their_member(kernel: Btf) -> None:
    small = Btf(subset(kernel, {"task_struct": {"parent"}}))
    assert [small.type(i) for i in small.ids(Kind.DECL_TAG)] == [DeclTag("tagged", small.find("task_struct"), 0)]
    assert not list(Btf(subset(kernel, {"task_struct": {"pid"}})).ids(Kind.DECL_TAG))


def test_the_same_question_gives_the_same_bytes_and_a_cut_cut_again_is_itself(kernel: Btf) -> None:
    first = {"task_struct": {"pid", "parent"}, "mm_struct": None}
    blob = subset(kernel, first)
    assert blob == subset(kernel, dict(reversed(first.items())))
    assert subset(Btf(blob), {"task_struct": None, "mm_struct": None}) == blob


def test_wrong_names_are_told(kernel: Btf) -> None:
    with pytest.raises(KeyError, match=r"task_strct.*did you mean task_struct"):
        subset(kernel, {"task_strct": None})
    with pytest.raises(KeyError, match=r"no member parnt.*did you mean parent"):
        subset(kernel, {"task_struct": {"parnt"}})
    with pytest.raises(KeyError, match="enum color has no GREEN"):
        subset(kernel, {"color": {"GREEN"}})
    with pytest.raises(KeyError, match="neither a struct"):
        subset(kernel, {"schedule": {"x"}})
