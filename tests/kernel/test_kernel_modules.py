"""Types of the modules that are loaded: read, opened, attached to, and searched by CO-RE."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from beespace.btf import Btf, BtfBuilder, Kind, Member, Struct
from beespace.errors import KernelError, NotSupported, RelocationError
from beespace.isa.constants import CoreRelocKind
from beespace.kernel import load
from beespace.kernel.kernel_types import KernelTypes, kernel_types
from beespace.spec import CoreReloc, FunctionSpec, ObjectSpec, ProgramSpec
from beespace.syscall import bpf

pytestmark = pytest.mark.kernel

RETURN_0 = bytes.fromhex("b7000000000000009500000000000000")


@pytest.fixture
def types() -> Iterator[KernelTypes]:
    with kernel_types() as made:
        if not made.modules:
            pytest.skip("no module with type information is loaded here (Linux 5.11)")
        yield made


def program(section: str) -> ObjectSpec:
    return ObjectSpec("modules", "GPL", {"p": ProgramSpec("p", section, FunctionSpec("p", RETURN_0))})


def test_every_module_can_be_read(types: KernelTypes) -> None:
    for name, btf in types.modules.readable():
        assert btf.base is types.vmlinux
        own = list(range(types.vmlinux.count, btf.count))
        assert own and all(btf.owns(i) for i in own), name
        for type_id in own:
            btf.type(type_id)
        functions = [btf.name(i) for i in own if btf.kind(i) is Kind.FUNC]
        for function in functions[:20]:
            found = types.find_in(name, function, Kind.FUNC)
            assert found is not None and found.btf.prototype(found.id)


def test_the_kernel_has_the_same_types_under_the_modules_name(types: KernelTypes, no_leaks: None) -> None:
    for name in list(types.modules)[:3]:
        opened = types.descriptor(name)
        info = bpf.btf_info(opened)
        assert (info.name, info.kernel_btf) == (name, True)
        assert Btf(bpf.btf_data(opened), types.vmlinux).data() == types.modules[name].data()
    types.close()


def test_a_function_of_a_module_is_attached_to(types: KernelTypes, no_leaks: None) -> None:
    """Not every function can be traced, so some of each module are tried."""
    refused: KernelError | None = None
    tried = 0
    for name, btf in types.modules.readable():
        own = (i for i in range(types.vmlinux.count, btf.count) if btf.kind(i) is Kind.FUNC)
        for type_id in list(own)[:25]:
            tried += 1
            try:
                with load(program(f"fentry/{name}:{btf.name(type_id)}")) as loaded:
                    assert bpf.prog_info(loaded.programs["p"]).attach_btf_id == type_id
                    with load(program(f"fexit/{name}:{btf.name(type_id)}")):
                        return
            except KernelError as error:
                refused = error
    if not tried:
        pytest.skip("no module with functions is loaded here")
    raise AssertionError(f"none of {tried} functions of modules can be traced") from refused


def test_a_function_that_the_module_lacks(types: KernelTypes, no_leaks: None) -> None:
    name = next(iter(types.modules))
    with pytest.raises(RelocationError, match=f"module {name} has no function 'no_such_function'"):
        load(program(f"fentry/{name}:no_such_function"))


def test_core_finds_a_struct_that_only_a_module_has(types: KernelTypes, no_leaks: None) -> None:
    found = _only_there(types)
    if found is None:
        pytest.skip("no module that is loaded here has a struct of its own")
    struct_name, member, offset = found
    b = BtfBuilder()
    local = b.struct(struct_name, 8, [Member(member.name, b.int("unsigned long", 8), 0)])
    asked = CoreReloc(0, local, "0:0", CoreRelocKind.FIELD_BYTE_OFFSET)
    entry = FunctionSpec("p", RETURN_0, core=(asked,))
    spec = ObjectSpec("modules", "GPL", {"p": ProgramSpec("p", "socket", entry)}, btf=b.bytes())
    with load(spec) as loaded:
        code = loaded.spec.programs["p"].entry.code
        assert int.from_bytes(code[4:8], "little") == offset


def _only_there(types: KernelTypes) -> tuple[str, Member, int] | None:
    """A struct that one module has and nobody else, and a whole number in it, with its offset in bytes."""
    for _, btf in types.modules.readable():
        for type_id in range(types.vmlinux.count, btf.count):
            struct = btf.type(type_id)
            if not isinstance(struct, Struct) or struct.is_union or not struct.name or "___" in struct.name:
                continue
            holders = [m for _, m in types.modules.readable() if any(map(m.owns, m.find_all(struct.name, Kind.STRUCT)))]
            if len(holders) != 1 or types.vmlinux.find_all(struct.name, Kind.STRUCT):
                continue
            for member in struct.members:
                whole = btf.kind(btf.resolve(member.type)) is Kind.INT and not member.bitfield_size
                if whole and member.name and member.bit_offset:
                    return struct.name, member, member.bit_offset // 8
    return None


def test_a_module_that_is_not_loaded(types: KernelTypes) -> None:
    with pytest.raises(NotSupported, match="types of module 'no_such_module'"):
        types.descriptor("no_such_module")
