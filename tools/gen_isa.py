"""Write src/beespace/isa/constants.py and helpers.py.

    python tools/gen_isa.py [--btf /sys/kernel/btf/vmlinux] [--header linux/bpf.h] [--names names.json]

Numbers come from the enumerations in a kernel's BTF and, if one is given, in a newer
include/uapi/linux/bpf.h (which clang turns into BTF).  ``--names`` tells which helpers each long-term
kernel has: ``{"6.1": {"helpers": [names]}, ...}``.  What the present files hold is kept, so running this
on any kernel only ever adds.  The preprocessor constants below are in no BTF; they are from
include/uapi/linux/bpf.h.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from beespace.btf import Btf, Enum, Kind  # noqa: E402

ISA = ROOT / "src" / "beespace" / "isa"

# class, docstring, enumeration in BTF, prefix that is cut off
ENUMS = (
    ("MapType", "``enum bpf_map_type``.", "bpf_map_type", "BPF_MAP_TYPE_"),
    ("ProgramType", "``enum bpf_prog_type``.", "bpf_prog_type", "BPF_PROG_TYPE_"),
    ("AttachType", "``enum bpf_attach_type``.", "bpf_attach_type", "BPF_"),
    ("LinkType", "``enum bpf_link_type``.", "bpf_link_type", "BPF_LINK_TYPE_"),
    ("PerfEventType", "``enum bpf_perf_event_type``: in the info of a perf link.", "bpf_perf_event_type",
     "BPF_PERF_EVENT_"),
    ("StatsType", "``enum bpf_stats_type``: for BPF_ENABLE_STATS.", "bpf_stats_type", "BPF_STATS_"),
    ("CoreRelocKind", "``enum bpf_core_relo_kind``: what a CO-RE relocation asks for.", "bpf_core_relo_kind",
     "BPF_CORE_"),
)  # fmt: skip

# class, docstring, one enumerator of the anonymous enumeration in BTF, prefix
FLAG_ENUMS = (
    ("MapFlag", "``map_flags`` of BPF_MAP_CREATE.", "BPF_F_NO_PREALLOC", "BPF_F_"),
    ("UpdateFlag", "``flags`` of the element commands.", "BPF_NOEXIST", "BPF_"),
    ("RingFlag", "``flags`` of bpf_ringbuf_submit, _discard and _output.", "BPF_RB_NO_WAKEUP", "BPF_RB_"),
)

DEFINES = (
    ("ProgramFlag", "``prog_flags`` of BPF_PROG_LOAD.", {
        "STRICT_ALIGNMENT": 0, "ANY_ALIGNMENT": 1, "TEST_RND_HI32": 2, "TEST_STATE_FREQ": 3, "SLEEPABLE": 4,
        "XDP_HAS_FRAGS": 5, "XDP_DEV_BOUND_ONLY": 6, "TEST_REG_INVARIANTS": 7,
    }),
    ("AttachFlag", "``attach_flags`` of BPF_PROG_ATTACH.", {
        "ALLOW_OVERRIDE": 0, "ALLOW_MULTI": 1, "REPLACE": 2, "BEFORE": 3, "AFTER": 4, "ID": 5, "PREORDER": 6,
        "LINK": 13,
    }),
    ("QueryFlag", "``query_flags`` of BPF_PROG_QUERY.", {"EFFECTIVE": 0}),
    ("TestRunFlag", "``flags`` of BPF_PROG_TEST_RUN.", {
        "RUN_ON_CPU": 0, "XDP_LIVE_FRAMES": 1, "SKB_CHECKSUM_COMPLETE": 2,
    }),
)  # fmt: skip


def enumeration(btf: Btf, name: str) -> dict[str, int]:
    """Enumerators of a named enumeration; what ends it (``__MAX_...``) is left out."""
    try:
        found = btf.type(btf.find(name, Kind.ENUM, Kind.ENUM64))
    except KeyError:
        return {}
    assert isinstance(found, Enum)
    return {v.name: v.value for v in found.values if not v.name.startswith("__")}


def anonymous(btf: Btf, member: str) -> dict[str, int]:
    """Enumerators of the anonymous enumeration that has ``member``."""
    for type_id in btf.ids(Kind.ENUM, Kind.ENUM64):
        found = btf.type(type_id)
        assert isinstance(found, Enum)
        if not found.name and any(v.name == member for v in found.values):
            return {v.name: v.value for v in found.values}
    return {}


def header_types(header: Path) -> Btf:
    """The named enumerations of a header, as clang writes them into BTF."""
    with tempfile.TemporaryDirectory() as folder:
        source, compiled, section = (Path(folder) / name for name in ("enums.c", "enums.o", "enums.btf"))
        uses = [f"enum {row[2]} {row[2]}_;" for row in ENUMS] + ["enum bpf_func_id bpf_func_id_;"]
        source.write_text("\n".join([f'#include "{header.resolve()}"', *uses]))
        asm = f"/usr/include/{sysconfig.get_config_var('MULTIARCH')}"  # where Debian keeps <asm/types.h>
        command = ["clang", "-target", "bpf", "-g", "-idirafter", asm, "-c", str(source), "-o", str(compiled)]
        subprocess.run(command, check=True)
        subprocess.run(["llvm-objcopy", f"--dump-section=.BTF={section}", compiled, "/dev/null"], check=True)
        return Btf(section.read_bytes())


def present(module: str, cls: str) -> dict[str, int]:
    """What the present file has."""
    try:
        namespace: dict[str, object] = {}
        exec((ISA / module).read_text(), namespace)
        return {name: int(value) for name, value in namespace[cls].__members__.items()}  # type: ignore[attr-defined]
    except (FileNotFoundError, KeyError):
        return {}


def members(values: dict[str, int], *, hexadecimal: bool = False) -> list[str]:
    """The body of an enumeration, by number; an alias stands after its number's first name."""
    rows = sorted(values.items(), key=lambda row: (row[1], row[0].endswith("_DEPRECATED")))
    return [f"    {name} = {value:#x}" if hexadecimal else f"    {name} = {value}" for name, value in rows]


