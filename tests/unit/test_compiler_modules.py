"""Whose types a program is compiled with, where modules have functions of their own."""

from __future__ import annotations

from beespace.btf import Btf, BtfBuilder, Function, FunctionPrototype
from beespace.compiler.kernel.modules import types_for
from beespace.hooks import resolve


def with_function(name: str, base: Btf | None = None) -> Btf:
    where = {} if base is None else {"first_id": base.count, "first_string": base.string_end}
    builder = BtfBuilder(**where)
    builder.add(Function(name, builder.add(FunctionPrototype(0, ()))))
    return Btf(builder.bytes(), base)


class Modules(dict):
    """Remembers which were read."""

    read: list[str]

    def __getitem__(self, name: str) -> Btf:
        self.read.append(name)
        if name == "gone":
            raise OSError
        return super().__getitem__(name)


KERNEL = with_function("vfs_read")


def chosen(*sections: str) -> tuple[list[str], list[str]]:
    """The name of each program's types, and the modules that were read for that."""
    modules = Modules(gone=KERNEL, one=with_function("one_call", KERNEL), two=with_function("two_call", KERNEL))
    modules.read = []
    names = {id(KERNEL): "vmlinux", **{id(types): name for name, types in modules.items() if name != "gone"}}
    found = types_for({section: resolve(section) for section in sections}, KERNEL, modules)
    return [names[id(found[section])] for section in sections], modules.read


def test_a_function_of_the_kernel_reads_no_module() -> None:
    assert chosen("fentry/vfs_read", "kprobe/vfs_read+4", "xdp") == (["vmlinux"] * 3, [])


def test_a_function_of_a_module() -> None:
    assert chosen("fentry/two_call")[0] == ["two"]
    assert chosen("kprobe/one:one_call") == (["one"], ["one"])


def test_the_other_programs_know_the_types_of_the_only_module() -> None:
    assert chosen("fexit/one_call", "xdp", "fentry/vfs_read")[0] == ["one", "one", "one"]
    assert chosen("fexit/one_call", "xdp", "fentry/two_call")[0] == ["one", "vmlinux", "two"]


def test_what_no_module_has() -> None:
    assert chosen("fentry/no_such_function")[0] == ["vmlinux"]
    assert chosen("fentry/two:one_call") == (["vmlinux"], ["two"])
    assert chosen("fentry/vmlinux:one_call", "fentry/three:one_call") == (["vmlinux"] * 2, ["three"])


def test_a_glob_is_many_functions() -> None:
    assert chosen("kprobe.multi/one_*", "kprobe.multi/*") == (["vmlinux"] * 2, [])
