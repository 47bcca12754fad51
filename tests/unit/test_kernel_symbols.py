"""What is filled in at load time, and what a refusal is turned into."""

from __future__ import annotations

import struct
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest

from beespace.btf import Btf, BtfBuilder, Kind
from beespace.btf.types import Linkage
from beespace.errors import FormatError, NotPermitted, NotSupported, RelocationError, UsageError, VerifierError
from beespace.hooks import resolve
from beespace.isa.constants import CoreRelocKind
from beespace.kernel import kallsyms
from beespace.kernel.kernel_types import Found, KernelTypes
from beespace.kernel.maps import Map
from beespace.kernel.refused import explain
from beespace.kernel.symbols import MISSING_KFUNC, KernelSymbols, fill_symbols
from beespace.kernel.variables import encode, initial_data
from beespace.reloc import POISON, Relocation, Report
from beespace.reloc.image import Image, assemble
from beespace.spec import (
    FunctionSpec,
    LineInfo,
    MapSpec,
    ObjectSpec,
    ProgramSpec,
    SymbolKind,
    SymbolReloc,
    VariableSpec,
)

EXIT = "9500000000000000"
CALL = "8500000000000000"
HOOK = resolve("socket").hook
LOAD = "1801000000000000 0000000000000000"


class Numbered:
    """A map of which only the descriptor matters."""

    def fileno(self) -> int:
        return 77


MAPS = cast("dict[str, Map]", {"m": Numbered()})


def image(code: str, *symbols: SymbolReloc, lines: tuple[LineInfo, ...] = ()) -> Image:
    entry = FunctionSpec("entry", bytes.fromhex(code), symbols, lines=lines)
    return assemble(ObjectSpec("o", "GPL", {}), entry)


def kernel() -> Btf:
    builder = BtfBuilder()
    number = builder.int("int", 4)
    builder.variable("jiffies", number)
    builder.function("bpf_kfunc", builder.prototype(0, []), Linkage.STATIC)
    return Btf(builder.bytes())


class NoTypes:
    """A kernel whose types nothing here needs."""


class WithModule:
    """A kernel with one module, that has ``mod_kfunc`` and ``mod_state``."""

    def __init__(self) -> None:
        builder = BtfBuilder()
        number = builder.int("int", 4)
        builder.function("mod_kfunc", builder.prototype(number, [("a", number)]), Linkage.STATIC)
        builder.variable("mod_state", number)
        self.module = Btf(builder.bytes())

    def find(self, name: str, kind: Kind) -> Found | None:
        for btf, module in ((kernel(), None), (self.module, "mod")):
            if ids := btf.find_all(name, kind):
                return Found(btf, ids[0], module)
        return None

    def descriptor(self, module: str) -> Numbered:
        assert module == "mod"
        return Numbered()


def symbols_of(spec: ObjectSpec, types: object = None) -> KernelSymbols:
    return KernelSymbols(spec, cast("KernelTypes", types or WithModule()))


def fill(made: Image, types: object = None) -> str:
    return fill_symbols(made, MAPS, symbols_of(ObjectSpec("o", "GPL", {}), types), ExitStack()).hex()


def test_maps_and_their_values() -> None:
    assert fill(image(LOAD, SymbolReloc(0, SymbolKind.MAP, "m")), NoTypes()) == "181100004d000000" + "00" * 8
    value = image(LOAD, SymbolReloc(0, SymbolKind.MAP_VALUE, "m", addend=20))
    assert fill(value, NoTypes()) == "182100004d000000" + "0000000014000000"


def test_functions_of_the_kernel() -> None:
    number = kernel().find("bpf_kfunc")
    assert fill(image(CALL, SymbolReloc(0, SymbolKind.KFUNC, "bpf_kfunc"))) == f"85200000{number:02x}000000"
    weak = image(CALL + CALL, *(SymbolReloc(at, SymbolKind.KFUNC, f"no{at}", weak=True) for at in range(2)))
    code = bytes.fromhex(fill(weak))
    assert [struct.unpack_from("=BBhi", code, 8 * at) for at in range(2)] == [
        (0x85, 0, 0, MISSING_KFUNC),
        (0x85, 0, 0, MISSING_KFUNC + 1),
    ]


