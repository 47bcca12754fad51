"""A name server of the test's own: dnsmasq on side 1 of the two namespaces, outside of the cgroup that is watched."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest
from flow_net import Net
from pace import wait_for


@pytest.fixture
def resolver(net: Net) -> Iterator[str]:
    """Its address.  It knows ``web.test``, ``www.test`` and everything below ``load.test``."""
    program = shutil.which("dnsmasq") or "/usr/sbin/dnsmasq"
    if shutil.which(program) is None:
        pytest.skip("dnsmasq is not installed: apt-get install dnsmasq-base")
    command = [
        "nsenter", f"--net=/run/netns/{net.name}1", program, "--keep-in-foreground", "--no-resolv", "--no-hosts",
        "--conf-file=/dev/null", "--user=root", "--pid-file=", "--bind-interfaces", "--interface=v0",
        "--address=/load.test/10.99.0.1", f"--host-record=web.test,{net.addresses[1]},{net.addresses6[1]},600",
        "--cname=www.test,web.test", "--local=/test/", "--cache-size=0", "--log-facility=-",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    sockets = ["nsenter", f"--net=/run/netns/{net.name}1", "ss", "-Hlun", "sport = :53"]

    def listens() -> bool:
        assert process.poll() is None and process.stderr is not None, process.communicate()
        return bool(subprocess.run(sockets, capture_output=True).stdout)

    try:
        wait_for(listens, "dnsmasq does not listen")
        yield net.addresses[1]
    finally:
        process.kill()
        process.communicate()
