"""Statistics of the verifier, groups of alternatives, contexts and listings: what needs no kernel."""

from __future__ import annotations

import struct

import pytest

from beespace.btf import Btf, BtfBuilder, Linkage, Member
from beespace.errors import KernelError, NotPermitted, NotSupported, RelocationError, UsageError
from beespace.hooks import by_name
from beespace.kernel import contexts
from beespace.kernel.either import Choice, Group, Refused, groups_of
from beespace.kernel.listing import SourceLine, listing
from beespace.kernel.program import LoadedProgram
from beespace.kernel.verified import Verified, read_statistics
from beespace.spec import FunctionSpec, ObjectSpec, ProgramSpec

# -- statistics ----------------------------------------------------------------------------------------------

OLD = """\
func#0 @0
verification time 104 usec
stack depth 8+40+0
processed 41 insns (limit 1000000) max_states_per_insn 1 total_states 3 peak_states 2 mark_read 1
"""
NEW = """\
verification time 38 usec
stack depth max 48
processed 41 insns (limit 1000000) max_states_per_insn 1 total_states 3 peak_states 2 mark_read 0
"""
GLOBAL_FUNCTIONS = """\
Validating helper() func#1...
processed 9 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
processed 50 insns (limit 1000000) max_states_per_insn 2 total_states 4 peak_states 3 mark_read 2
"""


@pytest.mark.parametrize(
    ("log", "statistics"),
    [
        (OLD, Verified(41, 1_000_000, 1, 3, 2, (8, 40, 0), 104)),
        (NEW, Verified(41, 1_000_000, 1, 3, 2, (48,), 38)),
        (GLOBAL_FUNCTIONS, Verified(50, 1_000_000, 2, 4, 3)),
        ("", None),
        ("0: (95) exit\n", None),
    ],
)
def test_statistics_of_a_log(log: str, statistics: Verified | None) -> None:
    assert read_statistics(log) == statistics


# -- alternatives --------------------------------------------------------------------------------------------


def an_object(*names: str) -> ObjectSpec:
    entry = FunctionSpec("f", bytes(16))
    return ObjectSpec("probe", "GPL", {name: ProgramSpec(name, "xdp", entry) for name in names})


class Loaded:
    """Stands in for a program."""

    def __init__(self, name: str, closed: list[str]) -> None:
        self.name, self._closed = name, closed

    def __enter__(self) -> Loaded:
        return self

    def __exit__(self, *exception: object) -> None:
        self._closed.append(self.name)


def test_groups_are_read() -> None:
    first, second = groups_of(an_object("a", "b", "c", "d"), [("a", "b"), [("c", "d")]])
    assert first.alternatives == (("a",), ("b",)) and second.alternatives == (("c", "d"),)
    assert second.names == {"c", "d"}
    assert groups_of(an_object("a"), ()) == ()
    for wrong in ([()], ["ab"]):
        with pytest.raises(UsageError, match="is no group of alternatives"):
            groups_of(an_object("a", "b"), wrong)


def test_an_alternative_that_fails_halfway_is_closed_and_the_next_is_taken() -> None:
    closed: list[str] = []

    def load(name: str) -> LoadedProgram:
        if name == "b":
            raise RelocationError("this kernel has no function 'b'")
        return Loaded(name, closed)  # type: ignore[return-value]

    (group,) = groups_of(an_object("a", "b", "c"), [(("a", "b"), "c")])
    assert list(group.take(load)) == ["c"]
    assert closed == ["a"]
    assert str(group.choice) == "c was taken; a and b could not be loaded: this kernel has no function 'b'"
    group.refuse(("c",), "attached", KernelError("busy", call="BPF_LINK_CREATE", errno=16))
    with pytest.raises(NotSupported) as caught:
        group.take(load)
    assert group.taken == ()
    assert caught.value.message == (
        "this kernel does not support any of a and b or c: a and b could not be loaded: this kernel has no function "
        "'b'; c could not be attached: busy: BPF_LINK_CREATE failed with EBUSY"
    )


def test_a_lack_of_rights_is_told_as_such() -> None:
    def load(name: str) -> LoadedProgram:
        if name == "a":
            raise NotSupported("fentry", since="5.5")
        raise NotPermitted("load", missing="CAP_BPF", call="BPF_PROG_LOAD", errno=1, help="run it as root")

    (group,) = groups_of(an_object("a", "b"), [("a", "b")])
    with pytest.raises(NotPermitted) as caught:
        group.take(load)
    assert (caught.value.errno, caught.value.help, caught.value.exit_status) == (1, "run it as root", 3)
    assert isinstance(caught.value.__cause__, ExceptionGroup)


