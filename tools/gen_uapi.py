"""Write src/beespace/lang/uapi.py: the numbers that helpers take, by their names in the kernel's header.

    python tools/gen_uapi.py --header include/uapi/linux/bpf.h [--check]

The values are those that a C compiler gives the header's names.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "src" / "beespace" / "lang" / "uapi.py"

# What helpers and kernel functions take or give, by prefix; verdicts are in beespace.lang.verdicts.
GROUPS = {
    "Flags of many helpers": ("BPF_ANY", "BPF_NOEXIST", "BPF_EXIST", "BPF_F_"),
    "Storage": ("BPF_LOCAL_STORAGE_", "BPF_SK_STORAGE_", "BPF_SK_LOOKUP_"),
    "Rings": ("BPF_RB_", "BPF_RINGBUF_"),
    "Packets": ("BPF_ADJ_ROOM_", "BPF_CSUM_LEVEL_", "BPF_HDR_START_", "BPF_SKB_", "BPF_MTU_CHK_", "BPF_LWT_ENCAP_"),
    "Routes": ("BPF_FIB_",),
    "TCP: operations, callbacks, states, options": (
        "BPF_SOCK_OPS_", "BPF_TCP_", "TCP_BPF_", "SK_BPF_", "BPF_LOAD_HDR_OPT_", "BPF_WRITE_HDR_",
    ),
    "Devices, flow dissection, types as text, streams": ("BPF_DEVCG_", "BPF_FLOW_DISSECTOR_", "BTF_F_", "BPF_STREAM_"),
}  # fmt: skip


def names(header: str) -> list[str]:
    """Every constant that the header defines, in its order."""
    plain = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    found = re.findall(r"^#define\s+([A-Z][A-Z0-9_]+)[ \t]+\S", plain, re.M)
    for body in re.findall(r"\benum\s*\w*\s*\{(.*?)\}", plain, re.S):
        found += [match[1] for part in body.split(",") if (match := re.match(r"\s*([A-Z][A-Z0-9_]+)", part))]
    return list(dict.fromkeys(found))


def values(header: Path, wanted: list[str]) -> dict[str, int]:
    """What a C compiler takes them for; negative ones as the 64 bits that a helper gets."""
    lines = "\n".join(f'printf("{name} %llu\\n", (unsigned long long)(long long)({name}));' for name in wanted)
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder) / "names.c", Path(folder) / "names"
        source.write_text(f'#include <stdio.h>\n#include "{header.resolve()}"\nint main(void) {{\n{lines}\n}}\n')
        subprocess.run(["cc", "-w", "-o", program, source], check=True)
        out = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    return {name: int(value) for name, value in (line.split() for line in out.splitlines())}


def written(header: Path) -> str:
    """The module."""
    known = names(header.read_text())
    groups = {title: [n for n in known if n.startswith(prefixes)] for title, prefixes in GROUPS.items()}
    numbers = values(header, [name for group in groups.values() for name in group])
    out = [
        '"""Numbers that helpers take and give, by their names in include/uapi/linux/bpf.h.',
        "",
        "Written by tools/gen_uapi.py.",
        '"""',
        "",
        "from typing import Final",
    ]
    for title, group in groups.items():
        out += ["", f"# --- {title} ---", ""]
        out += [f"{name}: Final = {_shown(numbers[name])}" for name in group]
    return "\n".join(out) + "\n"


def _shown(value: int) -> str:
    return f"0x{value:X}" if value > 255 else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--header", type=Path, required=True)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file would change")
    options = parser.parse_args()
    text = written(options.header)
    if options.check:
        sys.exit(0 if TARGET.read_text() == text else f"{TARGET.name} would change")
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
