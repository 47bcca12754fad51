"""Write src/beespace/lang/bpf_kfuncs.py: the functions of the kernel that programs may call (kfuncs).

    python tools/gen_kfuncs.py [--measured 7.3.json ...] [--check]

``--measured`` is what tools/measure_helpers.py says of a kernel, oldest first; the newest prototype counts.  What the
present file holds is kept, so that functions which newer kernels dropped stay known.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

TARGET = ROOT / "src" / "beespace" / "lang" / "bpf_kfuncs.py"
HEAD = '''"""Functions of the kernel that programs may call, with their prototypes.  Written by tools/gen_kfuncs.py.

The compiler takes prototypes from the type information of the kernel that it compiles for; these are for editors, and
for kernels that do not mark such functions.
"""
# ruff: noqa: E501

from __future__ import annotations

__all__ = ["KFUNCS"]

KFUNCS: dict[str, str] = {
'''


def present() -> dict[str, str]:
    """What the present file has."""
    try:
        from beespace.lang.bpf_kfuncs import KFUNCS
    except ImportError:
        return {}
    return dict(KFUNCS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measured", type=Path, nargs="*", default=[])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file would change")
    options = parser.parse_args()
    known = present()
    for path in options.measured:
        known |= json.loads(path.read_text()).get("functions", {})
    rows = [f"    {json.dumps(name)}: {json.dumps(known[name])}," for name in sorted(known)]
    text = HEAD + "\n".join(rows) + "\n}  # fmt: skip\n"
    if options.check:
        sys.exit(0 if TARGET.read_text() == text else f"{TARGET.name} would change")
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
