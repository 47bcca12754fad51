"""Enumerations are what the standard ones are, in what is used of them."""

from __future__ import annotations

import copy
import enum
import json
import pickle

import pytest

from beespace.enumeration import Enum, IntEnum, IntFlag


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Number(IntEnum):
    NONE = 0
    ONE = 1
    FIRST = 1  # an alias
    TWO = 2

    @property
    def half(self) -> float:
        return self / 2


class Flag(IntFlag):
    ANY = 0
    READ = 1
    WRITE = 2
    SEE = 8


class StandardNumber(enum.IntEnum):
    NONE = 0
    ONE = 1
    FIRST = 1
    TWO = 2


class StandardColour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class StandardFlag(enum.IntFlag):
    ANY = 0
    READ = 1
    WRITE = 2
    SEE = 8


def _same(ours: object, standard: object) -> None:
    for show in (repr, str, "{}".format):
        assert show(ours) == show(standard).replace("Standard", "")


def test_members_are_those_of_the_standard_one() -> None:
    for ours, standard in ((Number, StandardNumber), (Colour, StandardColour)):
        assert list(ours.__members__) == list(standard.__members__)
        assert [(each.name, each.value) for each in ours] == [(each.name, each.value) for each in standard]
        assert len(ours) == len(standard)
        for mine, other in zip(ours, standard, strict=True):
            _same(mine, other)
            assert ours(other.value) is mine and ours[other.name] is mine and mine in ours


def test_numbers_are_numbers() -> None:
    assert Number.FIRST is Number.ONE and Number.TWO == 2 and Number.TWO.half == 1.0
    assert {1: "x"}[Number.ONE] == "x" and f"{Number.TWO:#x}" == "0x2"
    assert json.dumps([Number.ONE, Flag.READ | Flag.SEE]) == "[1, 9]"
    match 2:
        case Number.TWO:
            pass
        case _:
            pytest.fail("a number is not its member")


def test_an_unknown_value_is_the_standard_error() -> None:
    for wrong in (7, "red", []):
        with pytest.raises(ValueError) as standard:
            StandardNumber(wrong)
        with pytest.raises(ValueError) as ours:
            Number(wrong)
        assert str(ours.value) == str(standard.value).replace("Standard", "")
    with pytest.raises(KeyError):
        Number["THREE"]


def test_flags_combine() -> None:
    for value in range(32):
        ours, standard = Flag(value), StandardFlag(value)
        _same(ours, standard)
        assert Flag(value) is ours and ours.name == standard.name and ours.value == value
        for other in (0, 1, Flag.SEE):
            assert (ours | other, ours & other, ours ^ other) == (value | other, value & other, value ^ other)
    assert type(Flag.READ | 2) is Flag and type(2 | Flag.READ) is Flag
    assert bool(Flag.READ & Flag.WRITE) is False and 11 & ~Flag.READ == 10


@pytest.mark.parametrize("member", [Colour.RED, Number.TWO, Flag.READ | Flag.SEE])
def test_a_member_stays_itself(member: object) -> None:
    assert pickle.loads(pickle.dumps(member)) is member
    assert copy.copy(member) is member and copy.deepcopy([member])[0] is member


def test_other_enumerations_are_other_values() -> None:
    assert Colour.RED != "red" and len({Colour.RED, Colour.BLUE}) == 2
    assert Colour.RED not in Number  # type: ignore[comparison-overlap]
