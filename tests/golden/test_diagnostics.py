"""Each file in ``diagnostics`` is a probe with a mistake; beside it stands what the compiler says.

To add a rule is to add two files.  ``UPDATE_GOLDEN=1`` writes the messages anew; read the diff.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from beespace.btf import Btf
from beespace.compiler import compile_program, lower, rules
from beespace.errors import CompileError
from beespace.lang import Declaration

FOLDER = Path(__file__).parent / "diagnostics"
TYPES = Path(__file__).parent / "kernel.btf"
CASES = sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.fixture(scope="module")
def btf() -> Btf:
    return Btf(TYPES.read_bytes())


def declaration_of(path: Path):
    """Import a probe file by its relative name, so that messages are the same on every machine."""
    spec = importlib.util.spec_from_file_location(f"golden_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module.Probe.declaration()


def refuse(declaration: Declaration, btf: Btf) -> None:
    lower(declaration, btf)  # nearly all is found here
    compile_program(declaration, btf)


@pytest.mark.parametrize("name", CASES)
def test_message(name: str, btf: Btf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    declaration = declaration_of(FOLDER / f"{name}.py")
    with pytest.raises(CompileError) as caught:
        refuse(declaration, btf)
    found = f"{caught.value}\n"
    expected = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(found)
    assert found == expected.read_text()


def test_every_file_has_its_twin() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.txt")) == CASES


def test_every_rule_is_broken_somewhere(btf: Btf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    broken = set()
    for name in CASES:
        with pytest.raises(CompileError) as caught:
            refuse(declaration_of(FOLDER / f"{name}.py"), btf)
        broken |= {type(diagnostic).__name__ for diagnostic in caught.value.diagnostics}
    assert set(rules.__all__) - broken == set()
