"""Types of the kernel and its modules: found, opened and closed; what programs attach to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from beespace.btf import Btf, BtfBuilder, Kind, Member
from beespace.errors import FormatError, KernelError, NotSupported, RelocationError, UsageError
from beespace.hooks import resolve
from beespace.kernel import kernel_types as room
from beespace.kernel.kernel_types import KernelTypes, kernel_types
from beespace.kernel.targets import AttachTarget, attach_target
from beespace.syscall import Descriptor, bpf


def kernel() -> Btf:
    b = BtfBuilder()
    i = b.int("int", 4)
    b.struct("task", 4, [Member("pid", i, 0)])
    prototype = b.prototype(i, [("x", i)])
    for name in ("do_unlinkat", "do_filp_open", "bpf_lsm_file_open", "bpf_iter_task", "shared_name"):
        b.function(name, prototype)
    b.typedef("btf_trace_sched_switch", b.pointer(prototype))
    return Btf(b.bytes())


KERNEL = kernel()


def module(*functions: str, tracepoint: str = "") -> bytes:
    b = BtfBuilder(first_id=KERNEL.count, first_string=KERNEL.string_end)
    prototype = b.prototype(0, [])
    for name in functions:
        b.function(name, prototype)
    if tracepoint:
        b.typedef(f"btf_trace_{tracepoint}", b.pointer(prototype))
    return b.bytes()


@pytest.fixture
def types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KernelTypes]:
    (tmp_path / "vmlinux").write_bytes(b"not read")
    (tmp_path / "alpha").write_bytes(module("alpha_init", "shared_name", "both"))
    (tmp_path / "beta").write_bytes(module("beta_init", "both", tracepoint="beta_event"))
    (tmp_path / "gamma").mkdir()  # cannot be read, as one that went away
    monkeypatch.setattr(room, "_DIRECTORY", tmp_path)
    monkeypatch.setattr(room, "vmlinux_btf", lambda: KERNEL)
    numbers = {7: "vmlinux", 8: "alpha", 9: "beta"}
    opened: list[Descriptor] = []

    def open_by_id(number: int) -> Descriptor:
        opened.append(Descriptor(os.open(tmp_path / "vmlinux", os.O_RDONLY), f"BTF {number}"))
        opened_as[opened[-1].fileno()] = numbers[number]
        return opened[-1]

    opened_as: dict[int, str] = {}
    monkeypatch.setattr(bpf, "btf_get_next_id", lambda start: next((n for n in numbers if n > start), None))
    monkeypatch.setattr(bpf, "btf_get_fd_by_id", open_by_id)
    monkeypatch.setattr(bpf, "btf_info", lambda fd: bpf.BtfInfo(1, opened_as[fd.fileno()], 0, True))
    with KernelTypes() as made:
        yield made
    assert all(each.closed for each in opened)


def test_modules_are_read_on_first_need(types: KernelTypes) -> None:
    assert list(types.modules) == ["alpha", "beta", "gamma"] and len(types.targets()) == 4
    assert not types.modules._read
    assert types.targets()[0] is KERNEL and not types.modules._read
    found = types.find("beta_init", Kind.FUNC)
    assert found is not None and found.module == "beta" and found.btf.name(found.id) == "beta_init"
    assert types.modules["beta"] is types.modules["beta"]
    assert [each.base for each in types.targets()] == [None, KERNEL, KERNEL]
    assert types.find("nothing", Kind.FUNC) is None and types.find("task", Kind.FUNC) is None
    with pytest.raises(KeyError):
        types.modules["delta"]


def test_the_kernel_goes_before_modules_unless_one_is_named(types: KernelTypes) -> None:
    found = types.find("shared_name", Kind.FUNC)
    assert found is not None and found.module is None
    found = types.find_in("alpha", "shared_name", Kind.FUNC)
    assert found is not None and found.module == "alpha" and found.btf.owns(found.id)
    assert types.find_in("vmlinux", "alpha_init", Kind.FUNC) is None
    assert types.find_in("beta", "alpha_init", Kind.FUNC) is None
    assert types.find_in("delta", "alpha_init", Kind.FUNC) is None


@pytest.mark.parametrize(
    ("section", "name", "kind", "of"),
    [
        ("fentry/do_unlinkat", "do_unlinkat", Kind.FUNC, None),
        ("fexit.s/do_unlinkat", "do_unlinkat", Kind.FUNC, None),
        ("fmod_ret/do_unlinkat", "do_unlinkat", Kind.FUNC, None),
        ("fsession/do_unlinkat", "do_unlinkat", Kind.FUNC, None),
        ("tp_btf/sched_switch", "btf_trace_sched_switch", Kind.TYPEDEF, None),
        ("lsm/file_open", "bpf_lsm_file_open", Kind.FUNC, None),
        ("lsm.s/file_open", "bpf_lsm_file_open", Kind.FUNC, None),
        ("lsm_cgroup/file_open", "bpf_lsm_file_open", Kind.FUNC, None),
        ("iter/task", "bpf_iter_task", Kind.FUNC, None),
        ("fentry/beta_init", "beta_init", Kind.FUNC, "beta"),
        ("tp_btf/beta_event", "btf_trace_beta_event", Kind.TYPEDEF, "beta"),
        ("fentry/beta:both", "both", Kind.FUNC, "beta"),
        ("fentry/both", "both", Kind.FUNC, "alpha"),
        ("fentry/alpha:shared_name", "shared_name", Kind.FUNC, "alpha"),
        ("fentry/vmlinux:shared_name", "shared_name", Kind.FUNC, None),
    ],
)
def test_targets(types: KernelTypes, section: str, name: str, kind: Kind, of: str | None) -> None:
    found = attach_target(resolve(section), lambda: types)
    btf = KERNEL if of is None else types.modules[of]
    assert btf.name(found.btf_id) == name and btf.kind(found.btf_id) is kind
    assert found.btf_object is (None if of is None else types.descriptor(of))
    assert of is None or btf.owns(found.btf_id)


def test_hooks_without_a_type_ask_nothing() -> None:
    def never() -> KernelTypes:
        raise AssertionError("the kernel's types were read")

    for section in ("kprobe/do_unlinkat", "xdp", "raw_tp/sys_enter", "tracepoint/syscalls/sys_enter_openat", "socket"):
        assert attach_target(resolve(section), never) == AttachTarget()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("fentry/do_unlinkatt", "this kernel has no function 'do_unlinkatt'\n  help: did you mean do_unlinkat?"),
        ("tp_btf/sched_swich", "this kernel has no tracepoint 'sched_swich'\n  help: did you mean sched_switch?"),
        ("lsm/file_opened", "this kernel has no LSM hook 'file_opened'\n  help: did you mean file_open?"),
        ("iter/tasks", "this kernel has no iterator 'tasks'\n  help: did you mean task?"),
        ("fentry/zzz", "this kernel has no function 'zzz'\n  help: it may be inlined, part of a module"),
        ("fentry/alpah:f", "module 'alpah' of function 'f' is not loaded, or .*\n  help: did you mean alpha?"),
        ("fentry/zzz:f", "module 'zzz' of function 'f' is not loaded, or .*\n  help: modprobe zzz"),
        ("fentry/alpha:alpha_int", "module alpha has no function 'alpha_int'\n  help: did you mean alpha_init?"),
        ("fentry", "nothing says which function a program of section 'fentry' is for"),
    ],
)  # fmt: skip
def test_what_is_not_there(types: KernelTypes, section: str, message: str) -> None:
    with pytest.raises(RelocationError, match=message.replace("?", r"\?").replace("(", r"\(")):
        attach_target(resolve(section), lambda: types)


def test_modules_that_went_away(types: KernelTypes, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotSupported, match="types of module 'gone'"):
        types.descriptor("gone")

    def vanished(number: int) -> Descriptor:
        raise KernelError("no", call="BPF_BTF_GET_FD_BY_ID", errno=2 if number < 9 else 1)

    monkeypatch.setattr(bpf, "btf_get_fd_by_id", vanished)
    with pytest.raises(KernelError, match="EPERM"):
        types.descriptor("beta")


def test_custom_types_are_for_core_alone(types: KernelTypes, tmp_path: Path) -> None:
    b = BtfBuilder()
    b.struct("other", 0, [])
    raw = b.bytes()
    (tmp_path / "custom.btf").write_bytes(raw)
    for given in (Btf(raw), raw, tmp_path / "custom.btf", str(tmp_path / "custom.btf")):
        with kernel_types(given) as made:
            (target,) = made.targets()
            assert target.find("other", Kind.STRUCT) and made.vmlinux is KERNEL
            assert made.find("do_unlinkat", Kind.FUNC) is not None
    with pytest.raises(UsageError, match="no BTF can be read there \\(No such file or directory\\)"):
        kernel_types(tmp_path / "nothing")
    with pytest.raises(FormatError, match="magic number"):
        kernel_types(b"x" * 100)


def test_types_in_an_elf_file(tmp_path: Path) -> None:
    from beespace import elf
    from beespace.btf.contained import parse, sections
    from beespace.spec import FunctionSpec, ObjectSpec, ProgramSpec

    raw = KERNEL.data()
    code = FunctionSpec("f", bytes.fromhex("b7000000000000009500000000000000"))
    made = elf.write(ObjectSpec("x", "GPL", {"f": ProgramSpec("f", "socket", code)}, btf=raw))
    assert parse(made).data() == raw == sections(made)[".BTF"]
    other = bytearray(made)
    other[18] = 62  # x86-64, as a kernel
    assert parse(bytes(other)).find("task", Kind.STRUCT)
    with pytest.raises(FormatError, match=r"without a section \.BTF"):
        parse(bytes(made).replace(b".BTF\0", b".BTX\0"))
    for cut in range(4, len(made), 7):
        with pytest.raises(FormatError):
            parse(made[:cut])
