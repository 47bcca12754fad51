"""The object's BTF on kernels that do not know all of it, played by a stand-in that checks as old kernels do."""

from __future__ import annotations

import errno
import re

import pytest

from beespace.btf import Btf, BtfBuilder
from beespace.btf.kinds import Kind
from beespace.btf.types import Int, Linkage, Member, Modifier
from beespace.errors import FormatError
from beespace.kernel.object_types import acceptable, load_types
from beespace.syscall import bpf, fake
from beespace.syscall.door import Attributes


class OldKernel:
    """Takes BTF without certain kinds, without kind flags, and with names for all parameters of functions."""

    def __init__(self, *unknown: Kind, flags: bool = True, globals: bool = True) -> None:
        self.unknown = set(unknown)
        self.flags = flags
        self.globals = globals
        self.taken: list[Btf] = []

    def load(self, attributes: Attributes) -> int:
        data = attributes.fields["btf"]
        assert isinstance(data, bytes)
        btf = Btf(data)
        for number in range(1, btf.count):
            kind = btf.kind(number)
            found = btf.type(number)
            if kind in self.unknown:
                return -errno.EINVAL
            if kind is Kind.FUNC:
                if not self.globals and found.linkage is Linkage.GLOBAL:  # type: ignore[union-attr]
                    return -errno.EINVAL
                if any(not p.name and p.type for p in btf.prototype(number).parameters):
                    return -errno.EINVAL
            if kind is Kind.DATASEC and not re.fullmatch(r"[A-Za-z_.][A-Za-z0-9_.]*", found.name):
                return -errno.EINVAL  # any printable character since 6.9
            if not self.flags and getattr(found, "is_signed", False) and kind is Kind.ENUM:
                return -errno.EINVAL
        self.taken.append(btf)
        return fake.open_fd()

    def installed(self) -> fake.Fake:
        return fake.Fake({bpf.Command.BTF_LOAD: self.load})


def everything() -> bytes:
    builder = BtfBuilder()
    number = builder.int("int", 4, signed=True)
    builder.float("double", 8)
    struct = builder.struct("s", 8, [Member("a", number, 0), Member("b", number, 32)])
    builder.decl_tag("tag", struct)
    builder.pointer(builder.type_tag("user", number))
    builder.enum("small", [("minus", -1)])
    builder.enum("big", [("huge", 1 << 40)])
    builder.function("f", builder.prototype(number, [("a", number)]), Linkage.GLOBAL)
    return builder.bytes()


def test_what_is_known_stays_as_it_is() -> None:
    kernel = OldKernel()
    data = everything()
    with fake.installed(kernel.installed()):
        types = load_types(data)
    assert types.descriptor is not None
    types.descriptor.close()
    assert types.notes == ()
    assert [btf.data() for btf in kernel.taken] == [data]


OLD = [Kind.FLOAT, Kind.DECL_TAG, Kind.TYPE_TAG, Kind.ENUM64]


@pytest.mark.parametrize("unknown", [[kind] for kind in OLD] + [OLD])
def test_kinds_that_are_not_known_are_replaced(unknown: list[Kind]) -> None:
    kernel = OldKernel(*unknown)
    data = everything()
    with fake.installed(kernel.installed()):
        types = load_types(data)
    assert types.descriptor is not None
    types.descriptor.close()
    assert len(types.notes) == len(unknown)
    before, after = Btf(data), kernel.taken[-1]
    assert after.count == before.count
    for number in range(1, before.count):
        if before.kind(number) not in unknown:
            assert after.type(number) == before.type(number)
        elif before.kind(number) in (Kind.FLOAT, Kind.ENUM64):
            assert after.size(number) == before.size(number) == 8
            assert isinstance(after.type(number), Int)
        elif before.kind(number) is Kind.TYPE_TAG:
            assert after.resolve(number) == before.resolve(number)
        else:
            assert after.type(number) == Modifier(Kind.CONST, 0)


def test_global_functions_and_signed_enumerations() -> None:
    kernel = OldKernel(*OLD, flags=False, globals=False)
    with fake.installed(kernel.installed()):
        types = load_types(everything())
    assert types.descriptor is not None
    types.descriptor.close()
    after = kernel.taken[-1]
    assert after.type(after.find("f", Kind.FUNC)).linkage is Linkage.STATIC  # type: ignore[union-attr]
    assert sorted(note.split("know ")[1].split(" (")[0] for note in types.notes) == [
        "64-bit enumerations", "declaration tags", "floating-point types", "global functions", "signed enumerations",
        "type tags",
    ]  # fmt: skip


def test_parameters_without_names_get_one() -> None:
    builder = BtfBuilder()
    number = builder.int("int", 4)
    builder.function("f", builder.prototype(number, [("", number), ("named", number)]))
    pointer = builder.prototype(0, [("", builder.pointer(0))])
    kernel = OldKernel()
    with fake.installed(kernel.installed()):
        types = load_types(builder.bytes())
    assert types.descriptor is not None
    types.descriptor.close()
    after = kernel.taken[-1]
    assert [p.name for p in after.prototype(after.find("f")).parameters] == ["_", "named"]
    assert [p.name for p in after.prototype(pointer).parameters] == [""]


def test_names_of_sections_that_older_kernels_refuse() -> None:
    builder = BtfBuilder()
    number = builder.int("int", 4)
    names = ["?.struct_ops", ".data.my-section+1", ".rodata.str1.1"]
    for place, name in enumerate(names):
        builder.section(name, 4, [(builder.variable(f"v{place}", number), 0, 4)])
    kernel = OldKernel()
    with fake.installed(kernel.installed()):
        types = load_types(builder.bytes())
    assert types.descriptor is not None
    types.descriptor.close()
    after = kernel.taken[-1]
    found = [after.name(i) for i in after.ids(Kind.DATASEC)]
    assert found == [".struct_ops", ".data.my_section_1", ".rodata.str1.1"]


def test_what_is_refused_in_every_form_is_left_out() -> None:
    with fake.installed(fake.Fake({})):
        types = load_types(everything())
    assert types.descriptor is None
    assert "without BTF, functions and lines" in types.notes[-1]


def test_no_types_at_all() -> None:
    assert load_types(b"").descriptor is None


def test_declarations_of_the_kernel_are_taken_out() -> None:
    builder = BtfBuilder()
    number = builder.int("int", 4)
    proto = builder.prototype(number, [("", number)])
    function = builder.function("bpf_kfunc", proto, Linkage.EXTERN)
    variable = builder.variable("jiffies", number, Linkage.EXTERN)
    section = builder.section(".ksyms", 0, [(function, 0, 0), (variable, 0, 4)])
    tag = builder.decl_tag("bpf_kfunc", function)
    own = builder.variable("own", number)
    data = builder.section(".data", 4, [(own, 0, 4)])
    btf = Btf(acceptable(builder.bytes()))
    nothing = Modifier(Kind.CONST, 0)
    assert [btf.type(gone) for gone in (function, variable, section, tag)] == [nothing] * 4
    assert btf.type(data) == Btf(builder.bytes()).type(data)
    assert btf.find("own") == own


def test_damaged_types_are_named_so() -> None:
    data = everything()
    for wrong in (data[:30], b"\xeb\x9f" + data[2:], data[:28] + b"\x1f" * 8 + data[36:]):
        with pytest.raises(FormatError, match="BTF"):
            acceptable(wrong)
