"""Simulation where no kernel tells its types: with those of the package, or of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from beespace.btf import Btf, Kind
from beespace.btf.shipped import shipped
from beespace.errors import CompileError, NotSupported, UsageError
from beespace.lang import Hash, Program, bpf, btf_tracepoint, tracepoint, xdp
from beespace.session import simulated_types
from beespace.types import text, u32, u64

GOLDEN = Path(__file__).parent.parent / "golden" / "kernel.btf"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


class Tracing(Program):
    opened = Hash(key=text(64), value=u64)
    parents = Hash(key=u32, value=u32)

    @tracepoint("syscalls:sys_enter_openat")
    def on_open(self, ctx):
        self.opened[bpf.user_text(ctx.filename)] += 1

    @btf_tracepoint("sched_process_exit")
    def on_exit(self, task):
        self.parents[u32(task.tgid)] = u32(task.real_parent.tgid)

    @xdp
    def on_packet(self, ctx):
        return 2


class Strange(Program):
    seen = Hash(key=u32, value=u32)

    @btf_tracepoint("sched_process_exit")
    def on_exit(self, task):
        self.seen[0] = u32(task.honey)


def runs(btf: object) -> None:
    with Tracing().simulate(btf=btf) as probe:
        probe.test_run("on_open", context={"filename": "/etc/hosts"})
        probe.test_run("on_exit", context=[{"tgid": 7, "comm": "nginx", "real_parent": {"tgid": 1}}])
        assert probe.test_run("on_packet", bytes(64)).retval == 2
        assert probe.test_run("on_packet", bytes(64), context={"ingress_ifindex": 1}).retval == 2
        assert dict(probe.opened.items()) == {"/etc/hosts": 1}
        assert dict(probe.parents.items()) == {7: 1}


def no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Btf:
        raise NotSupported("type information about itself", since="5.4")

    monkeypatch.setattr(simulated_types, "vmlinux_btf", refuse)


def test_types_of_the_package() -> None:
    runs("shipped")


def test_where_no_kernel_tells_any(monkeypatch: pytest.MonkeyPatch) -> None:
    no_kernel(monkeypatch)
    runs(None)


def test_a_variable_names_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "types.btf"
    file.write_bytes(shipped().data())
    monkeypatch.setenv("BEESPACE_BTF", str(file))
    runs(None)
    monkeypatch.setenv("BEESPACE_BTF", str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match="no BTF can be read there"):
        Tracing().simulate()


def test_what_they_do_not_have_is_said_with_whose_they_are() -> None:
    with pytest.raises(CompileError, match="honey") as caught:
        Strange().simulate(btf="shipped")
    assert "the types that come with beespace: Linux 6.18" in str(caught.value)
    assert "simulate(btf=FILE)" in str(caught.value)
    with pytest.raises(CompileError) as caught:
        Strange().simulate(btf=GOLDEN)
    assert "come with beespace" not in str(caught.value)


def test_other_types_are_another_object(tmp_path: Path) -> None:
    """The offsets are those of the types that were given."""
    types = shipped()
    task = types.find("task_struct", Kind.STRUCT)
    other = Btf(GOLDEN.read_bytes())
    where = [each.member(number, "tgid").byte_offset for each, number in (
        (types, task), (other, other.find("task_struct", Kind.STRUCT)))]  # fmt: skip
    assert all(place > 0 for place in where)
    with Tracing().simulate(btf=types) as probe:
        raw = bytearray(8)
        memory = probe.program("on_exit").machine.memory
        content = bytearray(types.size(task))
        content[where[0] : where[0] + 4] = (99).to_bytes(4, "little")
        place = types.member(task, "real_parent").byte_offset
        address = memory.add("a task", content, rights()).base
        content[place : place + 8] = address.to_bytes(8, "little")
        raw[:] = address.to_bytes(8, "little")
        probe.test_run("on_exit", context=bytes(raw) + bytes(16))
        assert dict(probe.parents.items()) == {99: 99}


def rights() -> object:
    from beespace.vm import Rights

    return Rights.READ
