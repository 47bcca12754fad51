"""``Btf``: one blob of kernel types, decoded as it is touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from beespace.btf.decode import decode_record
from beespace.btf.kinds import KIND, Kind, kind_of, record_words
from beespace.btf.layout import build_index, read_header, unpack_index
from beespace.btf.types import (
    Array,
    Enum,
    Float,
    Forward,
    Function,
    FunctionPrototype,
    Int,
    Member,
    Modifier,
    Pointer,
    Struct,
    Type,
    Typedef,
    Variable,
    Void,
)
from beespace.errors import FormatError
from beespace.record import dataclass
from beespace.typed import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["Btf", "MemberPath", "essential_name"]

# The kernel refuses deeper chains (MAX_RESOLVE_DEPTH, kernel/bpf/btf.c); generous, and still no hang.
_DEPTH = 64
_SMALL = 1 << 16
_MAGIC_LOW = 0x9F  # of 0xEB9F
ByteOrder: TypeAlias = Literal["little", "big"]
_SUGGESTED = 2000  # so many names are compared at most with a wrong one
_FEW = 3  # so many searches for one name are quicker than one for all
_VOID = Void()


def essential_name(name: str) -> str:
    """``name`` without its CO-RE flavour: ``task_struct___old`` -> ``task_struct`` (libbpf's rule)."""
    # The last "___" that has a character before and after it that is no underscore.
    at = name.rfind("___")
    while at > 0:
        if name[at - 1] != "_" and name[at + 3 : at + 4] not in ("", "_"):
            return name[:at]
        at = name.rfind("___", 0, at + 2)
    return name


@dataclass(frozen=True, slots=True)
class MemberPath:
    """Where a member lies.

    ``indices`` are member numbers from the outer struct down through anonymous ones; ``bit_offset``
    is from the start of the outer struct; ``bitfield_size`` is in bits, 0 for an ordinary member.
    """

    indices: tuple[int, ...]
    bit_offset: int
    type_id: int
    bitfield_size: int

    @property
    def byte_offset(self) -> int:
        """Bytes from the start of the struct; of a bitfield, the byte that holds its first bit."""
        return self.bit_offset // 8


class _NotFound(KeyError):
    """No type of that name.  What it may have meant takes a while to find, and many only ask whether there is one."""

    def __init__(self, btf: Btf, name: str, kinds: tuple[Kind, ...]) -> None:
        super().__init__()
        self._btf, self._name, self._kinds = btf, name, kinds

    @property
    def args(self) -> tuple[str]:  # type: ignore[override]  # as KeyError has it, worked out late
        what = " or ".join(kind.name.lower() for kind in self._kinds) or "type"
        near = self._btf.near(self._name, *self._kinds)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        return (f"no {what} {self._name} in BTF{hint}",)

    def __str__(self) -> str:
        return repr(self.args[0])


class Btf:
    """The types of one kernel, module or BPF object.

    ``data`` is any buffer (bytes, memoryview, mmap) and must stay as it is.  ``base`` makes this a
    split BTF, as of a kernel module: its ids and string offsets go on where those of the base end.
    ``index`` is what :meth:`index` of the same data gave earlier; one that does not fit is ignored.
    Types are decoded on first touch.  Raises :class:`FormatError` when the data is damaged.
    """

    def __init__(
        self,
        data: ReadableBuffer,
        base: Btf | None = None,
        *,
        index: ReadableBuffer | None = None,
        pointer_size: int = 8,
    ) -> None:
        self.base = base
        self.pointer_size: int = pointer_size if base is None else base.pointer_size
        self._sections = read_header(data, is_split=base is not None)
        known = unpack_index(self._sections, index) if index is not None else None
        self.index_was_used = known is not None
        self._index = build_index(self._sections) if known is None else known
        self._first_id: int = 1 if base is None else base.count
        self.count: int = self._first_id + len(self._index.positions)  # ids run from 0 (void) to count - 1
        self._first_string: int = 0 if base is None else base.string_end
        self.string_end: int = self._first_string + self._sections.strings_end - self._sections.strings_start
        self._strings_copy: bytes | None = None
        self._asked = 0
        self._flavours: dict[str, list[int]] | None = None
        self._texts: dict[int, str] = {}
        self._room_for_texts = (1 << 20) + 16 * (self.string_end - self._first_string)
        self._types: dict[int, Type] = {0: _VOID}
        self._aligned: dict[int, int] = {}
        self.codecs: dict[tuple[int, str], object] = {}  # kept here by beespace.btf.codec

    def __repr__(self) -> str:
        return f"<Btf of {self.count} types{' on a base' if self.base else ''}>"

    # -- the blob ------------------------------------------------------------------------------------------

    @property
    def byteorder(self) -> ByteOrder:
        """That of the data, and of the machine whose types these are."""
        return "little" if self._sections.data[0] == _MAGIC_LOW else "big"

    def data(self) -> bytes:
        """The whole blob."""
        return self._sections.data.tobytes()

    def index(self) -> bytes:
        """The index, to be kept and given to the constructor next time (native byte order)."""
        return self._index.pack()

    @property
    def _strings(self) -> bytes:
        if self._strings_copy is None:  # memoryview has no find(), so the strings are copied once
            sections = self._sections
            self._strings_copy = sections.data[sections.strings_start : sections.strings_end].tobytes()
        return self._strings_copy

    def string(self, offset: int) -> str:
        """The text at ``offset`` of the string section."""
        if offset == 0:
            return ""
        if offset < self._first_string:
            assert self.base is not None
            return self.base.string(offset)
        text = self._texts.get(offset)
        if text is None:
            start = offset - self._first_string
            end = self._strings.find(b"\0", start)
            if end < 0:
                raise FormatError(f"BTF: a name at {offset} of the string section, which ends at {self.string_end}")
            # Names may overlap, and one of a thousand bytes be a thousand names; encoders write each once.
            self._room_for_texts -= end - start
            if self._room_for_texts < 0:
                raise FormatError(f"BTF: the names in a string section of {len(self._strings)} bytes are without end")
            text = self._texts[offset] = self._strings[start:end].decode("utf-8", "surrogateescape")
        return text

    # -- one type ------------------------------------------------------------------------------------------

    def _record(self, type_id: int) -> tuple[Btf, int]:
        """Who holds the record of a type, and its position in words."""
        owner: Btf | None = self
        while owner is not None and type_id < owner._first_id:
            owner = owner.base
        if owner is None or not owner._first_id <= type_id < owner.count:
            raise FormatError(f"BTF: there is no type {type_id}; ids run from 0 to {self.count - 1}")
        return owner, owner._index.positions[type_id - owner._first_id]

    def owns(self, type_id: int) -> bool:
        """Whether the type is of this blob, not of its base."""
        return self._first_id <= type_id < self.count

    def kind(self, type_id: int) -> Kind:
        """The kind of a type, without decoding it."""
        if type_id == 0:
            return Kind.VOID
        owner, position = self._record(type_id)
        return kind_of(owner._sections.types[position + 1])

    def name(self, type_id: int) -> str:
        """The name of a type, without decoding it; ``""`` if it has none."""
        if type_id == 0:
            return ""
        owner, position = self._record(type_id)
        return owner.string(owner._sections.types[position])

    def type(self, type_id: int) -> Type:
        """The type itself."""
        found = self._types.get(type_id)
        if found is None:
            owner, position = self._record(type_id)
            words = owner._sections.types
            info = words[position + 1]
            length = record_words(info)
            try:
                if length < 0:
                    raise FormatError(f"BTF: kind {info >> 24 & KIND} is not known")
                if position + length > len(words):
                    raise FormatError("BTF: the record runs past the end of the type section")
                found = decode_record(tuple(words[position : position + length]), owner.string)
            except FormatError as error:
                offset = owner._sections.types_start + 4 * position
                raise FormatError(f"{error.message}, in type {type_id}", offset=offset) from None
            self._types[type_id] = found
        return found

    def resolve(self, type_id: int) -> int:
        """The id behind typedefs and modifiers (``const``, ``volatile``, ``restrict``, type tags)."""
        current = type_id
        for _ in range(_DEPTH):
            found = self.type(current)
            if not isinstance(found, (Typedef, Modifier)):
                return current
            current = found.type
        raise self._too_deep(type_id)

    def _too_deep(self, type_id: int) -> FormatError:
        return FormatError(f"BTF: type {type_id} ({self.name(type_id) or 'unnamed'}) is nested without end")

    def size(self, type_id: int) -> int:
        """Size in bytes.  ``TypeError`` for what has none (void, functions, forward declarations)."""
        count = 1
        current = type_id
        for _ in range(_DEPTH):
            match self.type(current):
                case Typedef() | Modifier() | Variable() as inner:
                    current = inner.type
                case Array() as inner:
                    count *= inner.count
                    current = inner.type
                case Pointer():
                    return count * self.pointer_size
                case Int() | Float() | Struct() | Enum() as sized:
                    return count * sized.size
                case other:
                    raise TypeError(f"{self.describe(type_id)} has no size ({type(other).__name__} {other.name})")
        raise self._too_deep(type_id)

    def align(self, type_id: int) -> int:
        """Alignment in bytes as the C compiler gave it; a packed struct has 1."""
        return self._align(type_id, 0)

    def _align(self, type_id: int, depth: int) -> int:
        known = self._aligned.get(type_id)
        if known is not None:
            return known
        if depth > _DEPTH:
            raise self._too_deep(type_id)
        match self.type(type_id):
            case Typedef() | Modifier() | Array() | Variable() as inner:
                found = self._align(inner.type, depth + 1)
            case Pointer():
                found = self.pointer_size
            case Int() | Float() | Enum() as scalar:
                found = min(scalar.size, self.pointer_size) or 1
            case Struct() as struct:
                found = self._align_struct(struct, depth)
            case other:
                raise TypeError(f"{self.describe(type_id)} has no alignment ({type(other).__name__})")
        self._aligned[type_id] = found
        return found

    def _align_struct(self, struct: Struct, depth: int) -> int:
        # BTF does not record __attribute__((packed)); it shows in a member or a size off its alignment.
        widest = 1
        for member in struct.members:
            align = self._align(member.type, depth + 1)
            if not member.bitfield_size and member.bit_offset % (8 * align):
                return 1
            widest = max(widest, align)
        return widest if struct.size % widest == 0 else 1

    def describe(self, type_id: int) -> str:
        """The type as C writes it, in short: ``struct task_struct *``, ``const char[16]``."""
        return self._describe(type_id, 0)

    def _describe(self, type_id: int, depth: int) -> str:
        if depth > _DEPTH:
            raise self._too_deep(type_id)
        match self.type(type_id):
            case Void():
                return "void"
            case Pointer() as pointer:
                inner = self._describe(pointer.type, depth + 1)
                return f"{inner}*" if inner.endswith("*") else f"{inner} *"
            case Array() as array:
                return f"{self._describe(array.type, depth + 1)}[{array.count}]"
            case Modifier() as modifier:
                inner = self._describe(modifier.type, depth + 1)
                if modifier.kind is Kind.TYPE_TAG:
                    return inner
                word = modifier.kind.name.lower()
                return f"{inner} {word}" if inner.endswith("*") else f"{word} {inner}"
            case Struct() as struct:
                return f"{'union' if struct.is_union else 'struct'} {struct.name or '(anonymous)'}"
            case Forward() as forward:
                return f"{'union' if forward.is_union else 'struct'} {forward.name}"
            case Enum() as enum:
                return f"enum {enum.name or '(anonymous)'}"
            case FunctionPrototype() as prototype:
                # Parameters only of the outermost one: they may be functions of functions without end.
                shown = [self._describe(p.type, depth + 1) for p in prototype.parameters] if depth < 2 else ["..."]
                return f"{self._describe(prototype.result, depth + 1)} ({', '.join(shown) or 'void'})"
            case other:
                return other.name or type(other).__name__.lower()

    # -- members and prototypes ----------------------------------------------------------------------------

    def member(self, struct_id: int, name: str) -> MemberPath:
        """Where ``name`` is in a struct or union, also inside its anonymous members.

        Raises ``KeyError`` with what it may have meant, ``TypeError`` if the type has no members.
        """
        outer = self.resolve(struct_id)
        if not isinstance(self.type(outer), Struct):
            raise TypeError(f"{self.describe(struct_id)} has no members")
        seen: set[int] = set()  # one look into each anonymous type is enough, whatever the nesting
        todo: list[tuple[int, tuple[int, ...], int]] = [(outer, (), 0)]
        names: list[str] = []
        while todo:
            struct_id, indices, base = todo.pop()
            if struct_id in seen:
                continue
            seen.add(struct_id)
            struct = self.type(struct_id)
            assert isinstance(struct, Struct)
            inner: list[tuple[int, tuple[int, ...], int]] = []
            for number, member in enumerate(struct.members):
                if member.name == name:
                    return self._path(member, (*indices, number), base)
                if member.name:
                    names.append(member.name)
                    continue
                target = self.resolve(member.type)
                if isinstance(self.type(target), Struct):
                    inner.append((target, (*indices, number), base + member.bit_offset))
            todo.extend(reversed(inner))
        from difflib import get_close_matches

        near = get_close_matches(name, [n for n in names[:_SUGGESTED] if len(n) < 100], 3, 0.6)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise KeyError(f"{self.describe(outer)} has no member {name}{hint}")

    def _path(self, member: Member, indices: tuple[int, ...], base: int) -> MemberPath:
        bit_offset, bits = base + member.bit_offset, member.bitfield_size
        if not bits:  # encoders before Linux 5.0 kept the width of a bitfield in a type of its own
            scalar = self.type(self.resolve(member.type))
            if isinstance(scalar, Int) and (scalar.bits != 8 * scalar.size or scalar.bit_offset):
                bit_offset, bits = bit_offset + scalar.bit_offset, scalar.bits
        return MemberPath(indices, bit_offset, member.type, bits)

    def prototype(self, func_id: int) -> FunctionPrototype:
        """The prototype of a function, of a pointer to one, or of a ``btf_trace_*`` typedef."""
        current = func_id
        for _ in range(_DEPTH):
            match self.type(current):
                case FunctionPrototype() as found:
                    return found
                case Function() | Pointer() | Typedef() | Modifier() as inner:
                    current = inner.type
                case other:
                    raise TypeError(f"{self.describe(func_id)} is no function ({type(other).__name__})")
        raise self._too_deep(func_id)

    # -- by name -------------------------------------------------------------------------------------------

    def find(self, name: str, *kinds: Kind) -> int:
        """The first type of that name (and of one of the kinds, if any are given).

        A definition goes before a forward declaration.  Raises ``KeyError`` with what it may have meant.
        """
        found = self.find_all(name, *kinds)
        if not found:
            raise _NotFound(self, name, kinds)
        return next((i for i in found if self.kind(i) is not Kind.FWD), found[0])

    def find_all(self, name: str, *kinds: Kind) -> list[int]:
        """All types of that name, in the order of their ids."""
        if not name:
            return []
        found = self._named(self._string_offsets(name.encode("utf-8", "surrogateescape")))
        return [type_id for type_id in found if not kinds or self.kind(type_id) in kinds]

    def candidates(self, name: str, *kinds: Kind) -> list[int]:
        """Types whose name without flavour is ``name`` without flavour: ``sk_buff``, ``sk_buff___old``."""
        essential = essential_name(name)
        # A name can be a flavour itself once one is cut off: a___b of a___b___c.  The plain a___b is one of a.
        found = self.find_all(essential, *kinds) if essential_name(essential) == essential else []
        flavoured = self._named(self._flavoured(essential))
        return sorted({*found, *(i for i in flavoured if not kinds or self.kind(i) in kinds)})

    def with_prefix(self, prefix: str, *kinds: Kind) -> list[tuple[str, int]]:
        """Name and id of every type whose name starts with ``prefix``, in the order of their ids."""
        encoded = prefix.encode("utf-8", "surrogateescape")
        offsets = [start + 1 for start in self._occurrences(b"\0" + encoded)]
        offsets += (owner._first_string for owner in self._owners() if owner._strings.startswith(encoded))
        return [(self.name(i), i) for i in self._named(offsets) if not kinds or self.kind(i) in kinds]

    def ids(self, *kinds: Kind) -> Iterator[int]:
        """All ids but 0, or those of the given kinds."""
        for type_id in range(1, self.count):
            if not kinds or self.kind(type_id) in kinds:
                yield type_id

    def _owners(self) -> Iterator[Btf]:
        owner: Btf | None = self
        while owner is not None:
            yield owner
            owner = owner.base

    def _occurrences(self, needle: bytes) -> Iterator[int]:
        """Offsets at which ``needle`` stands, anywhere in the string sections."""
        for owner in self._owners():
            start = owner._strings.find(needle)
            while start >= 0:
                yield owner._first_string + start
                start = owner._strings.find(needle, start + 1)

    def _string_offsets(self, encoded: bytes) -> list[int]:
        """Where ``encoded`` stands as a whole string, here and in the bases."""
        found: list[int] = []
        for owner in self._owners():
            strings, first = owner._strings, owner._first_string
            if owner._first_string and strings.startswith(encoded + b"\0"):  # a split BTF has no empty string
                found.append(first)
            start = strings.find(b"\0" + encoded + b"\0")
            while start >= 0:
                found.append(first + start + 1)
                # Whoever writes large blobs (pahole, libbpf) writes each string once; reading on to the end
                # would cost more than all the rest of a look-up.
                start = strings.find(b"\0" + encoded + b"\0", start + 1) if len(strings) < _SMALL else -1
        if not found:  # no known encoder lets a name start inside another string, but the format allows it
            found.extend(self._occurrences(encoded + b"\0"))
        return found

    def _flavoured(self, essential: str) -> list[int]:
        """Offsets of the strings that are flavours of ``essential``; few types have any."""
        if self._flavours is None and self._asked < _FEW:
            self._asked += 1
            longer = essential.encode("utf-8", "surrogateescape") + b"___"
            offsets = [start + 1 for start in self._occurrences(b"\0" + longer)]
            offsets += (owner._first_string for owner in self._owners() if owner._strings.startswith(longer))
            return [offset for offset in offsets if essential_name(self.string(offset)) == essential]
        if self._flavours is None:
            self._flavours = {}
            for start in self._occurrences(b"___"):
                owner = next(each for each in self._owners() if start >= each._first_string)
                name_start = owner._strings.rfind(b"\0", 0, start - owner._first_string) + 1
                name = self.string(owner._first_string + name_start)
                if essential_name(name) != name:
                    offsets = self._flavours.setdefault(essential_name(name), [])
                    if owner._first_string + name_start not in offsets:
                        offsets.append(owner._first_string + name_start)
        return self._flavours.get(essential, [])

    def _named(self, offsets: Iterable[int]) -> list[int]:
        """Ids of the types whose name is at one of the offsets."""
        found: set[int] = set()
        for offset in offsets:
            for owner in self._owners():
                found.update(owner._first_id + number for number in owner._index.named(offset))
        return sorted(found)

    def near(self, name: str, *kinds: Kind) -> list[str]:
        """Up to three names of types that resemble ``name``, the most alike first."""
        import re
        from difflib import get_close_matches

        # Comparing with all 70 000 names takes seconds: take those of about that length and first letter.
        low, high = max(0, len(name) - 4), len(name) + 3
        pattern = re.compile(rb"(?:(?<=\0)|\A)" + re.escape(name[:1].encode()) + rb"[^\0]{%d,%d}(?=\0)" % (low, high))
        names: set[str] = set()
        for owner in self._owners():
            names.update(found.decode("utf-8", "replace") for found in pattern.findall(owner._strings))
        near = get_close_matches(name, sorted(names)[: 8 * _SUGGESTED], 12, 0.7) if len(name) < 100 else []
        return [candidate for candidate in near if self.find_all(candidate, *kinds)][:3]
