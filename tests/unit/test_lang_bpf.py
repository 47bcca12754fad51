"""The module ``bpf`` as ordinary Python sees it: functions with documents, which only the compiler runs."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from beespace import bpf
from beespace.compiler.kernel.functions import ACQUIRES
from beespace.compiler.words.spelled import MAP_TYPES, SPELLED
from beespace.errors import UsageError
from beespace.isa.signatures import SIGNATURES
from beespace.lang.bpf_kfuncs import KFUNCS

ROOT = Path(__file__).parents[2]


def test_a_word_that_python_runs_says_where_it_belongs() -> None:
    with pytest.raises(UsageError, match=r"bpf.pid\(\) is a word of the kernel side"):
        bpf.pid()


def test_every_word_is_documented() -> None:
    words = [found for name, found in vars(bpf).items() if inspect.isfunction(found) and name[0] != "_"]
    assert len(words) > 15
    assert all(inspect.getdoc(word) for word in words)


def test_every_helper_is_a_function_with_its_document() -> None:
    word = bpf.skb_load_bytes
    assert str(inspect.signature(word)) == "(skb: 'Any', offset: 'u32', to: 'Any') -> 'i64'"
    document = inspect.getdoc(word)
    assert "C: long bpf_skb_load_bytes(const void *skb, u32 offset, void *to, u32 len)" in document
    assert "Linux 4.5" in document and "cgroup_skb" in document
    assert "compatible with the GPL" in inspect.getdoc(bpf.get_current_task)
    with pytest.raises(UsageError, match=r"bpf.skb_load_bytes\(\) is a word of the kernel side"):
        word(None, 0, None)


def test_functions_of_the_kernel_have_documents() -> None:
    assert "C: struct task_struct * bpf_task_from_pid(s32 pid)" in inspect.getdoc(bpf.task_from_pid)
    with pytest.raises(UsageError, match=r"bpf.task_from_pid\(\) is a word of the kernel side"):
        bpf.task_from_pid(1)


def test_dir_lists_words_and_helpers() -> None:
    listed = set(dir(bpf))
    assert set(SIGNATURES) <= listed and {"pid", "packet", "comm", "task_from_pid"} <= listed
    with pytest.raises(AttributeError, match="no_such_helper"):
        getattr(bpf, "no_such_helper")  # noqa: B009


def test_the_table_is_read_only_when_asked_for() -> None:
    code = """
import sys
from beespace import Program, bpf
assert "beespace.isa.signatures" not in sys.modules and "beespace.lang.bpf_kfuncs" not in sys.modules
assert bpf.ktime_get_ns.__name__ == "ktime_get_ns" and "beespace.isa.signatures" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_stub_and_the_list_are_fresh() -> None:
    subprocess.run([sys.executable, ROOT / "tools" / "gen_bpf_stub.py", "--check"], check=True)
    subprocess.run([sys.executable, ROOT / "tools" / "gen_kfuncs.py", "--check"], check=True)


def test_the_stub_has_every_word() -> None:
    tree = ast.parse((ROOT / "src" / "beespace" / "lang" / "bpf.pyi").read_text())
    stubs = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    words = {name for name, found in vars(bpf).items() if inspect.isfunction(found) and name[0] != "_"}
    assert words | set(SIGNATURES) <= set(stubs)
    assert all(ast.get_docstring(node) for node in stubs.values())
    assert {name.removeprefix("bpf_") for name in KFUNCS if name.startswith("bpf_task_")} <= set(stubs)


def test_the_tables_of_the_compiler_name_what_there_is() -> None:
    assert set(SPELLED) | set(MAP_TYPES) <= set(SIGNATURES)
    assert {name for name in ACQUIRES if name.startswith("bpf_task_")} <= set(KFUNCS)
