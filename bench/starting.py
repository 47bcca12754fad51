"""From the shell to an attached program, and what the kernel's types cost on the way."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from tempfile import TemporaryDirectory

from measure import EXAMPLES, Row, answer, environment, least, python

PROBE = """
import sys
sys.path.insert(0, sys.argv[1])
from exec_counter import ExecCounter
with ExecCounter():
    print("attached", flush=True)
"""
TYPES = """
import time
from beespace.kernel import vmlinux_btf
began = time.perf_counter()
vmlinux_btf()
print((time.perf_counter() - began) * 1e3)
"""
LOOKUP = """
import time
from beespace.kernel import vmlinux_btf
types = vmlinux_btf()
began = time.perf_counter()
types.member(types.find("task_struct"), "real_parent")
print((time.perf_counter() - began) * 1e3)
"""


def attached(cache: str) -> float:
    """Milliseconds from the start of the process to its word that the program is attached."""
    command = python(PROBE, str(EXAMPLES))
    began = time.perf_counter()
    with subprocess.Popen(command, env=environment(XDG_CACHE_HOME=cache), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        took = (time.perf_counter() - began) * 1e3
        process.stdout.read()
    if line != "attached\n" or process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return took


def _cold() -> float:
    with TemporaryDirectory() as cache:
        return attached(cache)


def _cold_types() -> float:
    with TemporaryDirectory() as cache:
        return answer(TYPES, XDG_CACHE_HOME=cache)


def rows() -> Iterator[Row]:
    with TemporaryDirectory() as cache:
        attached(cache)
        took = least(
            9,
            {
                "cached": lambda: attached(cache),
                "cold": _cold,
                "types": lambda: answer(TYPES, XDG_CACHE_HOME=cache),
                "types cold": _cold_types,
                "lookup": lambda: answer(LOOKUP, XDG_CACHE_HOME=cache),
            },
        )
    how = 'examples/exec_counter.py, process start to its line "attached", least of 9'
    yield Row(
        "cached probe, shell to attached", took["cached"], "ms", 100,
        peer=f"{took['cached'] / took['cold']:.2f}x of cold", how=f"{how}; object and BTF index in the cache",
    )  # fmt: skip
    yield Row("cold probe with compile, shell to attached", took["cold"], "ms", 300, how=f"{how}; XDG_CACHE_HOME empty")
    yield Row(
        "vmlinux BTF, cold index", took["types cold"], "ms", 40,
        how="vmlinux_btf() in a fresh process, index made and written, least of 9",
    )  # fmt: skip
    yield Row(
        "vmlinux BTF, cached", took["types"], "ms", 2,
        peer=f"{took['types'] / took['types cold']:.2f}x of cold",
        how=f"vmlinux_btf() in a fresh process; the first field path after it takes {took['lookup']:.2f} ms",
    )  # fmt: skip
