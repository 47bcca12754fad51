"""Values that are exchanged, and texts that begin with other texts; against Python."""

from __future__ import annotations

import contextlib
import itertools
import subprocess

import pytest
from since import compiled_since

from beespace.kernel import cgroup
from beespace.lang import Array, Global, Hash, Program, Struct, bpf, btf_tracepoint, function, option, syscall
from beespace.types import Address, Raw, Text, array, raw, text, u32, u64

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("own_cache")]


class Point(Struct):
    x: u32
    y: u32


class Places(Struct):
    raw_a: Raw = raw(6)
    raw_b: Raw = raw(6)
    text_a: Text = text(8)
    text_b: Text = text(8)
    address_a: Address
    address_b: Address
    point_a: Point
    point_b: Point
    list_a: list[u32] = array(u32, 3)
    list_b: list[u32] = array(u32, 3)


class Exchanges(Program):
    places = Array(Places, 1)
    names = Array(text(8), 2)

    @syscall
    def exchange(self, given: Places):
        p = self.places.get(0)
        if p is None:
            return 1
        p.raw_a, p.raw_b = given.raw_a, given.raw_b
        p.text_a, p.text_b = given.text_a, given.text_b
        p.address_a, p.address_b = given.address_a, given.address_b
        p.list_a, p.list_b = given.list_a, given.list_b
        p.point_a, p.point_b = given.point_a, given.point_b
        p.raw_a, p.raw_b = p.raw_b, p.raw_a
        p.text_a, p.text_b = p.text_b, p.text_a
        p.address_a, p.address_b = p.address_b, p.address_a
        p.point_a, p.point_b = p.point_b, p.point_a
        p.list_a, p.list_b = p.list_b, p.list_a
        first, second = given.text_a, given.text_b
        first, second = second, first
        self.change(first)
        self.names[0] = first
        self.names[1] = second
        return 0

    @function
    def change(self, name: Text):
        name = "nobody"  # noqa: F841


def test_exchanged_values() -> None:
    given = {
        "raw_a": b"aaaaaa", "raw_b": b"bbbbbb", "text_a": "eins", "text_b": "two", "address_a": "10.0.0.1",
        "address_b": "2001:db8::7", "point_a": Point(x=1, y=2), "point_b": Point(x=3, y=4), "list_a": [1, 2, 3],
        "list_b": [4, 5, 6],
    }  # fmt: skip
    with Exchanges().load() as probe:
        assert probe.test_run("exchange", context=Places(**given)).retval == 0
        found = probe.places[0]
        for kind in ("raw", "text", "address", "point", "list"):
            pair = getattr(found, f"{kind}_a"), getattr(found, f"{kind}_b")
            assert pair == (given[f"{kind}_b"], given[f"{kind}_a"])
        assert [probe.names[0], probe.names[1]] == ["two", "eins"]


class Chains(Program):
    """Pointers that the kernel vouches for, and those that it does not, under one name."""

    levels = Hash(key=u64, value=u64)
    names = Hash(key=u32, value=text(16))
    inner = Global(u32)

    @btf_tracepoint("sched_process_exec")
    def on_exec(self, task):
        group = bpf.cast(u64(task.cgroups.dfl_cgrp), cgroup)
        for _ in range(8):
            self.levels[u64(group.kn.id)] = u64(u32(group.level))
            parent = group.self.parent
            if u64(parent) == 0:
                break
            group = bpf.container(parent, cgroup, "self")
        group = task.cgroups.dfl_cgrp
        self.levels[0] = u64(u32(group.level))
        at = task
        for depth in range(8):
            self.names[depth] = at.comm
            if at.pid == 1:
                break
            at = at.real_parent
        pid = task.thread_pid
        self.inner.value = u32(pid.numbers[pid.level].nr)


def test_chains_of_pointers() -> None:
    with contextlib.ExitStack() as running:
        with compiled_since("6.5"):  # an array of any length at the end of struct pid: b69f0aeb0689
            probe = running.enter_context(Chains().start())
        for _ in range(3):
            process = subprocess.Popen(["sleep", "0.01"])
            assert process.wait() == 0
        levels = dict(probe.levels.items())
        assert sorted(level for id, level in levels.items() if id) == list(range(levels[0] + 1))
        assert probe.names[1] != ""
        assert probe.inner.value > 0


class Asked(Struct):
    path: Text = text(24)
    prefix: Text = text(32)
    short: Text = text(4)


class Prefixes(Program):
    below: Text = option(text(16), "/usr/")
    answers = Array(u32, 6)

    @syscall
    def look(self, asked: Asked):
        path = text(24)
        path = asked.path
        prefix = asked.prefix
        short = asked.short
        self.answers[0] = u32(path.startswith(self.below))
        self.answers[1] = u32(path.startswith(prefix))
        self.answers[2] = u32(path.startswith(("/etc/", "/var", "b")))
        self.answers[3] = u32(path.endswith(("sh", ".c", "")))
        self.answers[4] = u32(path.endswith(("sh", ".c")))
        self.answers[5] = u32(short.startswith(prefix))


def cut(name: str, size: int) -> str:
    """What a text of that size holds of a name."""
    return name.encode()[:size].decode(errors="ignore")


def test_prefixes() -> None:
    paths = ("", "/", "/usr/bin/sh", "/usr", "/usr/", "/etc/x.c", "bash", "/var" + "x" * 20, "é/usr")
    with Prefixes().load() as probe:
        for path in paths:
            prefixes = ("", "/", path[:2], path, path + "x", "b" * 32, path + "/////")
            for prefix, short in itertools.product(prefixes, ("", "ab", cut(path, 4))):
                asked = Asked(path=path, prefix=cut(prefix, 32), short=short)
                probe.test_run("look", context=asked)
                expected = [
                    path.startswith("/usr/"), path.startswith(asked.prefix), path.startswith(("/etc/", "/var", "b")),
                    path.endswith(("sh", ".c", "")), path.endswith(("sh", ".c")), short.startswith(asked.prefix),
                ]  # fmt: skip
                assert [bool(probe.answers[number]) for number in range(6)] == expected, asked