def constants(btf: Btf, newer: list[Btf]) -> str:
    """constants.py."""
    out = [
        '"""Numbers of the kernel\'s interface (include/uapi/linux/bpf.h).  Written by tools/gen_isa.py."""',
        "",
        "from __future__ import annotations",
        "",
        "from beespace.enumeration import IntEnum, IntFlag",
        "",
        "__all__ = [",
        *(f'    "{name}",' for name in sorted(str(row[0]) for row in (*ENUMS, *FLAG_ENUMS, *DEFINES))),
        "]",
    ]
    for cls, doc, name, prefix in ENUMS:
        values = present("constants.py", cls)
        for each in (btf, *newer):
            values |= {n.removeprefix(prefix): v for n, v in enumeration(each, name).items()}
        out += ["", "", f"class {cls}(IntEnum):", f'    """{doc}"""', "", *members(values)]
    for cls, doc, member, prefix in FLAG_ENUMS:
        values = present("constants.py", cls) | {n.removeprefix(prefix): v for n, v in anonymous(btf, member).items()}
        if cls == "UpdateFlag":  # the kernel later put BPF_F_LOCK among them
            values = {n.removeprefix("F_"): v for n, v in values.items()}
        out += ["", "", f"class {cls}(IntFlag):", f'    """{doc}"""', "", *members(values, hexadecimal=True)]
    for cls, doc, bits in DEFINES:
        values = {name: 1 << bit for name, bit in bits.items()}
        out += ["", "", f"class {cls}(IntFlag):", f'    """{doc}"""', "", *members(values, hexadecimal=True)]
    return "\n".join(out) + "\n"


def helpers(btf: Btf, newer: list[Btf], names: dict[str, dict[str, list[str]]]) -> str:
    """helpers.py."""
    numbers: dict[str, int] = {}
    for each in (btf, *newer):
        numbers |= {n.removeprefix("BPF_FUNC_"): v for n, v in enumeration(each, "bpf_func_id").items()}
    since: dict[str, str] = {}
    try:
        namespace: dict[str, object] = {"__name__": "present"}
        sys.modules["present"] = sys
        exec((ISA / "helpers.py").read_text(), namespace)
        for name, helper in namespace["HELPERS"].items():  # type: ignore[attr-defined]
            numbers.setdefault(name, helper.number)
            if helper.since:
                since[name] = helper.since
    except FileNotFoundError:
        pass
    surveyed = sorted(names, key=lambda v: [int(n) for n in v.split(".")])
    for kernel in surveyed:
        for name in names[kernel]["helpers"]:
            since.setdefault(name, kernel)
    numbers.pop("unspec", None)
    rows = sorted(numbers.items(), key=lambda row: row[1])
    lines = [f'    ({number}, "{name}", "{since.get(name, "")}"),' for name, number in rows]
    return HELPERS_HEAD + "\n".join(lines) + HELPERS_TAIL


HELPERS_HEAD = '''"""The helper functions of the kernel (``enum bpf_func_id``).  Written by tools/gen_isa.py."""

from __future__ import annotations

from beespace.typed import NamedTuple

__all__ = ["BY_NUMBER", "HELPERS", "Helper"]


class Helper(NamedTuple):
    """A function that a program can call by number.

    ``name`` is without ``bpf_``; ``since`` is the first kernel that has it.  What it takes and which programs may
    call it stands in :mod:`beespace.isa.signatures`.
    """

    number: int
    name: str
    since: str


_TABLE = (
'''

HELPERS_TAIL = """
)

HELPERS: dict[str, Helper] = {name: Helper(number, name, since) for number, name, since in _TABLE}
BY_NUMBER: dict[int, Helper] = {helper.number: helper for helper in HELPERS.values()}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="write the tables of beespace.isa")
    parser.add_argument("--btf", type=Path, default=Path("/sys/kernel/btf/vmlinux"))
    parser.add_argument("--header", type=Path, help="a newer include/uapi/linux/bpf.h")
    parser.add_argument("--names", type=Path, help="helpers by kernel, as JSON")
    options = parser.parse_args()
    btf = Btf(options.btf.read_bytes())
    names = json.loads(options.names.read_text()) if options.names else {}
    newer = [header_types(options.header)] if options.header else []
    texts = {"constants.py": constants(btf, newer), "helpers.py": helpers(btf, newer, names)}
    for name, text in texts.items():
        (ISA / name).write_text(text)


if __name__ == "__main__":
    main()