def test_variables_of_the_kernel() -> None:
    number = kernel().find("jiffies")
    assert fill(image(LOAD, SymbolReloc(0, SymbolKind.KSYM, "jiffies"))) == f"18310000{number:02x}000000" + "00" * 8
    assert fill(image(LOAD, SymbolReloc(0, SymbolKind.KSYM, "gone", weak=True))) == "18010000" + "00" * 12


@pytest.mark.parametrize("kind", [SymbolKind.KFUNC, SymbolKind.KSYM])
def test_what_the_kernel_does_not_have(kind: SymbolKind) -> None:
    # A variable's name is no function, nor the other way round.
    wrong = "jiffies" if kind is SymbolKind.KFUNC else "bpf_kfunc"
    with pytest.raises(RelocationError, match=f"'{wrong}'"):
        fill(image(LOAD, SymbolReloc(0, kind, wrong)))


def declared(parameters: int = 1, name: str = "mod_kfunc", *, variable: str = "") -> ObjectSpec:
    """An object that declares a function of so many integers, and perhaps a pointer as a variable."""
    builder = BtfBuilder()
    number = builder.int("long", 8)
    function = builder.function(name, builder.prototype(number, [("x", number)] * parameters), Linkage.EXTERN)
    rows = [(function, 0, 0)]
    if variable:
        rows.append((builder.variable(variable, builder.pointer(0), Linkage.EXTERN), 0, 8))
    builder.section(".ksyms", 0, rows)
    return ObjectSpec("o", "GPL", {}, btf=builder.bytes())


def test_symbols_of_modules() -> None:
    symbols = symbols_of(declared(name="mod_kfunc___v2"))
    made = image(CALL + CALL + CALL, *(
        SymbolReloc(at, SymbolKind.KFUNC, name) for at, name in enumerate(("bpf_kfunc", "mod_kfunc___v2", "mod_kfunc"))
    ))  # fmt: skip
    code = fill_symbols(made, MAPS, symbols, ExitStack())
    number = WithModule().module.find("mod_kfunc")
    # The offset of a call is the module's place among the descriptors, of which 0 is the kernel.
    assert struct.unpack_from("=BBhi", code, 0)[1:3] == (0x20, 0)
    assert [struct.unpack_from("=BBhi", code, 8 * at) for at in (1, 2)] == [(0x85, 0x20, 1, number)] * 2
    assert [each if isinstance(each, int) else each.fileno() for each in symbols.descriptors] == [0, 77]
    code = fill_symbols(image(LOAD, SymbolReloc(0, SymbolKind.KSYM, "mod_state")), MAPS, symbols, ExitStack())
    assert struct.unpack_from("=BBhiiI", code, 0)[1::2] == (0x31, WithModule().module.find("mod_state"), 77)


def test_the_address_of_a_function_is_taken_by_its_type() -> None:
    symbols = symbols_of(declared())
    code = fill_symbols(image(LOAD, SymbolReloc(0, SymbolKind.KSYM, "mod_kfunc")), MAPS, symbols, ExitStack())
    assert struct.unpack_from("=BBhi", code, 0) == (0x18, 0x31, 0, WithModule().module.find("mod_kfunc"))


def test_symbols_of_another_type() -> None:
    call = image(CALL, SymbolReloc(0, SymbolKind.KFUNC, "mod_kfunc"))
    with pytest.raises(RelocationError, match=r"declared as long \(long, long\); in this kernel it is int \(int\)"):
        fill_symbols(call, MAPS, symbols_of(declared(2)), ExitStack())
    weak = image(CALL, SymbolReloc(0, SymbolKind.KFUNC, "mod_kfunc", weak=True))
    code = fill_symbols(weak, MAPS, symbols_of(declared(2)), ExitStack())
    assert struct.unpack_from("=BBhi", code, 0) == (0x85, 0, 0, MISSING_KFUNC)
    for weakness in (False, True):
        load = image(LOAD, SymbolReloc(0, SymbolKind.KSYM, "mod_state", weak=weakness))
        with pytest.raises(RelocationError, match=r"'mod_state' is declared as void \*; in this kernel it is int"):
            fill_symbols(load, MAPS, symbols_of(declared(variable="mod_state")), ExitStack())


