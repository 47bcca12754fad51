"""Contexts and kernel objects that a test makes up, laid out as the kernel's types say.

Fields are given by name; what is not given is zero.  Of a pointer, ``{...}`` makes the struct that it points to, a text
or bytes the memory that it points to, and a number is the address itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from beespace.btf import Btf, Kind, Pointer, Struct
from beespace.btf.codec import codec
from beespace.errors import UsageError
from beespace.hooks import Attachment, Context
from beespace.hooks.syscalls import SYSCALLS
from beespace.session.fake_arguments import (
    RESULT,
    SYSTEM_CALLS,
    in_order,
    parameters_in_registers,
    prototype_of,
    registers_of,
)
from beespace.vm import Memory, Rights

__all__ = ["Fakes"]

_ENTERING = "syscalls/sys_enter_"
_HEADER = 8  # struct trace_entry, which every record begins with (include/linux/trace_events.h)
_LOCATION = "__data_loc_"  # of a text at the end of a tracepoint's record: u32, its length above its place
_WORD = 8
_REGISTERS = 34 * _WORD  # struct user_pt_regs of arm64, the larger one


class Fakes:
    """Makes bytes for programs that run in ``memory``, with pointers to more that it puts there."""

    def __init__(self, memory: Memory, types: Btf) -> None:
        self._memory, self._types = memory, types

    def context(
        self, attachment: Attachment, given: Mapping[str, Any] | Sequence[Any], names: Sequence[str] = ()
    ) -> bytes:
        """The context of a tracepoint (its record), an iterator, or a hook with arguments (slots, or registers).

        ``names`` are those of the arguments where no type says them: of functions of user programs.
        """
        if attachment.hook.context in (Context.TRACEPOINT, Context.ITERATOR):
            if not isinstance(given, Mapping):
                raise UsageError(f"the record of {attachment.target} has fields; give them by name")
            if attachment.hook.context is Context.TRACEPOINT:
                return self._record(attachment.target, given)
            return bytes(self._struct(self._find(f"bpf_iter__{attachment.target}", Kind.STRUCT), given))
        if attachment.hook.context is Context.REGISTERS:
            return self._registers(attachment, given, names)
        return self._arguments(attachment, given)

    def object(self, struct: str, fields: Mapping[str, Any]) -> int:
        """The address of a kernel object."""
        return self._object(self._find(struct, Kind.STRUCT), fields)

    # -- contexts ------------------------------------------------------------------------------------------------

    def _record(self, target: str, fields: Mapping[str, Any]) -> bytes:
        # What a record is called is not said by BTF.
        from beespace.compiler.contexts.event_classes import event_of, records_of

        records = records_of(self._types, event_of(target))
        if len(records) != 1 and not fields:
            return bytes(_HEADER)  # no program that could be compiled reads more of it
        if len(records) != 1:
            raise UsageError(f"these types do not say what a record of {target} is", help="give the context as bytes")
        struct = self._find(records[0], Kind.STRUCT)
        if target.startswith(_ENTERING):
            fields = self._of_system_call(target.removeprefix(_ENTERING), fields)
        plain: dict[str, Any] = {}
        texts: dict[str, bytes] = {}
        for name, value in fields.items():
            if isinstance(value, str | bytes) and self._has(struct, _LOCATION + name):
                texts[name] = _text(value)
            else:
                plain[name] = value
        size = len(self._struct(struct, {}))
        for name, text in texts.items():
            plain[_LOCATION + name] = len(text) << 16 | size + sum(len(texts[each]) for each in texts if each < name)
        return bytes(self._struct(struct, plain)) + b"".join(texts[name] for name in sorted(texts))

    def _of_system_call(self, call: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments of a system call by their names."""
        names = [name for name, _ in SYSCALLS.get(call, ())]
        slots = [0] * 6
        for name in [name for name in fields if name in names]:
            value = fields[name]
            slots[names.index(name)] = self._number(value)
        rest = {name: value for name, value in fields.items() if name not in names}
        return ({"args": tuple(each % (1 << 64) for each in slots)} if any(slots) else {}) | rest

    def _arguments(self, attachment: Attachment, given: Mapping[str, Any] | Sequence[Any]) -> bytes:
        parameters, result = prototype_of(self._types, attachment)
        names = [parameter.name for parameter in parameters]
        types = [parameter.type for parameter in parameters]
        if result:
            names, types = [*names, RESULT], [*types, result]
        slots = (
            self._value(kind, value).ljust(_WORD, b"\0")
            for kind, value in zip(types, in_order(attachment.target, names, given), strict=True)
        )
        return b"".join(slots)

    def _registers(
        self, attachment: Attachment, given: Mapping[str, Any] | Sequence[Any], names: Sequence[str]
    ) -> bytes:
        """``struct pt_regs`` with the arguments of a function, or with its result (``"return"``)."""
        section = attachment.hook.section.removesuffix(".s")
        registers = registers_of(self._types)
        known = parameters_in_registers(self._types, attachment)
        names = [*(names if known is None else known)]
        types = self._types_in_registers(attachment)
        if isinstance(given, Mapping):
            result = given.get(RESULT, 0)
            arguments = in_order(attachment.target, names, {name: v for name, v in given.items() if name != RESULT})
        else:
            result, arguments = 0, list(given)
        frame = bytearray(_REGISTERS)
        places = registers.syscall_arguments if section in SYSTEM_CALLS else registers.arguments
        if len(arguments) > len(places):
            raise UsageError(f"{attachment.target} has {len(places)} arguments in registers, not {len(arguments)}")
        for number, (place, value) in enumerate(zip(places, arguments, strict=False)):
            typed = number < len(types) and isinstance(value, Mapping | str | bytes)
            data = self._value(types[number], value) if typed else self._word(value)
            frame[place : place + _WORD] = data.ljust(_WORD, b"\0")[:_WORD]
        frame[registers.result : registers.result + _WORD] = self._word(result)
        if section in SYSTEM_CALLS:  # the function that is probed gets the address of the caller's registers
            inner = self._memory.add("the registers of the system call", frame, Rights.READ).base
            frame = bytearray(_REGISTERS)
            frame[registers.arguments[0] : registers.arguments[0] + _WORD] = inner.to_bytes(_WORD, "little")
            frame[registers.result : registers.result + _WORD] = self._word(result)
        return bytes(frame)

    def _types_in_registers(self, attachment: Attachment) -> list[int]:
        function = attachment.target.partition("+")[0].rpartition(":")[2]
        found = self._types.find_all(function, Kind.FUNC) if attachment.hook.section.startswith("k") else []
        return [each.type for each in self._types.prototype(found[0]).parameters] if found else []

    def _word(self, value: Any) -> bytes:
        """A register."""
        return (self._number(value) % (1 << 64)).to_bytes(_WORD, "little")

    def _number(self, value: Any) -> int:
        """A number, the address of a text, or that of a list of such, which ends with 0."""
        if isinstance(value, str | bytes):
            return self._text_address(value)
        if isinstance(value, list | tuple):
            words = b"".join(self._word(each) for each in (*value, 0))
            return self._memory.add("a list", bytearray(words), Rights.READ).base
        return int(value)

    # -- values --------------------------------------------------------------------------------------------------

    def _value(self, type_id: int, value: Any) -> bytes:
        kind = self._types.type(self._types.resolve(type_id))
        if isinstance(kind, Pointer):
            if isinstance(value, Mapping):
                return self._object(kind.type, value).to_bytes(_WORD, "little")
            return self._word(value)
        if isinstance(kind, Struct) and isinstance(value, Mapping):
            return bytes(self._struct(type_id, value))
        return codec(self._types, type_id, "little").encode(value)

    def _struct(self, type_id: int, fields: Mapping[str, Any]) -> bytearray:
        struct = self._types.type(self._types.resolve(type_id))
        if not isinstance(struct, Struct):
            raise UsageError(f"{self._types.describe(type_id)} has no fields")
        out = bytearray(struct.size)
        for name, value in fields.items():
            try:
                path = self._types.member(type_id, name)
            except KeyError as error:
                raise UsageError(f"{self._types.describe(type_id)} has no field {name!r}: {error}") from None
            if path.bitfield_size:
                whole = int.from_bytes(out, "little") & ~(((1 << path.bitfield_size) - 1) << path.bit_offset)
                bits = (int(value) & (1 << path.bitfield_size) - 1) << path.bit_offset
                out[:] = (whole | bits).to_bytes(len(out), "little")
                continue
            data = self._value(path.type_id, value)
            out[path.byte_offset : path.byte_offset + len(data)] = data
        return out

    def _object(self, type_id: int, fields: Mapping[str, Any]) -> int:
        return self._memory.add(self._types.describe(type_id), self._struct(type_id, fields), Rights.READ).base

    def _text_address(self, value: str | bytes) -> int:
        return self._memory.add("a text", bytearray(_text(value)), Rights.READ).base

    def _has(self, struct: int, name: str) -> bool:
        try:
            self._types.member(struct, name)
        except KeyError:
            return False
        return True

    def _find(self, name: str, kind: Kind) -> int:
        try:
            return self._types.find(name, kind)
        except KeyError:
            raise UsageError(f"these types have no {kind.name.lower()} {name}") from None


def _text(value: str | bytes) -> bytes:
    """A text ends with 0; bytes are what they are."""
    return value.encode() + b"\0" if isinstance(value, str) else value
