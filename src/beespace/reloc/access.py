"""The path to a field: as the compiler wrote it down, and as it is in another kernel."""

from __future__ import annotations

from beespace.btf import Array, Btf, Member, Struct
from beespace.errors import FormatError, RelocationError
from beespace.record import dataclass, field
from beespace.reloc.compatible import fields_are_compatible

__all__ = ["Missing", "Path", "Step", "find_path", "read_path"]

_DEPTH = 64  # BPF_CORE_SPEC_MAX_LEN of libbpf


@dataclass(frozen=True, slots=True)
class Step:
    """A turning point: a named member of struct ``type_id``, or element ``index`` of type ``type_id``."""

    type_id: int
    index: int
    name: str | None


@dataclass(frozen=True, slots=True)
class Path:
    """The steps to a field and its place, in bits from where the outermost pointer points."""

    btf: Btf
    root: int
    steps: tuple[Step, ...]
    bit_offset: int

    @property
    def last(self) -> Step:
        """The step that names the field itself."""
        return self.steps[-1]

    def member(self) -> Member:
        """The field, if the last step is a named one."""
        struct = self.btf.type(self.last.type_id)
        assert isinstance(struct, Struct)
        return struct.members[self.last.index]

    def __str__(self) -> str:
        text = ""
        for number, step in enumerate(self.steps):
            if step.name is not None:
                text += f".{step.name}" if text else step.name
            elif number or step.index:
                text += f"[{step.index}]"
        return text


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no such path; ``name`` is a member that struct ``holder`` of ``btf`` lacks, if that is it."""

    reason: str
    btf: Btf | None = None
    holder: int = 0
    name: str = ""

    def suggestion(self) -> str:
        """The reason, with the names of members that may be the new name of the one that is gone."""
        if self.btf is not None:
            try:
                self.btf.member(self.holder, self.name)
            except KeyError as error:
                return str(error.args[0])
        return self.reason


def _indices(access: str) -> list[int]:
    parts = access.split(":")
    if not all(part.isdecimal() and part.isascii() for part in parts) or len(parts) > _DEPTH:
        raise FormatError(f"CO-RE: {access!r} is no path of at most {_DEPTH} indices")
    return [int(part) for part in parts]


def read_path(btf: Btf, type_id: int, access: str) -> Path:
    """The path that ``0:1:2`` describes: an index of the pointer, then of members and array elements.

    Members without a name are passed through silently: the target may have them otherwise.
    """
    first, *rest = _indices(access)
    root = current = btf.resolve(type_id)
    steps = [Step(root, first, None)]
    bit_offset = first * _size(btf, root) * 8
    for index in rest:
        holder = btf.resolve(current)
        match btf.type(holder):
            case Struct() as struct if index < len(struct.members):
                member = struct.members[index]
                bit_offset += member.bit_offset
                if member.name:
                    steps.append(Step(holder, index, member.name))
                current = member.type
            case Array() as array if index < array.count or _is_flexible(btf, steps[-1], array):
                current = btf.resolve(array.type)
                steps.append(Step(current, index, None))
                bit_offset += index * _size(btf, current) * 8
            case _:
                raise FormatError(f"CO-RE: {access!r} leads out of {btf.describe(type_id)} at {btf.describe(holder)}")
    return Path(btf, root, tuple(steps), bit_offset)


def _size(btf: Btf, type_id: int) -> int:
    try:
        return btf.size(type_id)
    except TypeError as error:
        raise FormatError(f"CO-RE: {error}") from None


def _is_flexible(btf: Btf, step: Step, array: Array) -> bool:
    """Whether ``array`` is ``member[]`` at the end of its struct, which has elements beyond its count."""
    if step.name is None or array.count:
        return False
    struct = btf.type(step.type_id)
    return isinstance(struct, Struct) and step.index == len(struct.members) - 1


def find_path(local: Path, btf: Btf, root: int) -> Path | Missing:
    """The path in ``btf`` that has the same names and indices, or why there is none."""
    return _Search(local, btf).run(root)


@dataclass(slots=True)
class _Search:
    local: Path
    btf: Btf
    steps: list[Step] = field(default_factory=list)
    bit_offset: int = 0
    length: int = 0  # of the path with its members that have no name

    def run(self, root: int) -> Path | Missing:
        current = root
        for number, step in enumerate(self.local.steps):
            holder = self.btf.resolve(current)
            if step.name is not None:
                found = self._member(step, holder)
                if isinstance(found, Missing):
                    return found
                current = found
                continue
            current = holder
            if number:
                array = self.btf.type(holder)
                if not isinstance(array, Array):
                    return Missing(f"{self.btf.describe(holder)} there is no array")
                if step.index >= array.count and not _is_flexible(self.btf, self.steps[-1], array):
                    return Missing(f"the array has only {array.count} elements there")
                current = self.btf.resolve(array.type)
            self._deeper(self.length + 1)
            self.steps.append(Step(current, step.index, None))
            if step.index:
                self.bit_offset += step.index * _size(self.btf, current) * 8
        return Path(self.btf, root, tuple(self.steps), self.bit_offset)

    def _deeper(self, length: int) -> None:
        if length > _DEPTH:  # libbpf and the kernel refuse such objects, too
            raise RelocationError(f"the path to {self.local} is longer than {_DEPTH} members in the kernel's type")
        self.length = length

    def _member(self, step: Step, holder: int) -> int | Missing:
        """Step to the member of that name in ``holder``; gives its type, or why there is none."""
        if not isinstance(self.btf.type(holder), Struct):
            return Missing(f"{self.btf.describe(holder)} there has no members")
        local_struct = self.local.btf.type(step.type_id)
        assert isinstance(local_struct, Struct)
        wanted = local_struct.members[step.index]
        reason = ""
        seen: set[int] = set()
        todo = [(holder, self.bit_offset, self.length + 1)]
        while todo:
            type_id, offset, length = todo.pop()
            struct = self.btf.type(type_id)
            if type_id in seen or not isinstance(struct, Struct):
                continue
            seen.add(type_id)
            self._deeper(length)
            inner: list[tuple[int, int, int]] = []
            for index, member in enumerate(struct.members):
                if not member.name:
                    inner.append((self.btf.resolve(member.type), offset + member.bit_offset, length + 1))
                elif member.name == step.name:
                    if fields_are_compatible(self.local.btf, wanted.type, self.btf, member.type):
                        self.steps.append(Step(type_id, index, member.name))
                        self.bit_offset = offset + member.bit_offset
                        return member.type
                    here, there = self.local.btf.describe(wanted.type), self.btf.describe(member.type)
                    reason = f"{member.name} is {there} there, not {here}"
            todo.extend(reversed(inner))
        if reason:
            return Missing(reason)
        return Missing(f"{self.btf.describe(holder)} has no member {step.name}", self.btf, holder, wanted.name)
