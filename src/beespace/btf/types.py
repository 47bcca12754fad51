"""The types themselves, as frozen data.

``type`` fields are ids in the :class:`~beespace.btf.Btf` that the type came from; 0 is ``void``.
Sizes are bytes, offsets of members are bits.
"""

from __future__ import annotations

from beespace.btf.kinds import Kind
from beespace.enumeration import IntEnum, IntFlag
from beespace.record import dataclass

__all__ = [
    "Array", "DataSection", "DeclTag", "Enum", "Enumerator", "Float", "Forward", "Function", "FunctionPrototype",
    "Int", "IntEncoding", "Linkage", "Member", "Modifier", "Parameter", "Pointer", "SectionVariable", "Struct",
    "Type", "Typedef", "Variable", "Void",
]  # fmt: skip


class IntEncoding(IntFlag):
    """``BTF_INT_*``."""

    NONE = 0
    SIGNED = 1
    CHAR = 2
    BOOL = 4


class Linkage(IntEnum):
    """``enum btf_func_linkage``; variables use the same numbers (``BTF_VAR_*``)."""

    STATIC = 0
    GLOBAL = 1
    EXTERN = 2


@dataclass(frozen=True, slots=True)
class Void:
    """Type 0."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Int:
    """An integer.  ``bits`` differs from ``8 * size`` only in bitfields of old encoders."""

    name: str
    size: int
    encoding: IntEncoding = IntEncoding.NONE
    bits: int = 0
    bit_offset: int = 0

    @property
    def is_signed(self) -> bool:
        """Whether the value is two's complement."""
        return bool(self.encoding & IntEncoding.SIGNED)


@dataclass(frozen=True, slots=True)
class Float:
    """A floating-point number."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Pointer:
    """A pointer to ``type``."""

    type: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Array:
    """``count`` elements of ``type``."""

    type: int
    index_type: int
    count: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a struct or union.

    ``bit_offset`` counts from the start of the struct; ``bitfield_size`` is 0 for an ordinary
    member.  An anonymous struct or union has the name ``""``.
    """

    name: str
    type: int
    bit_offset: int = 0
    bitfield_size: int = 0


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct or union."""

    name: str
    size: int
    members: tuple[Member, ...]
    is_union: bool = False
    has_bitfields: bool = False  # kind_flag: members carry bitfield sizes of their own


@dataclass(frozen=True, slots=True)
class Enumerator:
    """One name of an enumeration."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Enum:
    """An enumeration; ``is_64`` ones have 64-bit values in their record (``BTF_KIND_ENUM64``)."""

    name: str
    size: int
    values: tuple[Enumerator, ...]
    is_signed: bool = False
    is_64: bool = False


@dataclass(frozen=True, slots=True)
class Forward:
    """``struct name;`` or ``union name;``: declared, not defined."""

    name: str
    is_union: bool = False


@dataclass(frozen=True, slots=True)
class Typedef:
    """``typedef type name;``"""

    name: str
    type: int


@dataclass(frozen=True, slots=True)
class Modifier:
    """``const``, ``volatile``, ``restrict``, or a type tag (then ``name`` is the tag's text)."""

    kind: Kind
    type: int
    name: str = ""
    is_attribute: bool = False  # kind_flag of a type tag: any __attribute__, not a btf_type_tag


@dataclass(frozen=True, slots=True)
class Function:
    """A function; ``type`` is its :class:`FunctionPrototype`."""

    name: str
    type: int
    linkage: Linkage = Linkage.STATIC


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter.  The last one having neither name nor type stands for ``...``."""

    name: str
    type: int


@dataclass(frozen=True, slots=True)
class FunctionPrototype:
    """Parameters, and the type that is returned."""

    result: int
    parameters: tuple[Parameter, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """A global variable."""

    name: str
    type: int
    linkage: Linkage = Linkage.STATIC


@dataclass(frozen=True, slots=True)
class SectionVariable:
    """Where a :class:`Variable` lies in its section, in bytes."""

    type: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class DataSection:
    """An ELF data section with its variables."""

    name: str
    size: int
    variables: tuple[SectionVariable, ...]


@dataclass(frozen=True, slots=True)
class DeclTag:
    """A ``btf_decl_tag`` on ``type`` itself (``component`` -1), or on its member or parameter so numbered."""

    name: str
    type: int
    component: int = -1
    is_attribute: bool = False


Type = (
    Void
    | Int
    | Float
    | Pointer
    | Array
    | Struct
    | Enum
    | Forward
    | Typedef
    | Modifier
    | Function
    | FunctionPrototype
    | Variable
    | DataSection
    | DeclTag
)
