"""The debugger of the kernel side, driven as somebody would who types."""

from __future__ import annotations

import re
from bdb import BdbQuit
from io import StringIO
from pathlib import Path

import pytest

from beespace import Counter, Hash, Program, bpf, function, xdp
from beespace.testing import Debugger
from beespace.types import i32, u64

pytest.importorskip("llvmlite")
TEXT = Path(__file__).read_text().splitlines()


class Sizes(Program):
    limit: u64 = 60
    sizes = Hash(key=u64, value=u64)
    large = Counter()

    @function
    def rounded(self, size: u64) -> u64:
        half = size // 2
        return half * 2

    @xdp
    def on_packet(self, ctx):
        size = bpf.packet_length(ctx)
        name = bpf.comm()
        less = i32(5) - i32(9)
        big = size > self.limit
        even = self.rounded(u64(size))
        seen = self.sizes.get(even)
        if big:
            self.large += 1
        self.sizes[even] += 1
        if less > 0 or name == "swapper":
            return 0
        if seen is None:
            return 1
        return 2


def line(text: str) -> int:
    """Where a line of the program stands."""
    (found,) = (number for number, each in enumerate(TEXT, 1) if each.strip() == text)
    return found


@pytest.fixture(scope="module")
def debugged(tmp_path_factory: pytest.TempPathFactory):
    """Runs the program on a packet of 71 bytes, twice, with commands; what the debugger says."""

    def run(*commands: str) -> str:
        said = StringIO()
        debugger = Debugger(StringIO("".join(f"{each}\n" for each in commands)), said)
        with Sizes().simulate(debug=debugger, btf="shipped", comm="nginx") as probe:
            results = [probe.test_run("on_packet", bytes(71)).retval for _ in range(2)]
        assert results == [1, 2]  # whoever looks changes nothing
        return said.getvalue()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield run


def places(said: str) -> list[int]:
    return [int(each) for each in re.findall(r"^(?:\(beespace\) )*> .*\((\d+)\)", said, re.M)]


def test_it_stops_at_the_first_line_and_goes_on(debugged) -> None:
    said = debugged("c")
    first = line("size = bpf.packet_length(ctx)")
    assert said.splitlines()[0] == f"> {__file__}({first})on_packet()"
    assert said.splitlines()[1] == "-> size = bpf.packet_length(ctx)"
    assert places(said) == [first]


def test_next_stays_in_the_function_and_step_goes_into_others(debugged) -> None:
    call = line("even = self.rounded(u64(size))")
    to_call = ["b " + str(call), "c", "cl"]
    assert places(debugged(*to_call, "n", "c"))[1:] == [call, line("seen = self.sizes.get(even)")]
    inside = debugged(*to_call, "s", "w", "p size", "s", "p half", "n", "c")
    half = line("half = size // 2")
    assert places(inside)[1:3] == [call, half]
    assert places(inside)[3:5] == [call, half], "w shows the callers first"
    assert places(inside)[5:] == [line("return half * 2"), line("seen = self.sizes.get(even)")]
    assert "(beespace) 71\n" in inside and "(beespace) 35\n" in inside


def test_variables_are_those_of_python(debugged) -> None:
    said = debugged(f"b {line('if big:')}", "c", "p", "c", "p seen", "c")
    assert re.search(r"size = 71\nname = 'nginx'\nless = -4\nbig = True\neven = 70\nseen = None\n", said)
    assert said.rstrip().endswith("(beespace) 1\n(beespace)")  # of the second packet: what the first has left


def test_breakpoints(debugged) -> None:
    where = line("self.large += 1")
    said = debugged(f"b {Path(__file__).name}:{where}", "b", "c", "maps", "cl", "b", "c")
    assert f"(beespace) (beespace) {__file__}:{where}\n" in said
    assert places(said)[1:] == [where]
    assert "sizes: []\nlarge: 0\n" in said
    assert f"nothing of the kernel side begins at line {where + 1000}" in debugged(f"b {where + 1000}")
    assert "no program is from other.py" in debugged("b other.py:3")


def test_what_else_it_shows(debugged) -> None:
    said = debugged("l", "regs", "h", "what", "p what", "")
    assert re.search(r"^ *\d+ ->         size = bpf.packet_length\(ctx\)$", said, re.M)
    assert re.search(r"^r10 = 0x[0-9a-f]+$", said, re.M)
    assert "give up" in said and "no command 'what'" in said and "no variable 'what' here; there are ctx" in said


def test_giving_up_ends_the_run(debugged) -> None:
    with pytest.raises(BdbQuit):
        debugged("q")
