"""Which kinds of type information the kernel takes from objects, by loading a tiny sample of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from beespace.btf import BtfBuilder, Linkage, Member
from beespace.errors import KernelError, NotPermitted, NotSupported
from beespace.kernel.features.feature import Feature, attempt
from beespace.syscall import bpf

__all__ = ["BTF_KINDS", "btf_kind", "btf_kinds"]


def _int(builder: BtfBuilder) -> int:
    return builder.int("int", 4, signed=True)


def _function(linkage: Linkage) -> Callable[[BtfBuilder], object]:
    return lambda builder: builder.function("f", builder.prototype(0, []), linkage)


def _section(builder: BtfBuilder) -> None:
    variable = builder.variable("v", _int(builder), Linkage.STATIC)
    builder.section(".data", 4, [(variable, 0, 4)])


def _tag_of_a_variable(builder: BtfBuilder) -> None:
    builder.decl_tag("tag", builder.variable("v", _int(builder), Linkage.STATIC))


def _bit_fields(builder: BtfBuilder) -> None:
    builder.struct("s", 4, [Member("a", _int(builder), 0, 3), Member("b", 1, 3, 5)])


# Name -> a sample; the number in the comment is the first kernel that takes it.
BTF_KINDS: dict[str, Callable[[BtfBuilder], object]] = {
    "integers": _int,  # 4.18
    "bit-fields in structs": _bit_fields,  # 5.0
    "functions": _function(Linkage.STATIC),  # 5.0
    "global functions": _function(Linkage.GLOBAL),  # 5.6
    "variables and sections": _section,  # 5.2
    "floating point": lambda b: b.float("float", 4),  # 5.13
    "declaration tags": lambda b: b.decl_tag("tag", b.struct("s", 0, ())),  # 5.16
    "declaration tags of variables": _tag_of_a_variable,  # 5.16
    "type tags": lambda b: b.pointer(b.type_tag("tag", _int(b))),  # 5.17
    "signed enumerations": lambda b: b.enum("e", [("e_a", -1)]),  # 6.0
    "64-bit enumerations": lambda b: b.enum("e", [("e_a", 1)], size=8),  # 6.0
}


def btf_kind(name: str) -> Feature:
    """Whether objects may have that kind of type; ``KeyError`` for a name that is not in :data:`BTF_KINDS`."""
    sample = BTF_KINDS[name]
    return attempt("type", name, lambda: _load(name, sample))


def btf_kinds() -> Iterator[Feature]:
    """All of :data:`BTF_KINDS`."""
    for name in BTF_KINDS:
        yield btf_kind(name)


def _load(name: str, sample: Callable[[BtfBuilder], object]) -> None:
    builder = BtfBuilder()
    sample(builder)
    try:
        bpf.btf_load(builder.bytes())[0].close()
    except NotPermitted:
        raise
    except KernelError as error:
        raise NotSupported(f"{name} in types (older)", call=error.call, errno=error.errno) from error
