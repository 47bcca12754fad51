"""``@dataclass``, ``field`` and ``replace`` that cost little where a class is defined.

May import: the standard library.  Invariant: the classes behave as those of :mod:`dataclasses`, whose functions
take them too; to a type checker they are those.

The standard decorator compiles six methods from text, half a millisecond a class, and imports ``inspect``.  A start
goes through some hundred classes and makes instances of half of them.  Here all methods but ``__init__`` are
shared, and ``__init__`` is compiled when the first instance is made.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from types import MethodType
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass", "field", "replace"]

if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:

    def dataclass(*, frozen: bool = False, slots: bool = False) -> Callable[[type], type]:
        """As :func:`dataclasses.dataclass`; of its options, those that this project uses."""
        return lambda cls: _finished(_slotted(cls) if slots else cls, _fields(cls), frozen)

    def field(*, default_factory: Callable[[], Any], repr: bool = True, compare: bool = True) -> _Made:
        """As :func:`dataclasses.field`."""
        return _Made(default_factory, repr, compare)

    def replace(record: Any, /, **changes: Any) -> Any:
        """As :func:`dataclasses.replace`."""
        return record.__replace__(**changes)


_OF_ANY_CLASS = ("__dict__", "__weakref__")
_REQUIRED = object()  # instead of a default


class _Made:
    """A default that is made for each instance."""

    def __init__(self, factory: Callable[[], Any], repr: bool, compare: bool) -> None:
        self.factory, self.repr, self.compare = factory, repr, compare


def _fields(cls: type) -> dict[str, Any]:
    """The defaults of all fields, inherited ones first."""
    fields: dict[str, Any] = {}
    for base in reversed(cls.__mro__[1:]):
        fields |= vars(base).get("__record__", {})
    for name in _own(cls):
        fields[name] = default = vars(cls).get(name, _REQUIRED)
        if type(default).__module__ == "dataclasses":
            raise TypeError(f"{cls.__qualname__}.{name}: this field() is of dataclasses, take that of beespace.record")
    return fields


def _own(cls: type) -> list[str]:
    return [name for name, kind in cls.__annotations__.items() if "ClassVar" not in str(kind)]


def _slotted(cls: type) -> type:
    """The class again, with a slot for each field."""
    own = _own(cls)
    inherited = {name for base in cls.__mro__[1:] for name in vars(base).get("__slots__", ())}
    namespace = {name: value for name, value in vars(cls).items() if name not in (*own, *_OF_ANY_CLASS)}
    namespace["__slots__"] = tuple(name for name in own if name not in inherited)
    namespace["__qualname__"] = cls.__qualname__
    return type(cls)(cls.__name__, cls.__bases__, namespace)


def _finished(cls: Any, fields: dict[str, Any], frozen: bool) -> type:
    given = vars(cls)
    for name in _own(cls):
        if isinstance(given.get(name), _Made):
            delattr(cls, name)
    compared = [name for name, default in fields.items() if not isinstance(default, _Made) or default.compare]
    cls.__record__ = fields
    cls.__compared__ = attrgetter(*compared) if len(compared) > 1 else _Few(compared)
    methods: dict[str, Any] = {
        "__init__": _Init(cls, fields, frozen),
        "__dataclass_fields__": _StandardFields(cls, fields, frozen),
        "__match_args__": tuple(fields),
        "__repr__": _repr,
        "__eq__": _eq,
        "__replace__": _replace,
        "__setstate__": _set_state,
    }
    if frozen:
        methods |= {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
    for name, method in methods.items():
        if name not in given:
            setattr(cls, name, method)
    if given.get("__hash__") is None:  # as of a class that defines __eq__ alone
        cls.__hash__ = _hash if frozen else None
    return cls  # type: ignore[no-any-return]


class _Few:
    """``attrgetter`` for one name or none, with a tuple as its result too."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def __call__(self, record: object) -> tuple[Any, ...]:
        return tuple([getattr(record, name) for name in self._names])


class _Init:
    """Stands where ``__init__`` will, and makes it for the first that looks."""

    def __init__(self, cls: Any, fields: dict[str, Any], frozen: bool) -> None:
        self._cls, self._fields, self._frozen = cls, fields, frozen

    def __get__(self, instance: object, owner: type) -> Any:
        known: dict[str, Any] = {"_set": object.__setattr__}
        parameters, lines = ["self"], ["pass"]
        for name, default in self._fields.items():
            known[f"_{name}"] = default.factory if isinstance(default, _Made) else default
            parameters.append(name if default is _REQUIRED else f"{name}=_{name}")
            value = f"(_{name}() if {name} is _{name} else {name})" if isinstance(default, _Made) else name
            lines.append(f"_set(self, {name!r}, {value})" if self._frozen else f"self.{name} = {value}")
        exec(f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines), known)
        init: Any = known["__init__"]
        init.__qualname__, init.__module__ = f"{self._cls.__qualname__}.__init__", self._cls.__module__
        self._cls.__init__ = init
        return init if instance is None else MethodType(init, instance)


class _StandardFields:
    """Stands where ``__dataclass_fields__`` will, for the functions of :mod:`dataclasses`."""

    def __init__(self, cls: Any, fields: dict[str, Any], frozen: bool) -> None:
        self._cls, self._fields, self._frozen = cls, fields, frozen

    def __get__(self, instance: object, owner: type) -> Any:
        import dataclasses

        cls = self._cls
        model: dict[str, Any] = {"__annotations__": cls.__annotations__, "__module__": cls.__module__}
        for name in _own(cls):
            default = self._fields[name]
            if isinstance(default, _Made):
                default = dataclasses.field(default_factory=default.factory, repr=default.repr, compare=default.compare)
            if default is not _REQUIRED:
                model[name] = default
        made = dataclasses.dataclass(frozen=self._frozen)(type(cls)(cls.__name__, cls.__bases__, model))
        cls.__dataclass_params__ = vars(made)["__dataclass_params__"]
        cls.__dataclass_fields__ = vars(made)["__dataclass_fields__"]
        return cls.__dataclass_fields__


def _repr(self: Any) -> str:
    shown = (
        f"{name}={getattr(self, name)!r}"
        for name, default in self.__record__.items()
        if not isinstance(default, _Made) or default.repr
    )
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _eq(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self.__compared__(self) == self.__compared__(other)


def _hash(self: Any) -> int:
    return hash(self.__compared__(self))


def _replace(self: Any, /, **changes: Any) -> Any:
    return type(self)(**{name: getattr(self, name) for name in self.__record__} | changes)


def _set_state(self: Any, state: Any) -> None:
    """Unpickles in spite of ``frozen``."""
    for values in state if isinstance(state, tuple) else (state,):
        for name, value in (values or {}).items():
            object.__setattr__(self, name, value)


def _refuse_to_set(self: object, name: str, value: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")
