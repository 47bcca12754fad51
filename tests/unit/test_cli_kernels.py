"""``beespace kernels`` without a guest: the list, wrong input, missing programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from beespace.cli.main import main
from beespace.guest import KERNELS


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "beespace" / "kernels"


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kernels", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [kernel.name for kernel in KERNELS]
    assert all("(not fetched)" in line for line in lines)


def test_the_list_says_what_is_there(capsys: pytest.CaptureFixture[str], empty_cache: Path) -> None:
    (empty_cache / "6.12").mkdir(parents=True)
    (empty_cache / "6.12" / "release").write_text("6.12.1+deb13")
    assert main(["kernels", "list", "-o", "json"]) == 0
    rows = {row["name"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert rows["6.12"]["fetched"] == "6.12.1+deb13-cloud-amd64"
    assert rows["6.1"]["fetched"] is None
    assert rows["6.12-arm64"]["architecture"] == "arm64"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "6.12"], "no command to run"),
        (["run", "6.12", "--"], "no command to run"),
        (["run", "6.12", "uname"], "unrecognized arguments: uname"),
        (["run", "2.6", "--", "true"], "there is no kernel '2.6'"),
        (["fetch", "2.6"], "there is no kernel '2.6'"),
        (["run", "6.12", "--memory", "much", "--", "true"], "is no size"),
        (["run", "6.12", "--cpus", "0", "--", "true"], "1 or more"),
        (["run", "6.12", "--writable", "/nowhere/at/all", "--", "true"], "no folder /nowhere/at/all"),
        ([], "ACTION"),
    ],
)
def test_wrong_usage(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kernels", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_missing_programs_are_named_with_their_package(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("beespace.guest.programs.shutil.which", lambda name, path=None: None)
    assert main(["kernels", "run", "6.12", "--", "true"]) == 3
    error = capsys.readouterr().err
    assert "qemu-system-x86_64" in error
    assert "qemu-system-x86" in error.partition("package ")[2]


def test_options_behind_the_dashes_are_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    from beespace.cli.arguments import parse

    options = parse(["kernels", "run", "6.12", "--timeout", "2m", "--", "sh", "-c", "x", "--", "--memory"])
    assert options.words == ["sh", "-c", "x", "--", "--memory"]
    assert options.timeout == 120.0
