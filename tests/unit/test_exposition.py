"""Metrics as text: read back by the parsers of Prometheus's own client library."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from beespace.session.health import Health
from beespace.sinks.exposition import OPEN_METRICS, PROMETHEUS, Family, Sample, exposition, wanted

PARSERS = {PROMETHEUS: parse_prometheus, OPEN_METRICS: parse_open_metrics}


def read(families: list[Family], kind: str) -> dict[str, tuple[str, list[tuple[str, dict[str, str], float]]]]:
    """What the parser of that form understands: type and samples by family."""
    return {
        family.name: (family.type, [(sample.name, sample.labels, sample.value) for sample in family.samples])
        for family in PARSERS[kind](exposition(families, kind))
    }


@pytest.mark.parametrize("kind", PARSERS)
def test_both_forms_say_the_same(kind: str) -> None:
    families = [
        Family("bees", "counter", "Seen, at the gate.", [Sample(3, {"gate": "a"}), Sample(0.25, {"gate": "b"})]),
        Family("hive_bytes", "gauge", 'With "quotes", a \\ and\na line.', [Sample(1 << 40)]),
        Family("build", "info", "Which.", [Sample(1, {"version": "1"})]),
        Family("none", "counter", "Nothing to say.", []),
    ]
    found = read(families, kind)
    assert found["bees"] == ("counter", [("bees_total", {"gate": "a"}, 3), ("bees_total", {"gate": "b"}, 0.25)])
    assert found["hive_bytes"] == ("gauge", [("hive_bytes", {}, 1 << 40)])
    name, kind_of_info = ("build_info", "gauge") if kind == PROMETHEUS else ("build", "info")
    assert found[name] == (kind_of_info, [("build_info", {"version": "1"}, 1)])
    assert "none" not in found


@given(st.text(st.characters(exclude_categories=["Cs"])), st.floats(), st.sampled_from(sorted(PARSERS)))
def test_any_label_and_any_number(label: str, value: float, kind: str) -> None:
    families = [Family("x", "gauge", label.replace("\r", ""), [Sample(value, {"label": label})])]
    if {"\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"} & set(label):
        return  # the parsers split lines where Python does, which the format does not
    ((_, labels, read_back),) = read(families, kind)["x"][1]
    assert labels == {"label": label}
    assert read_back == value or (math.isnan(read_back) and math.isnan(value))


def test_which_form_is_wanted() -> None:
    assert wanted("") == wanted("*/*") == wanted("text/plain;version=0.0.4") == PROMETHEUS
    # What Prometheus 2.50 sends:
    assert wanted("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4") == OPEN_METRICS
    assert wanted("application/openmetrics-text;q=0,text/plain") == PROMETHEUS


@pytest.mark.parametrize("kind", PARSERS)
def test_the_agents_own_metrics(kind: str) -> None:
    health = Health(1.0)
    health.collected(
        began=0.0,
        unattributed={"no owner": 4},
        store={"bytes": 10, "segments": 2, "oldest_timestamp_seconds": 1.5},
        store_lost={("store", "flows"): 7},
    )
    found = read(health.families(), kind)
    by_sample = {(name, *labels.values()): value for _, samples in found.values() for name, labels, value in samples}
    assert by_sample["beespace_unattributed_packets_total", "no owner"] == 4
    assert by_sample["beespace_lost_total", "flows", "store"] == 7
    assert by_sample["beespace_store_oldest_timestamp_seconds",] == 1.5
    assert by_sample["process_resident_memory_bytes",] > 1 << 20
    assert by_sample["process_cpu_seconds_total",] > 0
    assert {kind for kind, _ in found.values()} <= {"counter", "gauge", "info"}
