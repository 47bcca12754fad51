"""Makes the stub file of common kernel structs that the package ships, from the running kernel.

usage: python tools/kernel_stubs.py

`beespace stubs` writes the same for any kernel and any types.
"""

from __future__ import annotations

import os
from pathlib import Path

from beespace.btf import Btf
from beespace.compiler.kernel.stubs import COMMON, stubs

TARGET = Path(__file__).parent.parent / "src" / "beespace" / "lang" / "kernel_structs.pyi"

if __name__ == "__main__":
    btf = Btf(Path("/sys/kernel/btf/vmlinux").read_bytes())
    known = [name for name in COMMON if btf.find_all(name)]
    TARGET.write_text(stubs(btf, known, f"Linux {'.'.join(os.uname().release.split('.')[:2])}"))
    print(f"{TARGET.name}: {len(known)} structs, {TARGET.stat().st_size} bytes; not here: {set(COMMON) - set(known)}")
