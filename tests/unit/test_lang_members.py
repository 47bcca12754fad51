"""What a class declares, as Python's inheritance has it: a subclass changes it, and nothing is lost without a word."""

from __future__ import annotations

import functools

import pytest

from beespace.errors import UsageError
from beespace.lang import Array, Hash, Program, function, raw_tracepoint, tail_call, xdp
from beespace.types import u8, u32, u64


class Base(Program):
    limit: u32 = 3
    seen = Array(u64, 4)

    @function
    def scaled(self, n: u64) -> u64:
        return n

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        self.seen[0] = self.scaled(1)


def test_a_subclass_takes_the_place_of_what_it_names_again() -> None:
    class Probe(Base):
        seen = Hash(key=u32, value=u64)

        @function
        def scaled(self, n: u64) -> u64:
            return n * 2

    declared = Probe.declaration()
    assert declared.functions["scaled"] is Probe.scaled and declared.maps["seen"] is vars(Probe)["seen"]
    assert declared.functions["on_exit"] is Base.on_exit and Probe().limit == 3


def test_a_default_is_changed_without_an_annotation() -> None:
    class Probe(Base):
        limit = 9

    assert Probe().limit == 9 and Probe(limit=4).limit == 4 and Base().limit == 3
    assert Probe.declaration().options["limit"].kind == u32


def test_a_changed_default_must_fit() -> None:
    class Probe(Base):
        limit = -1

    with pytest.raises(UsageError, match="-1 does not fit a u32"):
        Probe.declaration()


def test_none_leaves_a_method_out() -> None:
    class Probe(Base):
        on_exit = None

    assert list(Probe.declaration().functions) == ["scaled"] and not Probe.declaration().programs


def test_a_plain_method_does_not_hide_a_hook() -> None:
    class Probe(Base):
        def on_exit(self, task):
            return

    with pytest.raises(UsageError, match=r"Probe.on_exit\(\) takes the place of a kernel-side method"):
        Probe.declaration()


def test_an_option_may_become_a_constant_of_another_name_only() -> None:
    class Probe(Base):
        seen = 5

    assert "seen" not in Probe.declaration().maps and Probe.seen == 5


@pytest.mark.parametrize("wrap", [staticmethod, classmethod, property, functools.cache, functools.partialmethod])
def test_a_hook_that_something_wraps_is_no_hook(wrap) -> None:
    class Probe(Base):
        on_exec = wrap(raw_tracepoint("sched_process_exec")(lambda self, task: None))

    with pytest.raises(UsageError, match=r"Probe.on_exec is a \w+ around a method with a hook"):
        Probe.declaration()


@pytest.mark.parametrize("wrap", [staticmethod, classmethod, property, functools.cache])
def test_a_decorator_takes_plain_functions(wrap) -> None:
    with pytest.raises(TypeError, match="cannot run in the kernel"):
        raw_tracepoint("sched_process_exec")(wrap(lambda self, task: None))


@pytest.mark.parametrize("second", [raw_tracepoint("sched_process_exec"), xdp, function])
def test_a_method_runs_at_one_place(second) -> None:
    def on_event(self, task):
        return

    raw_tracepoint("sched_process_exit")(on_event)
    with pytest.raises(TypeError, match=r"on_event\(\) has two decorators"):
        second(on_event)
    assert tail_call(on_event) is on_event


def test_a_map_has_one_name() -> None:
    shared = Array(u64, 1)

    class Probe(Base):
        first = shared
        second = shared

    with pytest.raises(UsageError, match=r"Probe.first and Probe.second are one map under two names"):
        Probe.declaration()


def test_names_that_the_kernel_takes() -> None:
    class Probe(Base):
        größe = Array(u64, 1)

    with pytest.raises(UsageError, match="the kernel takes names of ASCII letters"):
        Probe.declaration()


def test_annotations_that_are_there_for_type_checkers_only() -> None:
    class Probe(Base):
        width: Missing = 3  # noqa: F821

    Probe.__annotations__["width"] = "Missing"
    with pytest.raises(UsageError, match="the annotations of Probe name Missing, which is not there"):
        Probe.declaration()


def test_options_of_several_bases() -> None:
    class Left(Program):
        a: u8 = 1

    class Right(Program):
        a: u8 = 2
        b: u8 = 3

    class Both(Left, Right):
        pass

    assert (Both().a, Both().b) == (Left.a, Right.b) == (1, 3)
