"""``relocate``: every CO-RE record of an object against the target's types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from beespace.btf import Btf, Enum, Kind, essential_name
from beespace.errors import BeespaceError, FormatError, RelocationError
from beespace.isa import ByteOrder, InsnClass, turn
from beespace.isa.constants import CoreRelocKind
from beespace.record import dataclass, replace
from beespace.reloc.access import Missing, Path, find_path, read_path
from beespace.reloc.compatible import candidate_kinds, types_are_compatible, types_match
from beespace.reloc.patch import patch, poison
from beespace.reloc.report import Relocation, Report, source_of
from beespace.reloc.value import (
    ENUM_KINDS,
    FIELD_KINDS,
    TYPE_KINDS,
    Value,
    enumerator_value,
    field_value,
    may_resize,
)
from beespace.spec import CoreReloc, FunctionSpec, ObjectSpec

__all__ = ["relocate"]

_SUGGESTIONS = 20


def relocate(spec: ObjectSpec, local: Btf, targets: Sequence[Btf]) -> tuple[ObjectSpec, Report]:
    """Patch every instruction that depends on the layout of kernel types.

    ``local`` are the object's own types; ``targets`` the kernel's, then those of its modules, which are read and
    searched (all of them) only for types that the kernel itself lacks.  What cannot be met is poisoned: the
    verifier refuses the program if that instruction can be reached, and the report says what it was.

    Raises :class:`RelocationError` if several types of a name give different answers, or the object
    contradicts its own types; :class:`FormatError` if its records are damaged.
    """
    session = _Session(local, targets, spec.byteorder)
    programs = {n: replace(p, entry=session.function(p.entry)) for n, p in spec.programs.items()}
    subprograms = {n: session.function(f) for n, f in spec.subprograms.items()}
    return replace(spec, programs=programs, subprograms=subprograms), Report(tuple(session.done))


@dataclass(frozen=True, slots=True)
class _Candidate:
    btf: Btf
    type_id: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one candidate says; ``value`` ``None``: it does not have what is asked for."""

    value: Value | None
    missing: Missing | None = None
    bit_offset: int = 0

    def differs(self, other: _Answer) -> bool:
        """Whether the two cannot both be right."""
        assert self.value is not None and other.value is not None
        return (self.bit_offset, self.value.number) != (other.bit_offset, other.value.number)


class _Session:
    def __init__(self, local: Btf, targets: Sequence[Btf], byteorder: ByteOrder) -> None:
        self.byteorder = byteorder
        self.local = local
        self.targets = targets
        self.done: list[Relocation] = []
        self.found: dict[int, list[_Candidate]] = {}
        self.suggestions = 0

    def function(self, function: FunctionSpec) -> FunctionSpec:
        if not function.core:
            return function
        code = bytearray(self.turned(function.code))
        for record in function.core:
            try:
                self.done.append(self._record(function, record, code))
            except BeespaceError as error:
                source = source_of(function, record.index)
                where = f"{function.name}, instruction {record.index}{f', {source}' if source else ''}"
                message = f"CO-RE relocation in {where}: {error.message}"
                if isinstance(error, FormatError):
                    raise FormatError(message, help=error.help) from error
                raise RelocationError(message, help=error.help) from error
        return replace(function, code=self.turned(bytes(code)))

    def turned(self, code: bytes) -> bytes:
        """Code of the object's byte order as little-endian one, and back."""
        return turn(code) if self.byteorder == "big" else code

    def _record(self, function: FunctionSpec, record: CoreReloc, code: bytearray) -> Relocation:
        if not 0 <= 8 * record.index < len(code):
            raise FormatError("the record is for an instruction beyond the end of the function")
        try:
            kind = CoreRelocKind(record.kind)
        except ValueError:
            raise FormatError(f"kind {record.kind} of relocation is not known") from None
        question = _question(self.local, kind, record)
        value, missing = self._answer(question)
        reason = self._reason(missing) if value is None and missing else ""
        expected = question.expected
        if value is not None and value.size and _is_access(code, record.index):
            target = self.found[record.type_id][0].btf
            if not may_resize(self.local, expected, target, value):
                reason = f"it is {target.describe(value.type_id)} there: a load of {expected.size} bytes errs"
                value = None
        if value is None:
            poison(code, record.index)
        else:
            patch(code, record.index, expected, value)
        number = None if value is None else value.number
        source = source_of(function, record.index)
        return Relocation(
            function.name, record.index, kind, question.what, expected.number, number, reason, source,
        )  # fmt: skip

    def _reason(self, missing: Missing) -> str:
        self.suggestions += 1  # to compare names takes time, and nobody reads a hundred
        return missing.suggestion() if self.suggestions <= _SUGGESTIONS else missing.reason

    def _answer(self, question: _Question) -> tuple[Value | None, Missing | None]:
        if question.kind is CoreRelocKind.TYPE_ID_LOCAL:
            return question.expected, None
        candidates = self._candidates(question.type_id)
        best: _Answer | None = None
        matching: list[_Candidate] = []
        missing = None if candidates else Missing(f"there is no {question.type_name}")
        for candidate in candidates:
            answer = question.ask(candidate)
            if answer.value is None:
                missing = missing or answer.missing
                continue
            matching.append(candidate)
            if best is None:
                best = answer
            elif answer.differs(best):
                first, second = (f"{c.btf.describe(c.type_id)} [{c.type_id}]" for c in (matching[0], candidate))
                raise RelocationError(
                    f"{question.what} is ambiguous: {first} and {second} of the kernel give different answers",
                    help="give the local type more members (a flavour, type___x), so that only one of them fits",
                )
        if best is None:
            return question.without(), missing
        self.found[question.type_id] = matching  # candidates that do not fit are not asked again
        return best.value, None

    def _candidates(self, type_id: int) -> list[_Candidate]:
        known = self.found.get(type_id)
        if known is None:
            name = self.local.name(type_id)
            if not name:
                raise RelocationError(f"{self.local.describe(type_id)} has no name by which to find it in the kernel")
            kinds = candidate_kinds(self.local.kind(type_id))
            targets = iter(self.targets)
            known = [_Candidate(t, i) for t in islice(targets, 1) for i in t.candidates(name, *kinds)]
            if not known:  # only now are the types of modules read
                known = [_Candidate(t, i) for t in targets for i in t.candidates(name, *kinds) if t.owns(i)]
            self.found[type_id] = known
        return known


