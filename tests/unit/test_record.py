"""Records are what the standard decorator makes, only later."""

from __future__ import annotations

import copy
import dataclasses
import gc
import inspect
import pickle
import subprocess
import sys
import threading
from dataclasses import FrozenInstanceError, fields, is_dataclass
from types import FunctionType
from typing import ClassVar

import pytest

from beespace.importing import import_quickly
from beespace.record import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Point:
    """A place."""

    x: int
    y: int = 2


@dataclass(frozen=True, slots=True)
class Named(Point):
    """A place and its name."""

    unit: ClassVar[str] = "m"
    name: str = ""
    notes: list[str] = field(default_factory=list, compare=False)

    def __repr__(self) -> str:
        return f"<{self.name}>"


@dataclass(frozen=True)
class Loose:
    """Without slots."""

    kind: ClassVar[str] = "loose"
    items: list[int] = field(default_factory=list, compare=False)


@dataclass(slots=True)
class Counted:
    """Not frozen."""

    count: int = 0


def test_nothing_is_compiled_before_there_are_many() -> None:
    @dataclass(frozen=True, slots=True)
    class Late:
        x: int = 5

    assert Late() == Late(x=5) and Late(4).x == 4
    assert not isinstance(vars(Late)["__init__"], FunctionType)
    assert [Late(number).x for number in range(100)] == list(range(100))
    assert isinstance(vars(Late)["__init__"], FunctionType)


def test_the_signature_is_that_of_the_fields() -> None:
    @dataclass(frozen=True, slots=True)
    class Asked:
        x: int
        y: int = 5

    assert list(inspect.signature(Asked).parameters) == ["x", "y"]


def test_it_behaves_as_the_standard_one() -> None:
    place = Named(1, name="here")
    assert (place.x, place.y, place.notes, place.unit) == (1, 2, [], "m")
    assert repr(place) == "<here>" and repr(Point(1)) == "Point(x=1, y=2)"
    assert place == Named(1, 2, "here", ["other"]) and place != Point(1) and place != Named(2, name="here")
    assert hash(Point(1)) == hash(Point(1, 2)) and len({Point(1), Point(1, 2), Point(3)}) == 2
    assert replace(place, x=9) == Named(9, 2, "here")
    assert [each.name for each in fields(Named)] == ["x", "y", "name", "notes"]
    assert not hasattr(place, "__dict__")
    match place:
        case Named(x, y, name):
            assert (x, y, name) == (1, 2, "here")


def test_fields_are_known_before_the_first_instance() -> None:
    @dataclass(frozen=True, slots=True)
    class Never:
        x: int

    assert is_dataclass(Never)
    assert [each.name for each in fields(Never)] == ["x"]


def test_a_frozen_one_refuses_changes() -> None:
    for record in (Point(1), Named(1), Loose()):
        with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
            record.x = 2  # type: ignore[misc, union-attr]
        with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
            del record.x  # type: ignore[misc, union-attr]


def test_one_that_is_not_frozen_changes_and_has_no_hash() -> None:
    counted = Counted()
    counted.count += 1
    assert counted == Counted(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(counted)


def test_defaults_without_slots() -> None:
    assert Loose().items == [] and Loose().items is not Loose().items
    assert not hasattr(Loose, "items")
    assert Loose.kind == "loose"


def test_wrong_arguments_are_the_standard_error() -> None:
    @dataclass(frozen=True, slots=True)
    class Wrong:
        x: int
        y: int = 0

    for _ in range(30):  # the same before and after it is compiled
        with pytest.raises(TypeError, match=r"Wrong.__init__\(\) missing 1 required positional argument: 'x'"):
            Wrong()  # type: ignore[call-arg]
        with pytest.raises(TypeError, match=r"__init__\(\) got an unexpected keyword argument 'z'"):
            Wrong(1, z=2)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match=r"__init__\(\) got multiple values for argument 'x'"):
            Wrong(1, x=2)  # type: ignore[misc]
        with pytest.raises(TypeError, match=r"takes from 2 to 3 positional arguments but 4 were given"):
            Wrong(1, 2, 3)  # type: ignore[call-arg]


@pytest.mark.parametrize("record", [Point(1), Named(1, 2, "here", ["n"]), Loose([1]), Counted(3)])
def test_it_pickles_and_copies(record: object) -> None:
    assert pickle.loads(pickle.dumps(record)) == record
    assert copy.copy(record) == record


def test_it_unpickles_before_the_first_instance() -> None:
    @dataclass(frozen=True, slots=True)
    class Restored:
        x: int

    restored = object.__new__(Restored)
    restored.__setstate__((None, {"x": 7}))  # type: ignore[attr-defined]
    assert restored == Restored(7)


def test_threads_that_make_the_first_instance_together() -> None:
    for _ in range(20):

        @dataclass(frozen=True, slots=True)
        class Shared:
            x: int
            y: int = 0

        gate = threading.Barrier(4)
        made: list[Shared] = []

        def make(gate: threading.Barrier = gate, made: list[Shared] = made, kind: type[Shared] = Shared) -> None:
            gate.wait()
            made.append(kind(1))

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made == [Shared(1)] * 4


def test_a_standard_field_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Mixed.x: this field\(\) is of dataclasses"):

        @dataclass(frozen=True, slots=True)
        class Mixed:
            x: list[int] = dataclasses.field(default_factory=list)


def test_a_standard_class_may_be_derived() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Derived(Point):
        z: int = 3

    assert (Derived(1).x, Derived(1).z) == (1, 3)
    assert dataclasses.asdict(Derived(1)) == {"x": 1, "y": 2, "z": 3}


def test_the_standard_functions_take_them() -> None:
    assert dataclasses.replace(Point(1), y=4) == Point(1, 4)
    assert dataclasses.asdict(Named(1, notes=["n"])) == {"x": 1, "y": 2, "name": "", "notes": ["n"]}
    assert dataclasses.fields(Named)[3].compare is False


def test_the_loader_imports_nothing_that_is_slow_to_import() -> None:
    slow = {"dataclasses", "typing", "enum", "re", "pathlib", "ipaddress", "json", "hashlib", "inspect"}
    code = f"import sys, beespace; beespace.open, beespace.kernel; print(sorted({slow!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_collector_is_as_it_was_after_a_quick_import() -> None:
    before = gc.isenabled()
    try:
        for state in (True, False):
            (gc.enable if state else gc.disable)()
            assert import_quickly("beespace.errors").__name__ == "beespace.errors"
            with pytest.raises(ModuleNotFoundError):
                import_quickly("beespace.nosuch")
            assert gc.isenabled() is state
    finally:
        (gc.enable if before else gc.disable)()
