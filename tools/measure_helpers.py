"""Say what the running kernel knows of helpers and kernel functions, as JSON.

Of helpers: who may call each, and what the kernel declares of their arguments.  Of functions (kfuncs): prototypes.

    python tools/measure_helpers.py > 7.3.json

Who may call is found by trying (:func:`beespace.kernel.features.helper`), for each program type with each attach
type.  Declarations are ``struct bpf_func_proto``, read from ``/proc/kcore`` where ``/proc/kallsyms`` names them
(root, CONFIG_PROC_KCORE, CONFIG_KALLSYMS_ALL); without these there are none.  Input of tools/gen_helpers.py.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from beespace.btf import Btf, DeclTag, Enum, Kind, Struct  # noqa: E402
from beespace.isa import AttachType, ProgramType  # noqa: E402
from beespace.isa.constants import ProgramFlag  # noqa: E402
from beespace.isa.helpers import HELPERS  # noqa: E402
from beespace.kernel.features import Smallest, helper  # noqa: E402
from beespace.kernel.features.attach_types import _LOADED, attach_type  # noqa: E402
from beespace.kernel.features.program_types import _SMALLEST  # noqa: E402
from beespace.kernel.vmlinux import vmlinux_btf  # noqa: E402

_ARGUMENTS = 5


def places() -> Iterator[tuple[str, int, Smallest | None]]:
    """Every kind of program: its name ``type:attach type``, its program type, how to load one."""
    for number in ProgramType:
        if number not in (ProgramType.UNSPEC, ProgramType.EXT):
            yield f"{int(number)}:{int(_SMALLEST.get(number, Smallest()).expected_attach_type)}", number, None
    for attach, (program, returns, target) in _LOADED.items():
        if attach_type(attach).available:
            yield f"{int(program)}:{int(attach)}", program, Smallest(attach, returns, target=target)
    sleeping = Smallest(AttachType.LSM_MAC, target=("bpf_lsm_bprm_committed_creds", Kind.FUNC),
                        flags=ProgramFlag.SLEEPABLE)  # fmt: skip
    yield f"{int(ProgramType.LSM)}:{int(AttachType.LSM_MAC)}", ProgramType.LSM, sleeping


def callers() -> dict[str, list[str]]:
    """place -> names of the helpers that programs there may call."""
    found: dict[str, set[str]] = {}
    for place, program, like in places():
        allowed = {name for name in HELPERS if helper(program, name, like).available}
        found.setdefault(place, set()).update(allowed)
    return {place: sorted(names) for place, names in found.items()}


def _memory() -> list[tuple[int, int, int]]:
    """(address, size, offset in the file) of the stretches of kernel memory in /proc/kcore."""
    with Path("/proc/kcore").open("rb") as core:
        header = core.read(64)
        (start,), (count,) = struct.unpack_from("<Q", header, 32), struct.unpack_from("<H", header, 56)
        core.seek(start)
        table = core.read(56 * count)
    rows = [struct.unpack_from("<IIQQQQQQ", table, 56 * index) for index in range(count)]
    return [(row[3], row[5], row[2]) for row in rows if row[0] == 1]


def _symbols() -> tuple[dict[str, list[int]], dict[int, str]]:
    """Addresses of what is named ``..._proto``, and names of functions by address."""
    declarations: dict[str, list[int]] = {}
    functions: dict[int, str] = {}
    with Path("/proc/kallsyms").open() as lines:
        for line in lines:
            address, kind, name, *module = line.split()
            if kind in "tT":
                functions.setdefault(int(address, 16), name)
            elif name.endswith("_proto") and not module:
                declarations.setdefault(name, []).append(int(address, 16))
    return declarations, functions


def declarations() -> list[dict[str, object]]:
    """What the kernel declares of each helper, as the names of its own enumerations."""
    btf = vmlinux_btf()
    type_id = btf.find("bpf_func_proto", Kind.STRUCT)
    size = btf.size(type_id)
    names = {}
    for enumeration in ("bpf_arg_type", "bpf_return_type", "bpf_type_flag"):
        found = btf.type(btf.find(enumeration, Kind.ENUM))
        assert isinstance(found, Enum)
        names[enumeration] = {value.value: value.name for value in found.values}
    assert isinstance(btf.type(type_id), Struct)
    memory, (symbols, functions) = _memory(), _symbols()

    def number(raw: bytes, member: str) -> int:
        path = btf.member(type_id, member)
        return int.from_bytes(raw[path.byte_offset : path.byte_offset + btf.size(path.type_id)], "little")

    def spelt(value: int, enumeration: str) -> list[str]:
        base = names[enumeration].get(value & 0xFF, str(value & 0xFF))
        flags = [name for bit, name in names["bpf_type_flag"].items() if bit > 0xFF and value & bit == bit]
        return [base, *sorted(name for name in flags if not name.startswith("__"))]

    rows = []
    with Path("/proc/kcore").open("rb", buffering=0) as core:
        for address in (address for addresses in symbols.values() for address in addresses):
            place = next(
                (off + address - start for start, length, off in memory if start <= address < start + length), 0
            )
            core.seek(place)
            raw = core.read(size)
            function = functions.get(number(raw, "func"))
            if function is None:
                continue
            types = [number(raw, f"arg{index}_type") for index in range(1, _ARGUMENTS + 1)]
            rows.append(
                {
                    "function": function,
                    "result": spelt(number(raw, "ret_type"), "bpf_return_type"),
                    "arguments": [spelt(value, "bpf_arg_type") for value in types if value],
                    "sizes": [number(raw, f"arg{index}_size") for index in range(1, _ARGUMENTS + 1)],
                    "gpl": bool(number(raw, "gpl_only")),
                    "sleeps": bool(number(raw, "might_sleep")) if _has(type_id, "might_sleep") else False,
                    "picky": bool(number(raw, "allowed")),
                }
            )
    return sorted(rows, key=lambda row: (str(row["function"]), json.dumps(row)))


def _has(type_id: int, member: str) -> bool:
    found = vmlinux_btf().type(type_id)
    return isinstance(found, Struct) and any(each.name == member for each in found.members)


def functions() -> dict[str, str]:
    """The functions that programs may call, as C declares them; those of modules that are loaded, too."""
    found = {}
    vmlinux = vmlinux_btf()
    modules = [path for path in sorted(Path("/sys/kernel/btf").iterdir()) if path.name != "vmlinux"]
    for btf in (vmlinux, *(Btf(path.read_bytes(), vmlinux) for path in modules)):
        for number in btf.find_all("bpf_kfunc", Kind.DECL_TAG):
            tag = btf.type(number)
            assert isinstance(tag, DeclTag)
            prototype = btf.prototype(tag.type)
            takes = ", ".join(f"{btf.describe(each.type)} {each.name}" for each in prototype.parameters)
            found[btf.name(tag.type)] = f"{btf.describe(prototype.result)} ({takes})"
    return found


def main() -> None:
    known = declarations() if Path("/proc/kcore").exists() else []
    json.dump(
        {"release": os.uname().release, "callers": callers(), "declarations": known, "functions": functions()},
        sys.stdout,
        indent=0,
    )


if __name__ == "__main__":
    main()
