"""``Record``: the value of a struct or union."""

from __future__ import annotations

from beespace.typed import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:

    def _tuplegetter(place: int, doc: str) -> property: ...
else:
    from _collections import _tuplegetter  # what named tuples are made of: ten times as fast as a property


__all__ = ["Record", "record_class"]


class Record(tuple[Any, ...]):
    """The fields of one struct or union, in the order of its declaration.

    A field is an attribute (``record.pid``) and an item (``record["pid"]``, for names that are words of Python
    too).  Fields of anonymous members are the record's own.  Of a union, each field is another reading of
    the same bytes.  Immutable and hashable; equal to a record with the same fields and values, and to a tuple of
    its values.
    """

    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()
    _btf_type: ClassVar[str] = ""  # as C writes it
    _btf_places: ClassVar[dict[str, int]] = {}

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
    else:

        def __getattr__(self, name: str) -> Any:  # comes here only for what the class has no field for
            raise AttributeError(f"{self._btf_type} has no field {name!r}{_near(name, self._fields)}")

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            if key not in self._btf_places:
                raise KeyError(f"{self._btf_type} has no field {key!r}{_near(key, self._fields)}")
            key = self._btf_places[key]
        return tuple.__getitem__(self, key)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Record) and other._fields != self._fields:
            return False
        return tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def __repr__(self) -> str:
        name = self._btf_type.rpartition(" ")[2]
        fields = ", ".join([f"{field}={value!r}" for field, value in zip(self._fields, self, strict=True)])
        return f"{name if name.isidentifier() else 'Record'}({fields})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._btf_type, self._fields, tuple(self))

    def _asdict(self) -> dict[str, Any]:
        """The fields as a dictionary, and the records inside as dictionaries too."""
        return {name: _plain(value) for name, value in zip(self._fields, self, strict=True)}


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value._asdict()
    return tuple([_plain(each) for each in value]) if isinstance(value, tuple) else value


def _near(name: str, fields: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, fields[:2000], 3) if len(name) < 100 else []
    return f"; did you mean {' or '.join(near)}?" if near else ""


def record_class(type_name: str, fields: tuple[str, ...]) -> type[Record]:
    """The class of the records of one type."""
    namespace: dict[str, Any] = {
        name: _tuplegetter(place, name)
        for place, name in enumerate(fields)
        if not (name.startswith("_") and hasattr(Record, name))  # __class__, _asdict: as items only
    }
    namespace |= {
        "__slots__": (),
        "__module__": __name__,
        "_fields": fields,
        "_btf_type": type_name,
        "_btf_places": {name: place for place, name in enumerate(fields)},
    }
    return type("Record", (Record,), namespace)


def _restored(type_name: str, fields: tuple[str, ...], values: tuple[Any, ...]) -> Record:
    return tuple.__new__(record_class(type_name, fields), values)
