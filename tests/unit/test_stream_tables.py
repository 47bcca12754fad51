"""Batches, map drains and the catalogue."""

from __future__ import annotations

import struct

import pyarrow as pa
import pytest

from beespace.errors import InternalError, UsageError
from beespace.schema import Struct
from beespace.stream import TABLES, Batch, Decoder, joined_layout, records_of, run, table
from beespace.types import Raw, Text, Timestamp, raw, text, u8, u32, u64

FLOWS = (
    "time, interval_s, node, process_pid, process_start_time, process_name, process_executable, process_uid, "
    "cgroup_id, container_id, container_name, container_image, pod_name, pod_uid, namespace, workload, workload_kind, "
    "service_name, local_address, local_port, remote_address, remote_port, remote_name, remote_pod, remote_namespace, "
    "remote_workload, remote_workload_kind, remote_node, remote_service, target_address, target_port, transport, "
    "network_type, role, state, tx_bytes, tx_packets, rx_bytes, rx_packets, retransmits, rtt_us, "
    "rtt_var_us, rtt_min_us, connect_us, first_byte_us, tx_resets, rx_resets, tx_zero_windows, rx_zero_windows, "
    "accept_overflows, error, drops, drop_reason, interface, first_seen, last_seen, detail"
)
EXECS = (
    "time, process_pid, process_start_time, parent_pid, process_uid, process_name, process_executable, process_args, "
    "cgroup_id, container_id, container_name, pod_name, namespace, workload, workload_kind, service_name, "
    "exit_code, duration_s"
)


class Key(Struct):
    cookie: u64
    direction: u8


class Value(Struct):
    bytes: u64
    first: Timestamp
    last: Timestamp
    note: Text = text(5)
    cpu: u32


@pytest.mark.parametrize(("name", "columns"), [("flows", FLOWS), ("execs", EXECS)])
def test_columns_are_those_promised(name: str, columns: str) -> None:
    assert TABLES[name].names == tuple(columns.split(", "))


def test_every_column_has_words_and_every_dimension_its_columns() -> None:
    for each in TABLES.values():
        assert each.doc
        for column in each.columns:
            assert column.doc and "\n" not in column.doc
            if column.dimension:
                assert TABLES[column.dimension].column(column.name).type == column.type
                assert set(TABLES[column.dimension].key) <= set(each.names)
            if pa.types.is_timestamp(column.type):
                assert column.type == pa.timestamp("ns", "UTC")


def test_unknown_table_says_what_is_near() -> None:
    with pytest.raises(UsageError, match="no table 'flow'; there are flows, execs") as caught:
        table("flow")
    assert caught.value.help == "did you mean flows?"
    with pytest.raises(UsageError) as caught:
        table("zzz")
    assert caught.value.help == "see `beespace tables`"


def test_conform_orders_casts_and_fills() -> None:
    records = pa.RecordBatch.from_pydict({"stage": ["ring"], "rows": pa.array([3], pa.uint32()), "odd": [1]})
    got = TABLES["losses"].conform(records)
    assert got.schema.names == ["time", "stage", "table", "rows"]
    assert got.to_pylist() == [{"time": None, "stage": "ring", "table": None, "rows": 3}]
    assert got.schema.field("rows").metadata[b"unit"] == b"{row}"
    with pytest.raises(InternalError, match=r"losses\.rows cannot hold string"):
        TABLES["losses"].conform(pa.RecordBatch.from_pydict({"rows": ["many"]}))


def test_batch_goes_through_stages_in_order() -> None:
    batch = Batch("losses", TABLES["losses"].batch_of([{"stage": "a", "rows": 1}]))
    got = run([lambda b: b.with_lost("ring", 2), lambda b: b.with_lost("ring", 3).with_lost("map", 0)], batch)
    assert dict(got.lost) == {"ring": 5}
    assert dict(batch.lost) == {}
    assert len(got) == 1
    assert len(got.with_records(got.records.slice(1))) == 0


def test_map_entries_become_records() -> None:
    layout = joined_layout(Key.layout, Value.layout)
    assert [field.name for field in layout.fields] == ["cookie", "direction", "bytes", "first", "last", "note", "cpu"]
    keys = b"".join(struct.pack("<QB7x", cookie, 1) for cookie in (10, 20, 30))
    values = b"".join(struct.pack("<QQQ5s3xI4x", n, n, n, b"abc", n) for n in (1, 2, 3))
    assert len(values) == 3 * Value.layout.size
    records = records_of(keys, bytearray(values), 2, Key.layout, Value.layout)  # the batch was not full
    rows = Decoder(layout)(records).drop_columns(["first", "last"]).to_pylist()
    assert [(row["cookie"], row["bytes"], row["note"], row["cpu"]) for row in rows] == [
        (10, 1, "abc", 1),
        (20, 2, "abc", 2),
    ]


def test_per_cpu_values_are_combined() -> None:
    per_cpu = [(5, 0, 0, b""), (7, 90, 95, b"first"), (1, 80, 99, b"later")]
    values = b"".join(struct.pack("<QQQ5s3xI4x", b, f, t, note, 1) for b, f, t, note in per_cpu)
    records = records_of(
        struct.pack("<QB7x", 1, 0), values, 1, Key.layout, Value.layout, cpus=3, combine={"first": "min", "last": "max"}
    )
    assert [records[name].tolist() for name in ("bytes", "first", "last", "cpu")] == [[13], [80], [99], [3]]
    batch = Decoder(joined_layout(Key.layout, Value.layout))(records)
    assert batch.column("note").to_pylist() == ["first"]


def test_per_cpu_stride_is_rounded_up() -> None:
    class Small(Struct):
        count: u32

    class Mac(Struct):
        mac: Raw = raw(6)

    values = struct.pack("<I4xI4x", 1, 2)
    records = records_of(b"abcdef", values, 1, Mac.layout, Small.layout, cpus=2)
    assert records["count"].tolist() == [3]
    assert bytes(records["mac"][0]) == b"abcdef"


def test_a_field_of_both_sides_is_refused() -> None:
    with pytest.raises(ValueError, match="both have a field 'cookie'"):
        joined_layout(Key.layout, Key.layout)
