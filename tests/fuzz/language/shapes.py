"""What the random functions are given: one input record, one result for each function."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from beespace.schema import Struct
from beespace.types import Text, array, boolean, i8, i16, i32, i64, text, u8, u16, u32, u64

ROWS = 12  # inputs of one object
FUNCTIONS = 10  # functions of one object
KINDS = {kind.name: kind for kind in (u8, u16, u32, u64, i8, i16, i32, i64)}
WORDS = ("", "a", "ab", "abc", "abd", "cron", "bash", "x", "abcdefghijklmno", "zz")


class Pair(Struct):
    left: i32
    right: u16


class Input(Struct):
    """Of each type two numbers, and something of what else a struct can have."""

    a0: u8
    b0: u8
    a1: u16
    b1: u16
    a2: u32
    b2: u32
    a3: u64
    b3: u64
    a4: i8
    b4: i8
    a5: i16
    b5: i16
    a6: i32
    b6: i32
    a7: i64
    b7: i64
    yes: boolean
    no: boolean
    pair: Pair
    name: Text = text(16)
    other: Text = text(16)
    slots: list[u32] = array(u32, 8)
    deltas: list[i16] = array(i16, 4)


class Scratch(Struct):
    """A struct that a function makes for itself."""

    small: u8
    flag: boolean
    count: u64
    delta: i32
    pair: Pair
    word: Text = text(8)
    slots: list[u16] = array(u16, 4)


class Output(Struct):
    values: list[u64] = array(u64, FUNCTIONS)


NUMBERS = {f"{letter}{number}": name for number, name in enumerate(KINDS) for letter in "ab"}
FIELDS = {
    **NUMBERS, "pair.left": "i32", "pair.right": "u16", "count": "u64", "small": "u8", "delta": "i32",
    "left": "i32", "right": "u16",
}  # fmt: skip
ARRAYS = {"data.slots": ("u32", 8), "data.deltas": ("i16", 4), "scratch.slots": ("u16", 4)}


def number(kind: Any, chance: random.Random) -> int:
    """A number of the type: the edges of its range more often than others."""
    edges = (kind.minimum, kind.maximum, 0, 1, kind(-1), kind.maximum - 1, 2, 7, 100, kind(kind.minimum + 1))
    return chance.choice(
        (chance.choice(edges), chance.randint(kind.minimum, kind.maximum), kind(chance.randrange(256)))
    )


def inputs(seed: int) -> list[dict[str, Any]]:
    """The records of one object."""
    chance = random.Random(f"inputs{seed}")
    return [
        {
            **{field: number(KINDS[name], chance) for field, name in NUMBERS.items()},
            "yes": chance.random() < 0.5,
            "no": chance.random() < 0.5,
            "pair": {"left": number(i32, chance), "right": number(u16, chance)},
            "name": chance.choice(WORDS),
            "other": chance.choice(WORDS),
            "slots": [number(u32, chance) for _ in range(8)],
            "deltas": [number(i16, chance) for _ in range(4)],
        }
        for _ in range(ROWS)
    ]


def in_kernel(record: dict[str, Any]) -> Input:
    """A record as the map takes it."""
    return Input(**{**record, "pair": Pair(**record["pair"])})


def in_python(record: dict[str, Any]) -> SimpleNamespace:
    """A record as plain Python has it."""
    return SimpleNamespace(**{**record, "pair": SimpleNamespace(**record["pair"])})


def scratch(**fields: int) -> SimpleNamespace:
    """``Scratch(...)`` as plain Python has it."""
    zero = {"small": 0, "flag": False, "count": 0, "delta": 0, "pair": pair(), "word": "", "slots": [0] * 4}
    return SimpleNamespace(**{**zero, **fields})


def pair(left: int = 0, right: int = 0) -> SimpleNamespace:
    """``Pair(...)`` as plain Python has it."""
    return SimpleNamespace(left=left, right=right)


@dataclass(frozen=True)
class Zeroes:
    """A map of ``length`` entries that nobody writes to, as plain Python has it."""

    entry: Any
    length: int = 8

    def get(self, index: int) -> Any:
        return self.entry if index < self.length else None


@dataclass(frozen=True)
class Signature:
    """A function that later ones may call."""

    name: str
    parameters: tuple[str, ...]
    result: str


@dataclass
class Block:
    """Where statements go; ``ended`` after a return, break or continue."""

    lines: list[str] = field(default_factory=list)
    ended: bool = False
