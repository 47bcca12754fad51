"""Everything is written, also to a pipe whose reader is slow while a signal comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

from beespace.sinks.sink import Output

SLOW = """
import signal, sys
from beespace.sinks.sink import Output
signal.signal(signal.SIGINT, lambda *_: print("interrupted", file=sys.stderr, flush=True))
print("ready", file=sys.stderr, flush=True)
Output(sys.stdout.buffer).write(b"".join(b"%07d\\n" % n for n in range(100_000)))
"""


class Reluctant(BytesIO):
    """Takes a few bytes at a time."""

    def write(self, data: object) -> int:
        return super().write(bytes(data)[:3])  # type: ignore[call-overload]


def test_short_writes_are_gone_on_with() -> None:
    stream = Reluctant()
    assert Output(stream).write(b"0123456789") == 10
    assert stream.getvalue() == b"0123456789"


def test_a_signal_while_the_reader_is_slow() -> None:
    path = str(Path(__file__).parents[2] / "src")
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stderr.readline() == b"ready\n"
    time.sleep(0.5)  # by now it waits for us, as a rule
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == b"interrupted\n"
    output, _errors = process.communicate()
    assert output.splitlines() == [b"%07d" % n for n in range(100_000)]
