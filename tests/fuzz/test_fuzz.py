"""Damaged files: what found a bug once, and a few hundred new ones of each kind."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are collected without packages
import fuzzing


@pytest.mark.parametrize("door", sorted(fuzzing.DOORS))
def test_damaged_inputs(door: str) -> None:
    for number, data in islice(fuzzing.inputs(door), 120):
        try:
            fuzzing.check(door, data, memory=number % 20 == 0)
        except Exception as error:
            raise AssertionError(f"{door}-{number}: {type(error).__name__}: {error}") from error


@pytest.mark.parametrize("seed", sorted(fuzzing.SEEDS.iterdir()), ids=lambda file: file.name)
def test_inputs_that_found_a_bug(seed: Path) -> None:
    door = seed.name.partition("-")[0]
    fuzzing.check(door if door in fuzzing.DOORS else "elf", seed.read_bytes(), memory=True)
