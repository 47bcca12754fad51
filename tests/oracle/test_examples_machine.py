"""`beespace test examples/`: without rights and without types of a kernel, as on any laptop; and in this kernel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def beespace_test(cache: Path, *arguments: str, rights: bool, **variables: str) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    environment |= {"PYTHONPATH": str(ROOT / "src"), "XDG_CACHE_HOME": str(cache), **variables}
    powerless = ["setpriv", "--bounding-set=-all"] if not rights and os.geteuid() == 0 else []
    done = subprocess.run(
        [*powerless, sys.executable, "-m", "beespace", "test", "-p", "no:cacheprovider", "-rs", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def count(text: str, what: str) -> int:
    found = re.search(rf"(\d+) {what}", text)
    return int(found[1]) if found else 0


@pytest.mark.timeout(1200)  # it compiles all examples
def test_without_rights_and_without_a_kernels_types(tmp_path: Path) -> None:
    status, said = beespace_test(tmp_path, "examples/", rights=False, BEESPACE_BTF="shipped")
    assert status == 0, said
    assert count(said, "passed") > 150
    reasons = re.findall(r"^SKIPPED \[\d+\] .*?: (.*)$", said, re.M)
    allowed = ("not permitted", "the machine does not have", "and there is no kernel here")
    assert [reason for reason in reasons if not any(each in reason for each in allowed)] == []


@pytest.mark.timeout(600)
@pytest.mark.skipif(os.geteuid() != 0, reason="this kernel takes programs of root alone")
def test_in_this_kernel(tmp_path: Path) -> None:
    status, said = beespace_test(tmp_path, "examples/tests", "--on", "here", "-k", "here", rights=True)
    assert status == 0, said
    assert count(said, "passed") > 5
