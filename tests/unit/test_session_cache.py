"""The key of a compiled object: whatever it is made of changes it, wherever that stands."""

from __future__ import annotations

import importlib
import linecache
import sys
from pathlib import Path

import pytest

from beespace.session import cache

HEAD = "from beespace.lang import *\nfrom beespace.types import *\n"
PROBE = """
class Probe(Program):
    seen = Array(u64, 2){members}

    @raw_tracepoint("sched_process_exit")
    def on_event(self, ctx):
        self.seen[0] = {value}
"""
FUNCTION = HEAD + "@function\ndef scaled(a: u64) -> u64:\n    return a + {}\n"
CLASS = "class Limits:\n    MOST = {}\n"

CASES = {
    "a constant": ("MOST = {}\n", "from limits import MOST\n", "", "MOST"),
    "a constant of a module": ("MOST = {}\n", "import limits\n", "", "limits.MOST"),
    "a class": (CLASS, "from limits import Limits\n", "", "Limits.MOST"),
    "a class of a module": (CLASS, "import limits\n", "", "limits.Limits.MOST"),
    "a function": (FUNCTION, "from limits import scaled\n", "", "scaled(1)"),
    "a function of a module": (FUNCTION, "import limits\n", "", "limits.scaled(1)"),
    "an attribute of the class": ("MOST = {}\n", "import limits\n", "\n    MOST = limits.MOST", "self.MOST"),
    "a default": ("MOST = {}\n", "import limits\n", "\n    most: u32 = limits.MOST", "u64(self.most)"),
    "a type": (HEAD + "Kind = {{5: u32, 6: u64}}[{}]\n", "from limits import Kind\n", "", "u64(Kind(7))"),
}


def key_of(folder: Path, limits: str, probe: str) -> str:
    (folder / "limits.py").write_text(limits)
    (folder / "cached_probe.py").write_text(probe)
    for name in ("limits", "cached_probe"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    linecache.clearcache()
    return cache.key(importlib.import_module("cached_probe").Probe.declaration())


@pytest.mark.parametrize("name", CASES)
def test_what_another_file_says_counts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    limits, importing, members, value = CASES[name]
    probe = HEAD + importing + PROBE.format(members=members, value=value)
    try:
        first, again = (key_of(tmp_path, limits.format(5), probe) for _ in range(2))
        other = key_of(tmp_path, limits.format(6), probe)
    finally:
        for module in ("limits", "cached_probe"):
            sys.modules.pop(module, None)
    assert first == again
    assert first != other


def test_a_class_that_is_made_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    inside = "\n".join(f"    {line}" for line in PROBE.format(members="\n    MOST = k", value="self.MOST").splitlines())
    (tmp_path / "made_twice.py").write_text(f"{HEAD}def make(k):{inside}\n    return Probe\n")
    try:
        make = importlib.import_module("made_twice").make
        keys = [cache.key(make(number).declaration()) for number in (5, 6, 5)]
    finally:
        sys.modules.pop("made_twice", None)
    assert keys[0] == keys[2] != keys[1]


def test_text_that_is_not_there() -> None:
    """``exec()``, ``python -c``: the key is made of the code, and the compiler says what is missing."""
    keys = []
    for value in ("1", "2", "1"):
        scope = {"__name__": "not_a_module"}
        exec(HEAD + PROBE.format(members="", value=value), scope)
        keys.append(cache.key(scope["Probe"].declaration()))
    assert keys[0] == keys[2] != keys[1]


def test_any_encoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    text = "# -*- coding: latin-1 -*-\n# größe\n" + HEAD + PROBE.format(members="", value="1")
    (tmp_path / "in_latin.py").write_bytes(text.encode("latin-1"))
    try:
        assert cache.key(importlib.import_module("in_latin").Probe.declaration())
    finally:
        sys.modules.pop("in_latin", None)
