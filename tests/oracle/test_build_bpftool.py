"""What ``beespace build`` makes, judged by libbpf (``bpftool prog loadall``) and the kernel."""

from __future__ import annotations

import linecache
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import blocks, page

from beespace import bpf, lang
from beespace import types as kinds
from beespace.compiler import compile_program
from beespace.errors import KernelError, NotSupported, RelocationError
from beespace.isa import MapType
from beespace.kernel import load, vmlinux_btf
from beespace.lang import Program, packet, verdicts
from beespace.session.files import program_of

ROOT = Path(__file__).parent.parent.parent
BPFTOOL = shutil.which("bpftool") or shutil.which("bpftool", path="/usr/sbin:/sbin") or ""
DOCS = blocks(page("language"), "python")
EXAMPLES = sorted(
    path for path in (ROOT / "examples").glob("*.py") if re.search(r"^class \w+\(Program\):", path.read_text(), re.M)
)

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(not BPFTOOL, reason="bpftool is not installed")]

# In a mount namespace of its own, so that the pins are gone with it.
LOAD = """
set -e
mount -t bpf none "$2"
"$0" prog loadall "$1" "$2/programs"
ls "$2/programs"
"""


def loadall(data: bytes, folder: Path) -> set[str]:
    """The names of the pinned programs."""
    (folder / "x.bpf.o").write_bytes(data)
    (folder / "bpffs").mkdir()
    command = ["unshare", "-m", "sh", "-c", LOAD, BPFTOOL, folder / "x.bpf.o", folder / "bpffs"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def check(program: type[Program], folder: Path) -> None:
    """Both loaders take the object, with the same programs."""
    from beespace.elf import read

    compiled = compile_program(program.declaration(), vmlinux_btf)
    spec = read(compiled.object, program.__name__)
    shown = subprocess.run([BPFTOOL, "struct_ops", "help"], capture_output=True, text=True)
    if spec.struct_ops and "LINK_DIR" not in shown.stderr:
        pytest.skip("this bpftool is older than .struct_ops.link (libbpf 1.2)")
    known = subprocess.run([BPFTOOL, "map", "help"], capture_output=True, text=True)
    if any(each.type == MapType.ARENA for each in spec.maps.values()) and "arena" not in known.stdout + known.stderr:
        pytest.skip("this bpftool knows no arenas (libbpf 1.4)")
    try:
        load(spec).close()
    except (NotSupported, RelocationError) as error:
        pytest.skip(f"not on this kernel: {error}")
    except KernelError as error:
        if "verifier" in str(error):
            raise
        pytest.skip(f"not on this kernel: {error}")
    assert loadall(compiled.object, folder) == set(spec.programs)


def programs_in(number: int, text: str) -> Iterator[type[Program]]:
    file = f"<language.md {number}, for bpftool>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    words = {name: getattr(lang, name) for name in lang.__all__}
    scope = {
        **vars(verdicts),
        **vars(packet),
        **vars(kinds),
        **words,
        "bpf": bpf,
        "__name__": f"docs_{number}",
    }
    before = set(scope)
    exec(compile(text, file, "exec", dont_inherit=True), scope)
    for name in set(scope) - before:
        if isinstance(scope[name], type) and issubclass(scope[name], Program):
            yield scope[name]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples(example: Path, tmp_path: Path) -> None:
    check(program_of(example), tmp_path)


@pytest.mark.parametrize("number", range(len(DOCS)))
def test_documentation(number: int, tmp_path: Path) -> None:
    for program in programs_in(number, DOCS[number]):
        check(program, tmp_path)
