"""The public interface: its snapshot, what importing it costs, and the exception tree."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import beespace
from beespace import errors

ROOT = Path(__file__).parent.parent.parent


def test_names_are_those_of_the_snapshot() -> None:
    snapshot = (ROOT / "api.txt").read_text().split()
    assert sorted(beespace.__all__) == snapshot, "change api.txt with the names, and say so in CHANGELOG.md"
    assert len(snapshot) <= 30
    for name in snapshot:
        assert getattr(beespace, name) is not None


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_the_language_needs_neither_numpy_nor_llvm() -> None:
    heavy = {"numpy", "pyarrow", "llvmlite", "duckdb", "rich", "ctypes", "beespace.kernel", "beespace.compiler"}
    assert not heavy & modules_after("from beespace import Program, bpf, tracepoint")


def test_the_loader_does_not_import_the_language() -> None:
    assert "beespace.lang" not in modules_after("import beespace.kernel, beespace.elf")


def test_a_name_that_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match="module 'beespace' has no attribute 'Hahs'"):
        beespace.Hahs  # noqa: B018
    assert set(beespace.__all__) <= set(dir(beespace))


def test_the_loader_needs_the_standard_library_only() -> None:
    loaded = modules_after("import beespace.session, beespace.kernel, beespace.elf")
    assert not {"numpy", "pyarrow", "llvmlite", "duckdb", "rich"} & loaded


def test_help_imports_no_room() -> None:
    loaded = modules_after("import beespace.cli.arguments as a; a.make_parser()")
    assert not {"numpy", "pyarrow", "llvmlite", "beespace.kernel", "beespace.session", "beespace.sinks"} & loaded


def test_every_exception_stands_in_the_drawn_tree() -> None:
    assert errors.__doc__ is not None
    for name in errors.__all__:
        assert name in errors.__doc__
        assert issubclass(getattr(errors, name), Exception)
    assert not issubclass(errors.InternalError, errors.BeespaceError)


def test_every_example_is_listed() -> None:
    listed = set(re.findall(r"\]\(([\w/]+\.py)\)", (ROOT / "examples" / "README.md").read_text()))
    probes = (path for path in (ROOT / "examples").glob("*/*.py") if path.parent.name != "tests")
    assert listed == {str(path.relative_to(ROOT / "examples")) for path in probes}