def test_addresses_without_a_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listing = tmp_path / "kallsyms"
    listing.write_text(
        "ffffffff81000000 T _stext\nffffffff81000010 t start_up.llvm.4711\nffffffff81000020 t twice\n"
        "ffffffffc0000000 t twice\t[mod]\nffffffffc0000040 d own_state\t[mod]\nffffffffc0000050 d own_state2\t[mod]\n"
    )
    monkeypatch.setattr(kallsyms, "KALLSYMS", str(listing))
    monkeypatch.setattr(kallsyms, "_PIECE", 7)  # no piece ends where a line does
    names = ["_stext", "start_up", "own_state", "nonesuch"]
    found = kallsyms.addresses(names)
    assert found == {"_stext": 0xFFFFFFFF81000000, "start_up": 0xFFFFFFFF81000010, "own_state": 0xFFFFFFFFC0000040}
    assert [symbol.module for symbol in kallsyms.find_symbols(["own_state", "_stext"])] == ["", "mod"]
    with pytest.raises(RelocationError, match="several kernel symbols are called 'twice'"):
        kallsyms.addresses(["twice"])

    relocs = (SymbolReloc(0, SymbolKind.ADDRESS, "_stext"), SymbolReloc(2, SymbolKind.ADDRESS, "nonesuch", weak=True))
    made = image(LOAD + LOAD, *relocs)
    entry = FunctionSpec("entry", made.code, relocs)
    symbols = symbols_of(ObjectSpec("o", "GPL", {"entry": ProgramSpec("entry", "tc", entry)}), NoTypes())
    code = fill_symbols(made, MAPS, symbols, ExitStack())
    assert code.hex() == "1801000000000081" + "00000000ffffffff" + "1801" + "00" * 14
    with pytest.raises(RelocationError, match="no symbol 'nonesuch'"):
        fill_symbols(image(LOAD, SymbolReloc(0, SymbolKind.ADDRESS, "nonesuch")), MAPS, symbols, ExitStack())
    listing.write_text("0000000000000000 A __per_cpu_start\n0000000000000000 T _stext\n")
    with pytest.raises(NotPermitted, match="kptr_restrict"):
        kallsyms.addresses(["__per_cpu_start"])
    listing.write_text("0000000000000000 A __per_cpu_start\nffffffff81000000 T _stext\n")  # there, that is where it is
    zero = SymbolReloc(0, SymbolKind.ADDRESS, "__per_cpu_start")
    entry = FunctionSpec("entry", LOAD, (zero,))
    symbols = symbols_of(ObjectSpec("o", "GPL", {"entry": ProgramSpec("entry", "tc", entry)}), NoTypes())
    assert fill_symbols(image(LOAD, zero), MAPS, symbols, ExitStack()).hex() == "1801" + "00" * 14


def test_a_map_that_the_object_does_not_hold() -> None:
    with pytest.raises(FormatError, match="entry refers to map 'gone'"):
        fill(image(LOAD, SymbolReloc(0, SymbolKind.MAP, "gone")))


# -- refusals --------------------------------------------------------------------------------------------------


def refusal(index: int, called: int) -> VerifierError:
    log = f"{index}: (85) call unknown#{called}\ninvalid func unknown#{called}\nprocessed 1 insns (limit 1000000)\n"
    return VerifierError("entry", errno=22, log=log, reason=f"invalid func unknown#{called}", source=None)


def poisoned(function: str, index: int) -> Report:
    what = "field nosuch of struct task_struct"
    return Report((Relocation(function, index, CoreRelocKind(0), what, 0, None, "no such member"),))


def test_a_poisoned_instruction_of_a_sub_program() -> None:
    sub = FunctionSpec("sub", bytes.fromhex(EXIT + CALL + EXIT), lines=(LineInfo(0, "p.py", "task.nosuch", 9, 1),))
    entry = FunctionSpec("entry", bytes.fromhex(CALL + EXIT), (SymbolReloc(0, SymbolKind.CALL, "sub"),))
    made = assemble(ObjectSpec("o", "GPL", {}, {"sub": sub}), entry)
    error = explain(refusal(3, POISON), made, poisoned("sub", 1), HOOK)
    assert isinstance(error, RelocationError)
    assert error.message == (
        "program 'entry' uses field nosuch of struct task_struct, which this kernel does not have "
        "(no such member), at p.py:9: task.nosuch"
    )
    for other in (poisoned("entry", 1), poisoned("sub", 2), Report()):
        assert isinstance(explain(refusal(3, POISON), made, other, HOOK), VerifierError)


