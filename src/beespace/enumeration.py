"""``Enum``, ``IntEnum`` and ``IntFlag`` that cost little where a class is defined.

May import: the standard library.  Invariant: what is here of the classes behaves as in :mod:`enum`; to a type
checker they are those.  There is neither ``auto()`` nor a value computed by a class.

The standard ones take eight microseconds a member, and the kernel's interface has four hundred numbers with names.
"""

from __future__ import annotations

from types import MappingProxyType

from beespace.typed import TYPE_CHECKING, Any

__all__ = ["Enum", "IntEnum", "IntFlag"]

if TYPE_CHECKING:
    from enum import Enum, IntEnum, IntFlag
else:

    class _Enumeration(type):
        """Makes the members of a class: its numbers and texts with public names."""

        def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
            values = {key: value for key, value in namespace.items() if key[0] != "_" and type(value) in (int, str)}
            cls = super().__new__(mcs, name, bases, {k: v for k, v in namespace.items() if k not in values})
            members = cls._members = {}
            known = cls._known = {}
            cls._combined = {}  # of flags
            for key, value in values.items():
                if value not in known:
                    known[value] = cls._member(key, value)
                members[key] = known[value]  # the second name of a number is an alias
                setattr(cls, key, members[key])
            return cls

        def __call__(cls, value: Any) -> Any:
            try:
                return cls._known[value]
            except (KeyError, TypeError):
                return cls._unknown(value)

        def __getitem__(cls, name: str) -> Any:
            return cls._members[name]

        def __iter__(cls) -> Any:
            return iter([member for name, member in cls._members.items() if member.name == name])

        def __len__(cls) -> int:
            return sum(1 for _ in cls)

        def __contains__(cls, member: object) -> bool:
            return isinstance(member, cls)

        def __repr__(cls) -> str:
            return f"<enum {cls.__name__!r}>"

        @property
        def __members__(cls) -> Any:
            return MappingProxyType(cls._members)

    class Enum(metaclass=_Enumeration):
        """As :class:`enum.Enum`."""

        name: str
        value: Any

        @classmethod
        def _member(cls, name: str, value: Any) -> Any:
            member = object.__new__(cls)
            member.name, member.value = name, value
            return member

        @classmethod
        def _unknown(cls, value: Any) -> Any:
            if isinstance(value, cls):
                return value
            raise ValueError(f"{value!r} is not a valid {cls.__qualname__}")

        def __repr__(self) -> str:
            return f"<{type(self).__name__}.{self.name}: {self.value!r}>"

        def __str__(self) -> str:
            return f"{type(self).__name__}.{self.name}"

        def __hash__(self) -> int:
            return hash(self.name)

        def __reduce_ex__(self, protocol: Any) -> Any:
            return type(self), (self.value,)

        def __copy__(self) -> Any:
            return self

        def __deepcopy__(self, memo: Any) -> Any:
            return self

    class IntEnum(int, Enum):
        """As :class:`enum.IntEnum`."""

        __repr__ = Enum.__repr__
        __str__ = int.__repr__
        __hash__ = int.__hash__

        @classmethod
        def _member(cls, name: str, value: int) -> Any:
            member = int.__new__(cls, value)
            member.name, member.value = name, value
            return member

    class IntFlag(IntEnum):
        """As :class:`enum.IntFlag`; ``~`` gives a plain number."""

        @classmethod
        def _unknown(cls, value: Any) -> Any:
            if not isinstance(value, int):
                return super()._unknown(value)
            rest, parts = int(value), []
            for number, member in cls._known.items():
                if number and int(value) & number == number:
                    rest &= ~number
                    parts.append(member.name)
            name = "|".join([*parts, *([str(rest)] if rest else [])]) if parts else None
            made = cls._combined.get(value)
            return made if made is not None else cls._combined.setdefault(int(value), cls._member(name, int(value)))

        def __repr__(self) -> str:
            name = type(self).__name__
            return f"<{name}{'.' + self.name if self.name else ''}: {self.value!r}>"

        def __or__(self, other: Any) -> Any:
            return type(self)(int(self) | int(other)) if isinstance(other, int) else NotImplemented

        def __and__(self, other: Any) -> Any:
            return type(self)(int(self) & int(other)) if isinstance(other, int) else NotImplemented

        def __xor__(self, other: Any) -> Any:
            return type(self)(int(self) ^ int(other)) if isinstance(other, int) else NotImplemented

        __ror__, __rand__, __rxor__ = __or__, __and__, __xor__