def _is_access(code: bytearray, index: int) -> bool:
    return code[8 * index] & 7 in (InsnClass.LDX, InsnClass.ST, InsnClass.STX)


@dataclass(frozen=True, slots=True)
class _Question:
    """What a record asks, in the object's own types."""

    local: Btf
    kind: CoreRelocKind
    type_id: int
    expected: Value
    path: Path | None = None
    enumerator: str = ""

    @property
    def type_name(self) -> str:
        """The type that is looked for, without flavour."""
        description = self.local.describe(self.type_id)
        name = self.local.name(self.type_id)
        return description.replace(name, essential_name(name)) if name else description

    @property
    def what(self) -> str:
        """In words."""
        if self.path is not None and len(self.path.steps) > 1:
            return f"field {self.path} of {self.type_name}"
        if self.enumerator:
            return f"enumerator {essential_name(self.enumerator)} of {self.type_name}"
        return f"{'typedef' if self.local.kind(self.type_id) is Kind.TYPEDEF else 'type'} {self.type_name}"

    def without(self) -> Value | None:
        """The answer when no type of the kernel fits: 0 where that is an answer, else poison."""
        nothing_is_an_answer = self.kind in TYPE_KINDS or self.kind in _EXISTS
        return Value(0) if nothing_is_an_answer else None

    def ask(self, candidate: _Candidate) -> _Answer:
        """What one type of the kernel says."""
        if self.kind in FIELD_KINDS:
            return self._field(candidate)
        if self.kind in ENUM_KINDS:
            return self._enumerator(candidate)
        return self._type(candidate)

    def _field(self, candidate: _Candidate) -> _Answer:
        assert self.path is not None
        found = find_path(self.path, candidate.btf, candidate.type_id)
        if isinstance(found, Missing):
            return _Answer(None, found)
        value = Value(1) if self.kind is CoreRelocKind.FIELD_EXISTS else field_value(self.kind, found)
        return _Answer(value, None, found.bit_offset)

    def _enumerator(self, candidate: _Candidate) -> _Answer:
        target = candidate.btf.resolve(candidate.type_id)
        enum = candidate.btf.type(target)
        wanted = essential_name(self.enumerator)
        for index, value in enumerate(enum.values if isinstance(enum, Enum) else ()):
            if essential_name(value.name) == wanted:
                exists = self.kind is CoreRelocKind.ENUMVAL_EXISTS
                return _Answer(Value(1) if exists else enumerator_value(candidate.btf, target, index))
        return _Answer(None, Missing(f"{candidate.btf.describe(target)} has no {wanted}"))

    def _type(self, candidate: _Candidate) -> _Answer:
        fits = types_match if self.kind is CoreRelocKind.TYPE_MATCHES else types_are_compatible
        if not fits(self.local, self.type_id, candidate.btf, candidate.type_id):
            return _Answer(None, Missing(f"{candidate.btf.describe(candidate.type_id)} there is another type"))
        return _Answer(_type_value(self.kind, candidate.btf, candidate.type_id))


_EXISTS = frozenset({CoreRelocKind.FIELD_EXISTS, CoreRelocKind.ENUMVAL_EXISTS})
_ONE: Mapping[CoreRelocKind, int] = {CoreRelocKind.TYPE_EXISTS: 1, CoreRelocKind.TYPE_MATCHES: 1}


def _type_value(kind: CoreRelocKind, btf: Btf, type_id: int) -> Value:
    if kind in _ONE:
        return Value(1)
    if kind is CoreRelocKind.TYPE_SIZE:
        try:
            return Value(btf.size(type_id))
        except TypeError as error:
            raise RelocationError(str(error)) from None
    return Value(type_id, exact=False)  # ids may have changed when objects were linked


def _question(local: Btf, kind: CoreRelocKind, record: CoreReloc) -> _Question:
    if kind in FIELD_KINDS:
        path = read_path(local, record.type_id, record.access)
        expected = Value(1) if kind is CoreRelocKind.FIELD_EXISTS else field_value(kind, path)
        return _Question(local, kind, record.type_id, expected, path)
    if kind in ENUM_KINDS:
        resolved = local.resolve(record.type_id)
        enum = local.type(resolved)
        index = int(record.access) if record.access.isdecimal() else -1
        if not isinstance(enum, Enum) or not 0 <= index < len(enum.values):
            raise FormatError(f"{record.access!r} is no enumerator of {local.describe(record.type_id)}")
        exists = kind is CoreRelocKind.ENUMVAL_EXISTS
        expected = Value(1) if exists else enumerator_value(local, resolved, index)
        return _Question(local, kind, record.type_id, expected, enumerator=enum.values[index].name)
    if record.access != "0":
        raise FormatError(f"a relocation of a type has the access string {record.access!r}, not '0'")
    return _Question(local, kind, record.type_id, _type_value(kind, local, record.type_id))
