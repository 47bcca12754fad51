"""docs/testing.md lists what the machine has: no more, no less."""

from __future__ import annotations

from pages import blocks, page

from beespace.isa import MapType
from beespace.isa.helpers import BY_NUMBER
from beespace.vm.helpers import HELPERS
from beespace.vm.kfuncs import KFUNCS
from beespace.vm.maps.table import TYPES


def listed(what: str) -> list[str]:
    (found,) = blocks(page("testing"), what)
    return found.split()


def test_what_the_machine_has() -> None:
    assert listed("map types") == sorted(MapType(number).name for number in TYPES)
    assert listed("helpers") == sorted(BY_NUMBER[number].name for number in HELPERS)
    assert listed("kernel functions") == sorted(name.removeprefix("bpf_") for name, _ in KFUNCS)
