"""``@dataclass``, ``field`` and ``replace`` that cost little where a class is defined.

May import: the standard library.  Invariant: the classes behave as those of :mod:`dataclasses`, whose functions
take them too; to a type checker they are those.

The standard decorator compiles six methods from text, half a millisecond a class, and imports ``inspect``.  A start
goes through some hundred classes and makes few instances of most of them.  Here all methods but ``__init__`` are
shared, and ``__init__`` is compiled when a class has so many instances that it is worth it.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from types import MethodType

from beespace.typed import TYPE_CHECKING, Any

__all__ = ["dataclass", "field", "replace"]

if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:

    def dataclass(*, frozen: bool = False, slots: bool = False) -> Callable[[type], type]:
        """As :func:`dataclasses.dataclass`; of its options, those that this project uses."""
        return lambda cls: _made(cls, frozen, slots)

    def field(*, default_factory: Callable[[], Any], repr: bool = True, compare: bool = True) -> _Made:
        """As :func:`dataclasses.field`."""
        return _Made(default_factory, repr, compare)

    def replace(record: Any, /, **changes: Any) -> Any:
        """As :func:`dataclasses.replace`."""
        return record.__replace__(**changes)


_OF_ANY_CLASS = ("__dict__", "__weakref__")
_REQUIRED = object()  # instead of a default
_set = object.__setattr__


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


def _made(cls: Any, frozen: bool, slots: bool) -> type:
    """The class with its methods; a second one if it is to have slots, which must be there from the start."""
    own, fields, given = _own(cls), _fields(cls), vars(cls)
    compared = [name for name, default in fields.items() if not isinstance(default, _Made) or default.compare]
    init, standard = _Init(fields, frozen), _StandardFields(fields, frozen)
    methods: dict[str, Any] = {
        "__record__": fields,
        "__compared__": attrgetter(*compared) if len(compared) > 1 else _Few(compared),
        "__init__": init,
        "__dataclass_fields__": standard,
        "__match_args__": tuple(fields),
        **(_FROZEN if frozen else _METHODS),
    }
    if slots:
        inherited = {name for base in cls.__mro__[1:] for name in vars(base).get("__slots__", ())}
        namespace = {name: value for name, value in given.items() if name not in own and name not in _OF_ANY_CLASS}
        namespace["__slots__"] = tuple([name for name in own if name not in inherited])
        namespace["__qualname__"] = cls.__qualname__
        if namespace.get("__hash__", init) is None:  # as of a class that defines __eq__ alone
            del namespace["__hash__"]
        cls = type(cls)(cls.__name__, cls.__bases__, methods | namespace)
    else:
        for name in own:
            if isinstance(given.get(name), _Made):
                delattr(cls, name)
        for name, method in methods.items():
            if name not in given or (name == "__hash__" and given[name] is None):
                setattr(cls, name, method)
    init.cls = standard.cls = cls
    return cls  # type: ignore[no-any-return]


class _Few:
    """``attrgetter`` for one name or none, with a tuple as its result too."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def __call__(self, record: object) -> tuple[Any, ...]:
        return tuple([getattr(record, name) for name in self._names])


_MANY = 16  # instances after which a compiled __init__ has paid for itself


class _Init:
    """Stands where ``__init__`` will: makes the first instances itself, then compiles it."""

    cls: Any

    def __init__(self, fields: dict[str, Any], frozen: bool) -> None:
        self._fields, self._frozen = fields, frozen
        self._left = _MANY

    def __get__(self, instance: object, owner: type) -> Any:
        if instance is None:
            return self._compiled()
        self._left -= 1
        return MethodType(self._fill if self._left > 0 else self._compiled(), instance)

    def _fill(self, instance: object, /, *given: Any, **named: Any) -> None:
        """What the compiled one does."""
        fields, left = self._fields, len(named)
        if len(given) > len(fields):
            return self._compiled()(instance, *given, **named)  # type: ignore[no-any-return]
        position = 0
        for name, default in fields.items():
            if position < len(given):
                value = given[position]
                position += 1
            elif name in named:
                value = named[name]
                left -= 1
            elif default is _REQUIRED:
                return self._compiled()(instance, *given, **named)  # type: ignore[no-any-return]
            else:
                value = default.factory() if isinstance(default, _Made) else default
            _set(instance, name, value)
        if left:  # unknown or twice: the compiled one says so
            return self._compiled()(instance, *given, **named)  # type: ignore[no-any-return]
        return None

    def _compiled(self) -> Any:
        known: dict[str, Any] = {"_set": _set}
        parameters, lines = ["self"], ["pass"]
        for name, default in self._fields.items():
            known[f"_{name}"] = default.factory if isinstance(default, _Made) else default
            parameters.append(name if default is _REQUIRED else f"{name}=_{name}")
            value = f"(_{name}() if {name} is _{name} else {name})" if isinstance(default, _Made) else name
            lines.append(f"_set(self, {name!r}, {value})" if self._frozen else f"self.{name} = {value}")
        exec(f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines), known)
        init: Any = known["__init__"]
        init.__qualname__, init.__module__ = f"{self.cls.__qualname__}.__init__", self.cls.__module__
        self.cls.__init__ = init
        return init


class _StandardFields:
    """Stands where ``__dataclass_fields__`` will, for the functions of :mod:`dataclasses`."""

    cls: Any

    def __init__(self, fields: dict[str, Any], frozen: bool) -> None:
        self._fields, self._frozen = fields, frozen

    def __get__(self, instance: object, owner: type) -> Any:
        import dataclasses

        cls = self.cls
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
            _set(self, name, value)


def _refuse_to_set(self: object, name: str, value: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


_METHODS: dict[str, Any] = {
    "__repr__": _repr,
    "__eq__": _eq,
    "__hash__": None,
    "__replace__": _replace,
    "__setstate__": _set_state,
}
_FROZEN: dict[str, Any] = _METHODS | {
    "__hash__": _hash,
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
}
