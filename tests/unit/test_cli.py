"""The command line with wrong input: one sentence, the right status, no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from beespace.cli.arguments import duration, size
from beespace.cli.main import main


def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "beespace", *arguments], capture_output=True, text=True, input=stdin)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["watch", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["watch", "flovs"], "did you mean flows"),
        (["watch", "processes"], "not live"),
        (["watch", "-o", "xml"], "invalid choice: 'xml'"),
        (["watch", "--for", "soon"], "'soon' is no duration"),
        (["watch", "--for", "0s"], "'0s' is no duration"),
        (["watch", "--port", "70000"], "'70000' is no port"),
        (["watch", "--pid", "-3"], "pid"),
        (["watch", "--max-flows", "0"], "--max-flows takes 1"),
        (["watch", "flows", "execs", "-o", "arrow"], "an Arrow stream holds one table"),
        (["watch", "--local", "10.0.0.1"], "--local says what is local in a capture"),
        (["watch", "--pcap", "/nowhere/a.pcap"], "/nowhere/a.pcap cannot be read: No such file"),
        (["watch", "--pcap", "a.pcap", "execs"], "a capture has flows only"),
        (["watch", "--pcap", "a.pcap", "--pid", "3"], "a capture knows nothing of --pid"),
        (["record"], "required: -o/--output"),
        (["record", "-o", "a", "processes"], "not live"),
        (["run", "/nowhere/probe.py"], "there is no file /nowhere/probe.py"),
        (["tables", "flow"], "did you mean flows"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        ([], "required: COMMAND"),
    ],
)
def test_usage_errors(arguments: list[str], says: str) -> None:
    result = run(*arguments)
    assert result.returncode == 2, result.stderr
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("beespace: ")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("x = 1\n", "has no Program class"),
        ("def broken(:\n", "line 1: "),
        ("import nothing_of_that_name\n", "ModuleNotFoundError"),
        ("1 / 0\n", "line 1: ZeroDivisionError"),
        ("from beespace import Program\nclass A(Program): ...\nclass B(Program): ...\n", "choose with --program"),
        ("from beespace import Program\nclass A(Program): ...\n", "no method with a hook decorator"),
    ],
)
def test_files_that_hold_no_probe(tmp_path: Path, source: str, says: str) -> None:
    file = tmp_path / "probe.py"
    file.write_text(source)
    result = run("run", str(file), "--for", "1s")
    assert result.returncode == 2, result.stderr
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_options_of_a_probe(tmp_path: Path) -> None:
    file = tmp_path / "probe.py"
    file.write_text(
        "from beespace import Program, tracepoint\nfrom beespace.types import u32\n"
        "class Small(Program):\n    least: u32 = 0\n"
        '    @tracepoint("sched:sched_process_exec")\n    def on(self, ctx):\n        pass\n'
    )
    for given, says in (
        ("--most=3", "has no option --most"),
        ("--least=many", "--least: 'many' is no number"),
        ("--least=-1", "--least: -1 does not fit a u32"),
        ("--least", "--least: '' is no number"),
        ("least=3", "is no option"),
    ):
        result = run("run", str(file), given)
        assert (result.returncode, "Traceback" in result.stderr) == (2, False), given
        assert says in result.stderr


def test_a_reader_that_goes_is_no_error() -> None:
    command = f"{sys.executable} -m beespace tables flows -o json | head -c 10; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert result.stdout.endswith("0\n")
    assert result.stderr == ""


def test_tables_says_types_and_units(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tables", "flows"]) == 0
    shown = capsys.readouterr().out
    assert "tx_bytes" in shown
    assert "By" in shown


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10), ("250ms", 0.25), ("5m", 300), ("2h", 7200), ("1.5", 1.5)])
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(("text", "count"), [("512MiB", 512 << 20), ("10GB", 10**10), ("1k", 1024), ("77", 77)])
def test_sizes(text: str, count: int) -> None:
    assert size(text) == count
