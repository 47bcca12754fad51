"""``beespace who-was``: who has an address now, or had it then."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from beespace.cli.kubernetes import kubelet_access, kubernetes_access
from beespace.enrich import Who
from beespace.enrich.canonical import canonical, written
from beespace.errors import UsageError
from beespace.sinks.store.who_was import who_was

SETTLE_S = 5.0


def run(options: argparse.Namespace) -> int:
    """One line for each that may have had it; status 1 if nobody is known to, or several may."""
    key = canonical(options.address)
    if key is None:
        raise UsageError(f"{options.address!r} is no IP address", help="as 10.1.2.3 or fd00::1")
    address = written(key)
    at = time.time_ns() if options.at is None else options.at
    holders = _now(options, key, at) if options.at is None else who_was(options.store, address, at)
    for holder in holders:
        if options.output == "json":
            print(json.dumps({"address": address, "at": _time(at), **holder, **_times(holder)}))
        else:
            print(f"{address} at {_time(at)}: {_words(holder)}")
    if not holders:
        print(f"beespace: nobody is known to have had {address} at {_time(at)}", file=sys.stderr)
    elif len(holders) > 1:
        print("beespace: several may have had it: the end of one was noticed after the next began", file=sys.stderr)
    return 0 if len(holders) == 1 else 1


def _now(options: argparse.Namespace, key: bytes, at: int) -> list[dict[str, Any]]:
    """What the runtimes of this machine and the Kubernetes API say."""
    node = {"node": options.node} if options.node else {}
    access, kubelet = kubernetes_access(options), kubelet_access(options)
    with Who.open(endpoint=options.cri, access=access, kubelet=kubelet, **node) as who:
        who.containers.settle(SETTLE_S)
        if who.cluster is not None:
            who.cluster.wait(SETTLE_S)
            if who.addresses.book.at(key, at) is None:
                who.cluster.want(key, at)
                who.cluster.lookups.idle(SETTLE_S)
        for lacking in who.lacks():
            print(f"beespace: note: {lacking}", file=sys.stderr)
        rows = who.dimensions.take().get("addresses")
    address = written(key)
    if rows is None:
        return []
    columns = {
        name: column.cast("int64").to_pylist() if name.startswith("valid") else column.to_pylist()
        for name, column in zip(rows.schema.names, rows.columns, strict=True)
        if name != "observed"
    }
    found = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [row for row in found if row["address"] == address and (row["valid_to"] is None or row["valid_to"] >= at)]


def _words(holder: dict[str, Any]) -> str:
    kind = holder["kind"]
    if kind == "node":
        who = f"node {holder['node']}"
    else:
        who = f"{kind} {holder['namespace']}/{holder['pod_name'] or holder['service']}"
    more = []
    if holder.get("workload"):
        more.append(f"{holder.get('workload_kind') or 'workload'} {holder['workload']}")
    if kind == "pod" and holder.get("node"):
        more.append(f"node {holder['node']}")
    until = "still" if holder["valid_to"] is None else f"until {_time(holder['valid_to'])}"
    belonging = f" ({', '.join(more)})" if more else ""
    return f"{who}{belonging}, from {_time(holder['valid_from'])}, {until}"


def _times(holder: dict[str, Any]) -> dict[str, str | None]:
    names = ("valid_from", "valid_to")
    return {name: None if holder[name] is None else _time(holder[name]) for name in names}


def _time(ns: int) -> str:
    moment = datetime.fromtimestamp(ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ns % 1_000_000_000 // 1_000_000:03d}Z"