def test_a_weak_function_that_is_called() -> None:
    made = image(CALL + CALL, *(SymbolReloc(at, SymbolKind.KFUNC, f"no{at}", weak=True) for at in range(2)))
    error = explain(refusal(1, MISSING_KFUNC + 1), made, Report(), HOOK)
    assert isinstance(error, RelocationError)
    assert "calls no1(), which this kernel does not have" in error.message


@pytest.mark.parametrize(
    ("log", "since", "hint"),
    [
        ("invalid func unknown#158", "5.11", "beespace doctor"),
        ("unknown func bpf_get_current_task_btf#158", None, "programs of this kind"),  # older words for it
        ("program of this type cannot use helper bpf_get_current_task_btf#158", None, "programs of this kind"),
    ],
)
def test_a_helper_that_this_kernel_does_not_have_is_not_supported(log: str, since: str | None, hint: str) -> None:
    made = image(CALL + EXIT, lines=(LineInfo(0, "p.py", "  bpf.task()", 4, 1),))
    text = f"0: (85) call unknown#158\n{log}\nprocessed 1 insns (limit 1000000)\n"
    error = explain(VerifierError("entry", errno=22, log=text, reason=log, source=None), made, Report(), HOOK)
    assert isinstance(error, NotSupported)
    assert error.exit_status == 3
    assert error.message == (
        "this kernel does not support bpf_get_current_task_btf() in program 'entry', at p.py:4: bpf.task()"
        + ("" if since is None else f" (needs Linux {since})")
    )
    assert error.since == since
    assert error.help is not None
    assert error.help.startswith(hint)


def test_a_helper_that_came_later_to_programs_of_this_kind_says_when() -> None:
    made = image(CALL + EXIT)
    text = "0: (85) call bpf_sk_storage_get#107\nunknown func bpf_sk_storage_get#107\n"
    refused = VerifierError("entry", errno=22, log=text, reason="unknown func bpf_sk_storage_get#107", source=None)
    said = {section: explain(refused, made, Report(), resolve(section).hook) for section in ("tp_btf/a", "socket")}
    assert {section: getattr(error, "since", "") for section, error in said.items()} == {
        "tp_btf/a": "5.11",
        "socket": None,
    }


def test_any_other_refusal_gets_its_line_from_the_object() -> None:
    made = image(CALL + EXIT, lines=(LineInfo(0, "p.py", "  bpf.nonsense()", 4, 1),))
    error = explain(refusal(0, 255), made, Report(), HOOK)
    assert isinstance(error, VerifierError)
    assert (error.source, error.reason, error.errno) == ("p.py:4: bpf.nonsense()", "invalid func unknown#255", 22)
    assert "invalid func" in error.log


# -- variables -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "value", "expected"),
    [
        (1, 255, "ff"),
        (1, -128, "80"),
        (2, -1, "ffff"),
        (4, 1, "01000000"),
        (8, 2**64 - 1, "ff" * 8),
        (4, b"ab", "61620000"),
        (3, b"abc", "616263"),
        (3, b"", "000000"),
    ],
)
def test_values_as_bytes(size: int, value: int | bytes, expected: str) -> None:
    assert encode(VariableSpec("v", ".data", 0, size), value).hex() == expected


@pytest.mark.parametrize(
    ("size", "value"), [(1, 256), (1, -129), (4, 2**32), (8, 2**64), (8, -(2**63) - 1), (3, 1), (2, b"abc")]
)
def test_values_that_do_not_fit(size: int, value: int | bytes) -> None:
    with pytest.raises(UsageError, match="'v'"):
        encode(VariableSpec("v", ".data", 0, size), value)


def test_the_first_content_of_sections() -> None:
    variables = {"a": VariableSpec("a", ".bss", 4, 4), "b": VariableSpec("b", ".rodata", 0, 2)}
    maps = {name: MapSpec(name, 2, 4, 8, 1) for name in (".bss", ".rodata")}
    spec = ObjectSpec("o", "GPL", {}, maps=maps, variables=variables, data={".rodata": b"12345678"})
    assert initial_data(spec, {}) == {".rodata": b"12345678"}
    content = {".bss": bytes([0, 0, 0, 0, 5, 0, 0, 0]), ".rodata": b"x\x00345678"}
    assert initial_data(spec, {"a": 5, "b": b"x"}) == content
    assert spec.data[".rodata"] == b"12345678"
