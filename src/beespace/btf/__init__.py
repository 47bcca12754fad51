"""Kernel types (BTF): a lazy reader, an encoder, a cutter; values by type (``codec``), types as C (``declarations``).

May import: ``errors`` and the standard library.  Invariant: pure; it takes a buffer and never opens
a file, and damaged data ends in a :class:`~beespace.errors.FormatError`, never in a hang.

The format: Documentation/bpf/btf.rst and include/uapi/linux/btf.h of the kernel.

>>> btf = Btf(open("/sys/kernel/btf/vmlinux", "rb").read())                    # doctest: +SKIP
>>> btf.member(btf.find("task_struct", Kind.STRUCT), "tgid").byte_offset       # doctest: +SKIP
1508
"""

from beespace.btf.builder import BtfBuilder
from beespace.btf.cut import subset
from beespace.btf.kinds import Kind
from beespace.btf.reader import Btf, MemberPath, essential_name
from beespace.btf.types import (
    Array,
    DataSection,
    DeclTag,
    Enum,
    Enumerator,
    Float,
    Forward,
    Function,
    FunctionPrototype,
    Int,
    IntEncoding,
    Linkage,
    Member,
    Modifier,
    Parameter,
    Pointer,
    SectionVariable,
    Struct,
    Type,
    Typedef,
    Variable,
    Void,
)

__all__ = [
    "Btf", "BtfBuilder", "subset", "Kind", "MemberPath", "essential_name",
    "Type", "Void", "Int", "IntEncoding", "Float", "Pointer", "Array", "Struct", "Member", "Enum", "Enumerator",
    "Forward", "Typedef", "Modifier", "Function", "FunctionPrototype", "Parameter", "Linkage",
    "Variable", "DataSection", "SectionVariable", "DeclTag",
]  # fmt: skip
