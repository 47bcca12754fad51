"""Probes that decide what processes may do."""

import pytest
from policies.devices import Devices
from policies.exec_guard import ExecGuard
from policies.no_binding import NoBinding
from policies.secret import Secret

from beespace.testing import contents


@pytest.mark.parametrize(("access", "major", "allowed"), [(2, 1, 1), (2, 5, 0), (1, 1, 0), (0x60002, 1, 1)])
def test_devices_of_memory_alone(vm, access, major, allowed):
    probe = vm(Devices)
    assert probe.test_run("on_access", context={"access_type": access, "major": major}).retval == allowed
    assert probe.refused.value == 1 - allowed


@pytest.mark.parametrize("method", ["on_bind4", "on_bind6"])
def test_ports_that_nobody_may_listen_on(vm, method):
    probe = vm(NoBinding(limit=100))

    def binds(port):
        return probe.test_run(method, context={"user_port": int.from_bytes(port.to_bytes(2, "big"), "little")}).retval

    assert [binds(port) for port in (0, 1, 99, 100, 8080)] == [1, 0, 0, 1, 1]
    assert contents(probe) == {"refused": 2}


def opening(name):
    return {"file": {"f_path": {"dentry": {"d_name": {"name": name}}}}}


def test_a_secret_is_roots(vm):
    probe = vm(Secret, uid=1000)
    refused = 2**32 - 1  # -EPERM
    assert probe.test_run("on_open", context=opening("bee-secret")).retval == refused
    assert probe.test_run("on_open", context=opening("bee-public")).retval == 0
    vm.change(uid=0)
    assert probe.test_run("on_open", context=opening("bee-secret")).retval == 0
    assert probe.denied.value == 1


@pytest.mark.parametrize(
    ("path", "uid", "refused"), [("/tmp/evil", 1000, 1), ("/tmp/evil", 999, 0), ("/usr/bin/true", 1000, 0)]
)
def test_nothing_in_tmp_is_executed(vm, path, uid, refused):
    probe = vm(ExecGuard, uid=uid)
    assert probe.test_run("on_exec", context={"bprm": {"filename": path}}).retval == refused * (2**32 - 1)
    assert probe.refused.value == refused
