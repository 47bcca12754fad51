"""The loader's words of typing: what they stand for when the program runs."""

from __future__ import annotations

import copy
import pickle
import typing

import pytest

from beespace import typed
from beespace.typed import Any, Generic, NamedTuple, Protocol, TypeVar, overload

T = TypeVar("T")


class Place(NamedTuple):
    """A place."""

    x: int
    y: int = 2

    @property
    def sum(self) -> int:
        return self.x + self.y


class StandardPlace(typing.NamedTuple):
    """A place."""

    x: int
    y: int = 2


class Named(Protocol):
    @property
    def name(self) -> str: ...


class Box(Generic[T]):
    def __init__(self, held: T) -> None:
        self.held = held

    @overload
    def get(self, default: None) -> T: ...
    @overload
    def get(self, default: int) -> T | int: ...
    def get(self, default: int | None) -> Any:
        return self.held if default is None else default


def test_a_named_tuple_is_the_standard_one() -> None:
    place = Place(1)
    assert place == (1, 2) == StandardPlace(1) and place.sum == 3 and place._replace(y=5) == Place(1, 5)
    assert repr(place) == "Place(x=1, y=2)" and Place._fields == StandardPlace._fields and Place.__doc__ == "A place."
    assert not hasattr(place, "__dict__")
    assert pickle.loads(pickle.dumps(place)) == copy.copy(place) == place
    assert type(pickle.loads(pickle.dumps(place))) is Place
    for wrong in ((), (1, 2, 3)):
        with pytest.raises(TypeError):
            Place(*wrong)


def test_classes_are_made_as_if_nothing_was_there() -> None:
    assert Box(3).get(None) == 3 and Box[int](4).get(5) == 5

    class Dog(Named):
        name = "Rex"

    assert isinstance(Dog(), Named)


def test_every_word_is_one_of_typing() -> None:
    assert set(typed.__all__) <= set(typing.__all__) | {"TYPE_CHECKING"}
    for word in typed.__all__:
        assert hasattr(typed, word)
