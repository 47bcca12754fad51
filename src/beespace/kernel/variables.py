"""``Variable``: a global variable of a BPF object, typed by its size and BTF.

Before loading, :func:`initial_data` puts given values into the bytes that the data maps start with;
after it, :class:`Variable` reads and writes the live map.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from beespace.btf import Btf
from beespace.btf.types import Enum, Int, Pointer
from beespace.errors import UsageError
from beespace.kernel.maps import BPF_F_MMAPABLE, Map
from beespace.spec import ObjectSpec, VariableSpec

__all__ = ["Variable", "encode", "initial_data", "is_signed"]

_INTEGERS = {1, 2, 4, 8}


def is_signed(spec: VariableSpec, btf: Btf | None) -> bool | None:
    """Whether the variable is a signed or an unsigned integer; ``None``: it is no integer, but bytes.

    Without BTF, everything of the size of an integer is taken for an unsigned one.
    """
    if btf is None or not spec.type_id:
        return False if spec.size in _INTEGERS else None
    match btf.type(btf.resolve(spec.type_id)):
        case Int() as found if found.size in _INTEGERS:
            return found.is_signed
        case Enum() as found:
            return found.is_signed
        case Pointer():
            return False
        case _:
            return None


def encode(spec: VariableSpec, value: int | bytes) -> bytes:
    """``value`` as the variable's bytes; shorter bytes are filled up with zeroes.

    An integer may be given as it is written in C: from the smallest signed to the largest
    unsigned number of that size.  :class:`UsageError` if it does not fit.
    """
    if isinstance(value, bytes):
        if len(value) > spec.size:
            raise UsageError(f"variable {spec.name!r} has {spec.size} bytes; {len(value)} do not fit")
        return value.ljust(spec.size, b"\0")
    bits = 8 * spec.size
    if spec.size not in _INTEGERS:
        raise UsageError(f"variable {spec.name!r} has {spec.size} bytes and is no integer", help="give it bytes")
    if not -(1 << bits - 1) <= value < 1 << bits:
        raise UsageError(f"{value} does not fit variable {spec.name!r}, which has {bits} bits")
    return (value % (1 << bits)).to_bytes(spec.size, sys.byteorder)


def initial_data(spec: ObjectSpec, values: Mapping[str, int | bytes]) -> dict[str, bytes]:
    """The first content of each data map, with ``values`` written over the object's own.

    :class:`UsageError` names a variable that the object does not have.
    """
    data = {name: bytearray(content) for name, content in spec.data.items()}
    for name, value in values.items():
        variable = spec.variables.get(name)
        if variable is None:
            from difflib import get_close_matches

            near = get_close_matches(name, spec.variables, 3)
            known = " or ".join(near) if near else ", ".join(sorted(spec.variables)) or "none"
            raise UsageError(
                f"object {spec.name!r} has no variable {name!r}",
                help=f"did you mean {known}?" if near else f"its variables: {known}",
            )
        section = data.setdefault(variable.map, bytearray(spec.maps[variable.map].value_size))
        section[variable.offset : variable.offset + variable.size] = encode(variable, value)
    return {name: bytes(content) for name, content in data.items()}


class Variable:
    """One live global variable.

    A variable of ``.rodata`` cannot be set any more: the verifier has built on its value.
    """

    def __init__(self, spec: VariableSpec, owner: Map, signed: bool | None) -> None:
        self.spec = spec
        self.name = spec.name
        self._map = owner
        self._signed = signed

    @property
    def read_only(self) -> bool:
        """Whether the value is settled."""
        return self._map.frozen

    def get(self) -> int | bytes:
        """The value now: an integer, or the bytes of what is none (arrays, structs)."""
        start, end = self.spec.offset, self.spec.offset + self.spec.size
        if self._map.spec.flags & BPF_F_MMAPABLE:
            raw = bytes(self._map.memory()[start:end])
        else:
            raw = self._whole()[start:end]
        return raw if self._signed is None else int.from_bytes(raw, sys.byteorder, signed=self._signed)

    def set(self, value: int | bytes) -> None:
        """Write the value; running programs see it at once.

        :class:`UsageError` if the variable is read-only or the value does not fit.
        """
        if self.read_only:
            raise UsageError(
                f"variable {self.name!r} is read-only once its object is loaded",
                help="give it to load(): variables={...}",
            )
        raw = encode(self.spec, value)
        start = self.spec.offset
        if self._map.spec.flags & BPF_F_MMAPABLE:
            self._map.memory()[start : start + len(raw)] = raw
        else:  # the whole section is one map value, and what programs write to it meanwhile is overwritten
            whole = bytearray(self._whole())
            whole[start : start + len(raw)] = raw
            self._map.update(bytes(4), bytes(whole))

    def _whole(self) -> bytes:
        return self._map.get(bytes(4)) or bytes(self._map.spec.value_size)

    def __repr__(self) -> str:
        return f"<Variable {self.name!r} of {self._map.name!r}>"
