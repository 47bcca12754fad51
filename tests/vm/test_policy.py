"""Which skips the matrix takes for failures."""

from __future__ import annotations

import policy
import pytest

from beespace.guest import find
from beespace.record import replace


@pytest.mark.parametrize(
    ("reason", "series", "objects"),
    [
        ("this kernel does not support tcx (needs Linux 6.6)", "6.1", False),
        ("this kernel does not support tcx (needs Linux 6.6)", "6.12", True),
        ("this kernel has no perf links (Linux 5.15)", "5.10", False),
        ("this kernel has no perf links (Linux 5.15)", "6.1", True),
        ("of the series itself (Linux 6.1)", "6.1", True),
        ("entries only (Linux 5.6), batches (Linux 6.6)", "6.1", False),
        ("setpriv is not installed", "7.3", False),
    ],
)
def test_a_skip_is_held_against_the_kernel(reason: str, series: str, objects: bool) -> None:
    assert (policy.objection(reason, find(series)) is not None) is objects


def test_what_a_kernel_is_built_without_is_no_failure() -> None:
    without = replace(find("6.12"), lacks=("kprobe_multi",))
    assert policy.objection("no kprobe_multi (needs Linux 5.18)", without) is None
    assert policy.objection("no tcx (needs Linux 6.6)", without) is not None
