"""Every example of docs/language.md compiles."""

from __future__ import annotations

import linecache

import pytest
from pages import ROOT, blocks, page

import beespace
from beespace import lang
from beespace import types as kinds
from beespace.btf import Btf
from beespace.compiler import lower
from beespace.compiler.expressions import expressions
from beespace.compiler.statements import statements
from beespace.lang import Program, packet, verdicts

EXAMPLES = blocks(page("language"), "python")


@pytest.fixture(scope="module")
def btf() -> Btf:
    return Btf((ROOT / "tests" / "golden" / "kernel.btf").read_bytes())


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example(number: int, btf: Btf) -> None:
    text = EXAMPLES[number]
    file = f"<language.md {number}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    words = {name: getattr(lang, name) for name in lang.__all__}
    scope = {
        **vars(verdicts),
        **vars(packet),
        **vars(kinds),
        **words,
        "beespace": beespace,
        "__name__": __name__,
    }
    before = set(scope)
    exec(compile(text, file, "exec", dont_inherit=True), scope)
    programs = [scope[name] for name in set(scope) - before if isinstance(scope[name], type)]
    programs = [found for found in programs if issubclass(found, Program)]
    assert len(programs) == 1
    assert lower(programs[0].declaration(), btf).functions


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 8


def test_nothing_is_both_known_and_refused() -> None:
    assert not set(expressions.NODES) & set(expressions._REFUSED)
    assert not set(statements.NODES) & set(statements._REFUSED)
