"""Verdicts by name, from programs and from functions, as the kernel gets them."""

from __future__ import annotations

import pytest

from beespace import Program, function, xdp
from beespace.lang.verdicts import XDP_DROP, XDP_PASS, XDP_TX, XdpVerdict
from beespace.types import boolean, u32

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("own_cache", "no_leaks")]


class Verdicts(Program):
    which: u32 = 0
    drop: boolean = True

    @xdp
    def on_packet(self, ctx):
        verdict = XDP_PASS
        if self.which == 1:
            verdict = XDP_DROP
        elif self.which == 2:
            return self.said()
        elif self.which == 3:
            return self.named()
        return verdict

    @function
    def said(self):
        return XDP_DROP if self.drop else XDP_PASS

    @function
    def named(self) -> XdpVerdict:
        return XDP_TX


@pytest.mark.parametrize(
    ("which", "drop", "expected"),
    [(0, True, XDP_PASS), (1, True, XDP_DROP), (2, True, XDP_DROP), (2, False, XDP_PASS), (3, True, XDP_TX)],
)
def test_verdicts(which: int, drop: bool, expected: int) -> None:
    with Verdicts(which=which, drop=drop).load() as probe:
        assert probe.test_run("on_packet", bytes(64)).retval == expected
