"""Reasons of drops by number, from types that the test makes."""

from __future__ import annotations

from beespace.btf import Btf
from beespace.btf.builder import BtfBuilder
from beespace.session.drop_reasons import DropReasons


def kernel() -> Btf:
    builder = BtfBuilder()
    builder.enum("skb_drop_reason", [("SKB_CONSUMED", 1), ("SKB_DROP_REASON_NO_SOCKET", 3)])
    builder.enum(
        "skb_drop_reason_subsys", [("SKB_DROP_REASON_SUBSYS_CORE", 0), ("SKB_DROP_REASON_SUBSYS_OPENVSWITCH", 2)]
    )
    return Btf(builder.bytes())


def module() -> Btf:
    builder = BtfBuilder()
    builder.enum("ovs_drop_reason", [("__OVS_DROP_REASON", 2 << 16), ("OVS_DROP_LAST_ACTION", (2 << 16) + 1)])
    return Btf(builder.bytes())


def test_names() -> None:
    asked: list[str] = []

    def modules() -> list[tuple[str, Btf]]:
        asked.append("modules")
        return [("openvswitch", module())]

    reasons = DropReasons(kernel, modules)
    assert [reasons.name(number) for number in (1, 3, 4)] == ["CONSUMED", "NO_SOCKET", "reason 4"]
    assert asked == []
    assert reasons.name((2 << 16) + 1) == "OVS_DROP_LAST_ACTION"
    assert reasons.name((2 << 16) + 9) == "openvswitch 9"
    assert reasons.name((5 << 16) + 9) == "subsystem 5 9"
    assert asked == ["modules"]