def test_an_error_of_the_caller_is_not_an_answer_of_the_kernel() -> None:
    def load(name: str) -> LoadedProgram:
        raise UsageError("no such target")

    (group,) = groups_of(an_object("a", "b"), [("a", "b")])
    with pytest.raises(UsageError, match="no such target"):
        group.take(load)


def test_a_choice_in_words() -> None:
    assert str(Choice(("a",), ())) == "a was taken, the first choice"
    refused = Refused(("x", "y"), "loaded", RelocationError("gone"))
    assert str(Choice(("a", "b"), (refused,))) == "a and b was taken; x and y could not be loaded: gone"
    assert Group((("a",),)).choice.taken == ()


# -- contexts ------------------------------------------------------------------------------------------------


def types_of_a_call() -> Btf:
    """``struct sum { u32 a; u64 total; }; int add(struct sum *)``, and a function without arguments."""
    builder = BtfBuilder()
    narrow, wide = builder.int("u32", 4), builder.int("u64", 8)
    pair = builder.struct("sum", 16, [Member("a", narrow, 0), Member("total", wide, 64)])
    builder.function("add", builder.prototype(narrow, [("sum", builder.pointer(pair))]), Linkage.GLOBAL)
    builder.function("none", builder.prototype(narrow, []), Linkage.GLOBAL)
    return Btf(builder.bytes())


def test_the_context_of_a_call_is_that_of_its_argument() -> None:
    hook, types = by_name("syscall"), types_of_a_call()
    data = contexts.encode_context(hook, {"a": 5}, 0, types, "add")
    assert data == struct.pack("=IxxxxQ", 5, 0)
    assert contexts.decode_context(hook, struct.pack("=IxxxxQ", 5, 9), types, "add").total == 9
    for name, own in (("none", types), ("add", None), ("other", types)):
        with pytest.raises(UsageError, match="nothing says which struct"):
            contexts.encode_context(hook, {"a": 5}, 0, own, name)


def test_a_struct_is_the_object_s_where_the_kernel_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    builder = BtfBuilder()
    narrow = builder.int("u32", 4)
    builder.struct("xdp_md", 8, [Member("data", narrow, 0), Member("data_end", narrow, 32)])
    own = Btf(builder.bytes())
    monkeypatch.setattr(contexts, "_kernel", lambda: None)
    assert contexts.encode_context(by_name("xdp"), {}, 64, own, "x") == struct.pack("=II", 0, 64)
    assert contexts.encode_context(by_name("xdp"), {"data_end": 9}, 64, own, "x") == struct.pack("=II", 0, 9)
    with pytest.raises(UsageError, match="knows struct __sk_buff"):
        contexts.encode_context(by_name("tc"), {"mark": 1}, 64, own, "x")


def test_bytes_and_numbers_are_taken_as_they_are() -> None:
    hook = by_name("raw_tracepoint")
    assert contexts.encode_context(hook, b"abc", 0, None, "f") == b"abc"
    given = bytearray(8)
    assert contexts.encode_context(hook, given, 0, None, "f") is given
    assert contexts.encode_context(hook, [1, -1], 0, None, "f") == struct.pack("=QQ", 1, 2**64 - 1)
    with pytest.raises(UsageError, match="have no struct"):
        contexts.encode_context(hook, {"args": 1}, 0, None, "f")


# -- listing -------------------------------------------------------------------------------------------------


def test_a_listing_has_each_line_before_its_instructions() -> None:
    code = bytes.fromhex("b700000000000000 0700000001000000 0700000001000000 9500000000000000")
    lines = [
        SourceLine(0, "a.c", 7, 5, "    int r = 0;"),
        SourceLine(1, "a.c", 8, 5, "    r++;"),
        SourceLine(2, "a.c", 8, 9, "    r++;"),
    ]
    assert listing(code, lines).splitlines() == [
        "; a.c:7: int r = 0;",
        "   0: (b7) r0 = 0",
        "; a.c:8: r++;",
        "   1: (07) r0 += 1",
        "   2: (07) r0 += 1",
        "   3: (95) exit",
    ]
