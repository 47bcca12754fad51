"""tests/kernel on every kernel of the matrix, a result for each test."""

from __future__ import annotations

import matrix
import policy
import pytest

from beespace.guest import Kernel

pytestmark = pytest.mark.vm


@pytest.mark.timeout(3600)  # the tests inside have their own; here they are waited for in turn
def test_in_guest(
    kernel: Kernel, inner: matrix.Inner, running: matrix.Matrix, record_property: pytest.RecordProperty
) -> None:
    result = running.result(kernel, inner.name)
    record_property("seconds_in_guest", result.seconds)
    if result.outcome == "failed":
        pytest.fail(f"on Linux {kernel.name}: {inner.name}\n\n{result.text}", pytrace=False)
    if result.outcome == "skipped":
        refused = policy.objection(result.text, kernel)
        if refused is not None:
            pytest.fail(refused, pytrace=False)
        pytest.skip(f"{kernel.name}: {result.text}")


def test_everything_is_collected(broken: dict[str, str]) -> None:
    assert broken == {}


def test_every_line_of_the_short_tier_names_a_test(unknown_lines: list[str]) -> None:
    assert unknown_lines == []
