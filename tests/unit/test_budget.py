"""How much detail a CPU budget leaves, and that totals stay exact with any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beespace.cli.arguments import parse
from beespace.enrich import nobody
from beespace.errors import NotPermitted, UsageError
from beespace.probes.flows import FlowKey, FlowStats
from beespace.session.budget import HOLD_S, MOST_HOLD_S, CpuBudget
from beespace.session.costs import Costs
from beespace.session.detail import LEFT_OUT, Detail
from beespace.session.flows import DropsByFlow, FlowRows
from beespace.session.own import Own
from beespace.session.pace import Live
from beespace.sinks import Summary
from beespace.stream import joined_layout
from beespace.stream.dtype import dtype_of
from beespace.stream.keys import key_column

# Of what full detail takes.
COST = dict(zip(Detail, (1.0, 0.8, 0.7, 0.6, 0.4, 0.2), strict=True))


def steps(budget: CpuBudget, load: Callable[[float], float], seconds: int) -> list[Detail]:
    """The step of each second, under a load that is the share of a core which full detail would take."""
    taken = []
    for second in range(seconds):
        taken.append(budget.detail)
        budget.spent(load(second) * COST[budget.detail], 1.0)
    return taken


def test_what_fits_is_left_alone() -> None:
    assert set(steps(CpuBudget(0.02), lambda _second: 0.019, 600)) == {Detail.FULL}


def test_one_interval_is_no_reason() -> None:
    assert set(steps(CpuBudget(0.02), lambda second: 0.03 if second % 2 else 0.01, 600)) == {Detail.FULL}


def test_as_little_is_left_out_as_needed() -> None:
    """0.03 of a core: the first step that is below 0.02 is the one without drops."""
    taken = steps(CpuBudget(0.02), lambda _second: 0.03, 600)
    assert taken[-1] is Detail.NO_DROPS
    assert sorted(taken) == taken  # it is not below the better half, so nothing is tried


def test_all_of_it_comes_back_when_the_load_falls() -> None:
    taken = steps(CpuBudget(0.02), lambda second: 0.2 if second < 60 else 0.001, 200)
    assert taken[59] is Detail.OWNERS
    assert taken[-1] is Detail.FULL
    assert len(set(taken)) == len(Detail)  # step by step


def test_a_load_between_two_steps_does_not_make_rows_change_all_the_time() -> None:
    """With the last step far below the limit, with the one before above it: tried again later and later."""
    taken = steps(CpuBudget(0.02), lambda _second: 0.055, 3600)
    changes = [second for second in range(1, 3600) if taken[second] is not taken[second - 1]]
    late = [second for second in changes if second > 600]
    assert taken.count(Detail.OWNERS) > 0.9 * 3600
    assert len(late) <= 2 * 3000 / MOST_HOLD_S + 2
    assert HOLD_S < MOST_HOLD_S


def test_words_of_the_steps() -> None:
    assert set(LEFT_OUT) == set(Detail)
    assert [step.word for step in Detail] == [None, "slower", "no_dns", "no_drops", "pairs", "owners"]


def test_an_interval_is_stretched() -> None:
    pace = Live(1.0, None, iter((1.0, 4.0, 1.0)).__next__)
    pace.begin()
    first = pace.due()
    second = pace.due()
    assert second - first == pytest.approx(4.0)
    assert pace.due() - second == pytest.approx(1.0)


@pytest.mark.parametrize(("said", "share"), [("2%", 0.02), ("0.5 %", 0.005), ("150%", 1.5), ("none", None)])
def test_what_max_cpu_takes(said: str, share: float | None) -> None:
    assert parse(["watch", "--max-cpu", said]).max_cpu == share
    assert parse(["serve", "--max-cpu", said]).max_cpu == share


@pytest.mark.parametrize("said", ["2", "0%", "-1%", "much", "%"])
def test_what_it_does_not(said: str) -> None:
    with pytest.raises(UsageError, match="write it as 2%"):
        parse(["watch", f"--max-cpu={said}"])


def test_the_summary_says_it() -> None:
    parts = Summary(1.0, kernel_cpu=0.004, kernel_memory=31_000_000, fullest=(0.25, "flows"), detail="pairs").parts()
    assert parts[2] == "detail pairs"
    assert parts[-3:] == ["kernel cpu 0.4 %", "kernel mem 31 MB", "fullest flows 25 %"]
    assert "less detail for 12 s" in Summary(60.0, less_s=12.0, final=True).parts()
    assert not [part for part in Summary(1.0).parts() if "detail" in part or "kernel" in part]
    assert Own().detail is Detail.FULL


# Totals

SUMS = ("tx_bytes", "tx_packets", "rx_bytes", "rx_packets", "retransmits", "tx_resets", "rx_zero_windows", "drops")


def address(number: int) -> np.void:
    return np.void(b"\0" * 10 + b"\xff\xff\x0a\0\0" + bytes([number]))


@st.composite
def flows(draw: st.DrawFn) -> Any:
    count = draw(st.integers(1, 40))
    rows = np.zeros(count, dtype_of(joined_layout(FlowKey.layout, FlowStats.layout)))
    few = st.integers(0, 3)
    for row in range(count):
        for name in ("local", "remote"):
            rows[name][row] = address(draw(few))
        facts = {
            "local_port": draw(st.integers(1, 5)), "remote_port": draw(st.integers(1, 5)), "netns": draw(few),
            "protocol": draw(st.sampled_from((1, 6, 17))), "role": draw(st.integers(0, 2)), "owned": draw(few) % 2,
            "pid": draw(few), "uid": draw(few), "cookie": draw(few), "retransmits": draw(few), "tx_resets": draw(few),
            "rx_zero_windows": draw(few), "first": draw(st.integers(1, 9)), "last": draw(st.integers(10, 19)),
        }  # fmt: skip
        for name in ("tx_bytes", "rx_bytes"):
            facts[name] = draw(st.integers(0, 1 << 60)) // count
        for name in ("tx_packets", "rx_packets"):
            facts[name] = draw(st.integers(0, 1 << 40))
        for name, value in facts.items():
            rows[name][row] = value
    return rows


@settings(max_examples=40, deadline=None)
@given(flows(), st.sampled_from(sorted(Detail)))
def test_totals_are_those_of_full_detail(rows: Any, detail: Detail) -> None:
    keys = key_column(rows, FlowKey.layout).unique()
    dropped = DropsByFlow(keys, np.full(len(keys), 3), pa.array(["NO_SOCKET"] * len(keys)))
    made = {}
    for each in (Detail.FULL, detail):
        source = FlowRows(nobody(), "node", 0)
        source.begin(_taken(rows))
        made[each] = source.batch(now=20, boot_offset=0, interval=1.0, lost={}, dropped=dropped, detail=each)
    (full, unattributed), (less, same) = made[Detail.FULL], made[detail]
    assert unattributed == same
    for name in SUMS:
        assert total(less, name) == total(full, name), name
    for name, least in (("first_seen", min), ("last_seen", max)):
        values = [least(batch.records.column(name).cast("int64").to_pylist()) for batch in (full, less)]
        assert values[0] == values[1]
    assert set(less.records.column("detail").to_pylist()) == {detail.word}
    per_process = [sums_by(batch, "process_pid") for batch in (full, less)]
    assert per_process[0] == per_process[1]
    if detail < Detail.PAIRS:
        assert len(less) == len(full)
        return
    assert len(less) <= len(full)
    columns = [less.records.column(name).to_pylist() for name in ("role", "local_port", "remote_port")]
    for role, local_port, remote_port in zip(*columns, strict=True):
        assert {"client": local_port, "server": remote_port}.get(role) is None
    if detail is Detail.OWNERS:
        assert less.records.column("remote_address").null_count == len(less)
    else:
        pairs = [sums_by(batch, "local_address", "remote_address") for batch in (full, less)]
        assert pairs[0] == pairs[1]


def _taken(rows: Any) -> tuple[bytearray, bytearray, int]:
    octets = rows.view(np.uint8).reshape(len(rows), rows.itemsize)
    key = FlowKey.layout.size
    value = octets[:, key : key + FlowStats.layout.size]
    return bytearray(octets[:, :key].tobytes()), bytearray(value.tobytes()), len(rows)


def total(batch: Any, name: str) -> int:
    return sum(value or 0 for value in batch.records.column(name).to_pylist())


def sums_by(batch: Any, *names: str) -> dict[tuple[Any, ...], int]:
    sums: dict[tuple[Any, ...], int] = {}
    keys = zip(*(batch.records.column(name).to_pylist() for name in names), strict=True)
    for key, packets in zip(keys, batch.records.column("tx_packets").to_pylist(), strict=True):
        sums[key] = sums.get(key, 0) + packets
    return sums


@pytest.mark.parametrize("by_sysctl", [False, True])
def test_who_may_not_have_programs_counted(monkeypatch: pytest.MonkeyPatch, by_sysctl: bool) -> None:
    def refused() -> None:
        raise NotPermitted("count program run time", missing="CAP_SYS_ADMIN", call="bpf", errno=1)

    monkeypatch.setattr("beespace.session.costs.bpf.enable_stats", refused)
    monkeypatch.setattr("beespace.session.costs.sysctl", lambda _name: int(by_sysctl))
    costs = Costs(tuple, "node")
    costs.count()
    assert costs.counted is by_sysctl
    assert (costs.note is None) is by_sysctl
    assert by_sysctl or "kernel.bpf_stats_enabled=1" in str(costs.note)
    assert (costs.kernel_seconds() is None) is not by_sysctl
    (row,) = costs.batch(now=1_000_000_000, interval=1.0, detail=Detail.PAIRS).records.to_pylist()
    assert (row["kind"], row["node"], row["detail"], row["runs"]) == ("process", "node", "pairs", None)
    costs.close()
