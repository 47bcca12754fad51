"""``Variable``: a global variable of a BPF object, typed by its BTF.

Before loading, :func:`initial_data` puts given values into the bytes that the data maps start with;
after it, :class:`Variable` reads and writes the live map.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache

from beespace.btf import Btf
from beespace.errors import UsageError
from beespace.isa.constants import MapType
from beespace.kernel.maps import BPF_F_MMAPABLE, Map
from beespace.kernel.maps.coding import Coding, Types, coding
from beespace.kernel.maps.words import load, store
from beespace.spec import ObjectSpec, VariableSpec
from beespace.typed import Any

__all__ = ["Variable", "encode", "initial_data"]

_INTEGERS = {1, 2, 4, 8}


def _coding(spec: VariableSpec, types: Types) -> Coding:
    return coding(types, spec.type_id, spec.size, f"variable {spec.name!r}")


def encode(spec: VariableSpec, value: Any, types: Types = lambda: None) -> bytes:
    """``value`` as the variable's bytes.

    Anything that :func:`beespace.btf.codec.codec` takes for its type; bytes are taken as they are, shorter ones
    filled up with zeroes.  An integer may be given as it is written in C: from the smallest signed to the
    largest unsigned number of that size.  :class:`UsageError` if it does not fit.
    """
    if isinstance(value, bytes):
        if len(value) > spec.size:
            raise UsageError(f"variable {spec.name!r} has {spec.size} bytes; {len(value)} do not fit")
        return value.ljust(spec.size, b"\0")
    known = _coding(spec, types)
    if isinstance(value, int) and spec.size in _INTEGERS and type(known.decode(bytes(spec.size))) is int:
        bits = 8 * spec.size
        if not -(1 << bits - 1) <= value < 1 << bits:
            raise UsageError(f"{value} does not fit variable {spec.name!r}, which has {bits} bits")
        return (value % (1 << bits)).to_bytes(spec.size, sys.byteorder)
    try:
        return known.encode(value)
    except UsageError as error:
        raise UsageError(f"variable {spec.name!r}: {error.message}", help=error.help) from None


def initial_data(spec: ObjectSpec, values: Mapping[str, Any], types: Types | None = None) -> dict[str, bytes]:
    """The first content of each data map, with ``values`` written over the object's own.

    ``types`` are those of the object.  :class:`UsageError` names a variable that the object does not have.
    """
    types = types or cache(lambda: Btf(spec.btf) if spec.btf else None)
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
        section[variable.offset : variable.offset + variable.size] = encode(variable, value, types)
    return {name: bytes(content) for name, content in data.items()}


class Variable:
    """One live global variable.

    :attr:`value` is of the variable's type: an integer, ``bool``, ``str`` (of ``char[N]``), tuple,
    :class:`~beespace.btf.codec.Record`, bytes.  One of ``.rodata`` cannot be set any more: the verifier has built on
    its value.  Numbers of 1, 2, 4 and 8 bytes are read and written in one piece where the kernel shares the memory
    (Linux 5.5); of anything else, programs that write at the same time may be seen half-way.
    """

    def __init__(self, spec: VariableSpec, owner: Map, types: Types = lambda: None) -> None:
        self.spec = spec
        self.name = spec.name
        self._map = owner
        self._types = types
        self._known: Coding | None = None
        self._shared = bool(owner.spec.flags & BPF_F_MMAPABLE) or owner.spec.type == MapType.ARENA

    @property
    def read_only(self) -> bool:
        """Whether the value is settled."""
        return self._map.frozen

    @property
    def value(self) -> Any:
        """The value now.  Setting it writes the whole of it; running programs see that at once.

        :class:`UsageError` if the variable is read-only or the value does not fit.
        """
        if self._known is None:
            self._known = _coding(self.spec, self._types)
        return self._known.decode(self.read())

    @value.setter
    def value(self, value: Any) -> None:
        self._refuse_read_only()
        self.write(encode(self.spec, value, self._types))

    def get(self) -> Any:
        """As reading :attr:`value`."""
        return self.value

    def set(self, value: Any) -> None:
        """As setting :attr:`value`."""
        self.value = value

    def read(self) -> bytes:
        """The bytes of the value now."""
        if self._shared:
            return load(self._map.memory(), self.spec.offset, self.spec.size)
        return self._whole()[self.spec.offset : self.spec.offset + self.spec.size]

    def write(self, data: bytes) -> None:
        """Write the bytes of the value, as many as it has; running programs see them at once."""
        self._refuse_read_only()
        if len(data) != self.spec.size:
            raise UsageError(f"variable {self.name!r} has {self.spec.size} bytes, not {len(data)}")
        start = self.spec.offset
        if self._shared:
            store(self._map.memory(), start, data)
        else:  # the whole section is one map value, and what programs write to it meanwhile is overwritten
            whole = bytearray(self._whole())
            whole[start : start + len(data)] = data
            self._map.update(bytes(4), bytes(whole))

    def _refuse_read_only(self) -> None:
        if self.read_only:
            raise UsageError(
                f"variable {self.name!r} is read-only once its object is loaded",
                help="give it to load(): variables={...}",
            )

    def _whole(self) -> bytes:
        return self._map.get(bytes(4)) or bytes(self._map.spec.value_size)

    def __repr__(self) -> str:
        return f"<Variable {self.name!r} of {self._map.name!r}>"
