"""Which devices lead out, by the routes of a namespace."""

from __future__ import annotations

from pathlib import Path

from beespace.session.uplinks import uplinks

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"


def test_devices_with_a_gateway(tmp_path: Path) -> None:
    (tmp_path / "route").write_text(
        HEAD
        + "eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        + "cni0\t0000F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        + "eth1\t0000A8C0\t0100000B\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
        + "tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n"
    )
    zero = "0" * 32
    (tmp_path / "ipv6_route").write_text(
        f"{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 1 0 00000003 eth2\n"
        f"fe800000000000000000000000000000 40 {zero} 00 {zero} 00000100 1 0 00000001 veth7\n"
        f"{zero} 00 {zero} 00 {zero} ffffffff 1 0 00200200 lo\n"
    )
    assert uplinks(tmp_path) == ["eth0", "eth1", "tun0", "eth2"]


def test_no_routes(tmp_path: Path) -> None:
    assert uplinks(tmp_path) == []
