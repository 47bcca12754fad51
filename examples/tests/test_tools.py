"""Probes of what happens on a machine, with made-up records, arguments, tasks and times."""

import signal

import pytest
from exec_counter import ExecCounter
from tools.allocations import Allocations
from tools.commands import Commands
from tools.connects import Connects
from tools.drops import Drop, Drops
from tools.executions import Executions
from tools.exits import Exits
from tools.faults import Faults
from tools.function_latency import FunctionLatency
from tools.locks import Locks
from tools.maps import Maps
from tools.mounts import Mounts
from tools.names import Names
from tools.on_cpu import OnCpu
from tools.open_files import OpenFiles
from tools.opens import Opens
from tools.output import Output
from tools.profile import Place, Profile
from tools.reads import Files
from tools.run_queue import RunQueue
from tools.signals import Signals
from tools.softirqs import SoftIrqs
from tools.syscalls import Call, Syscalls
from tools.system_calls_by_cgroup import SystemCallsByCgroup
from tools.tcp_states import TcpStates

from beespace.testing import task

SECOND = 1_000_000_000


def test_programs_that_are_executed(vm):
    probe = vm(ExecCounter(min_uid=1000), tgid=42, comm="bash", uid=1000, time=5 * SECOND, cgroup=9)
    probe.test_run("on_exec", context={"filename": "/bin/true"})
    vm.change(uid=999)
    probe.test_run("on_exec", context={"filename": "/bin/false"})
    (event,) = probe.execs.available()
    assert (event.time, event.pid, event.cgroup, event.comm, event.path) == (5 * SECOND, 42, 9, "bash", "/bin/true")
    assert probe.total.value == probe.by_comm["bash"] == 1


def test_files_that_are_opened(vm):
    probe = vm(Opens(failed_only=1), tgid=7, comm="cat")
    for path, result in (("/etc/hosts", 3), ("/etc/nothing", -2)):
        probe.test_run("on_enter", context={"filename": path})
        probe.test_run("on_exit", context={"ret": result})
    assert [(each.pid, each.path, each.result) for each in probe.opens.available()] == [(7, "/etc/nothing", -2)]
    assert list(probe.paths) == []


def test_signals(vm):
    probe = vm(Signals, tgid=1, comm="init")
    probe.test_run("on_signal", context={"sig": signal.SIGTERM, "pid": 77, "comm": "sleep"})
    (sent,) = probe.signals.available()
    assert (sent.sender, sent.comm, sent.signal, sent.target, sent.target_comm) == (1, "init", 15, 77, "sleep")


def test_states_of_a_connection(vm):
    probe = vm(TcpStates, time=SECOND)
    remote = [0] * 10 + [255, 255, 127, 0, 0, 1]
    change = {"protocol": 6, "skaddr": 0xFFFF8880, "sport": 4000, "dport": 443, "daddr_v6": remote}
    probe.test_run("on_change", context=change | {"oldstate": 7, "newstate": 2})
    vm.advance(20_000)
    probe.test_run("on_change", context=change | {"oldstate": 2, "newstate": 1})
    probe.test_run("on_change", context=change | {"oldstate": 1, "newstate": 7})
    probe.test_run("on_change", context=change | {"protocol": 17})
    found = [(each.old, each.new, each.lasted) for each in probe.changes.available()]
    assert found == [(7, 2, 0), (2, 1, 20_000), (1, 7, 0)]
    assert list(probe.since) == []


def test_connections_that_are_made_and_that_are_not(vm):
    probe = vm(Connects)
    for socket, ends in ((1, 1), (2, 7)):
        probe.test_run("on_state", context={"protocol": 6, "skaddr": socket, "newstate": 2})
        vm.advance(3_000_000)
        probe.test_run("on_state", context={"protocol": 6, "skaddr": socket, "newstate": ends})
    assert (probe.latency.total, probe.latency.mean, probe.failed.value) == (1, 3000, 1)


def test_packets_that_are_given_up(vm):
    probe = vm(Drops)
    for reason in (2, 3, 3):
        probe.test_run("on_drop", context={"location": 0xFFFFFFFF81000000, "reason": reason, "protocol": 0x800})
    at = {"location": 0xFFFFFFFF81000000, "protocol": 0x800}
    assert dict(probe.drops.items()) == {Drop(reason=2, **at): 1, Drop(reason=3, **at): 2}


@pytest.mark.parametrize(("code", "status"), [(7 << 8, 7), (9, -9), (0, 0)])
def test_processes_that_end(vm, code, status):
    probe = vm(Exits, time=10 * SECOND, pid=7, tgid=7)
    ended = task(7, comm="nginx", real_parent=task(1), exit_code=code, start_boottime=4 * SECOND)
    probe.test_run("on_exit", context=[ended])
    probe.test_run("on_exit", context=[ended | {"pid": 8}])  # a thread
    (event,) = probe.exits.available()
    assert (event.pid, event.parent, event.comm, event.status, event.age) == (7, 1, "nginx", status, 6 * SECOND)


def test_turns_on_the_cpu(vm):
    probe = vm(OnCpu)
    for name, turn in (("idle", 1), ("cat", 100), ("dog", 900), ("cat", 300)):
        vm.advance(turn * 1000)
        probe.test_run("on_switch", context={"prev": task(5, comm=name), "next": task(6)})
    assert {name: (entry.total, entry.sum) for name, entry in probe.times.items()} == {"cat": (2, 400), "dog": (1, 900)}


def test_waiting_for_a_cpu(vm):
    probe = vm(RunQueue)
    probe.test_run("on_wakeup", context=[task(5)])
    probe.test_run("on_wakeup_new", context=[task(6)])
    vm.advance(50_000)
    probe.test_run("on_switch", context={"preempt": 1, "prev": task(4), "next": task(5)})
    vm.advance(50_000)
    probe.test_run("on_switch", context={"prev": task(5), "next": task(4)})
    assert (probe.waits.total, probe.waits.sum) == (2, 100)
    assert list(probe.woken) == [6]


def test_system_calls_jump_to_programs_of_their_own(run):
    probe = run(SystemCallsByCgroup)
    for number in (110, 0, 110, 1):
        probe.test_run("on_enter", context=[0, number])
    ((_, all),) = probe.calls.items()
    ((_, getppid),) = probe.getppid.items()
    ((_, others),) = probe.others.items()
    assert (all, getppid, others) == (4, 2, 2)


def test_system_calls(vm):
    probe = vm(Syscalls, tgid=3)
    for number in (0, 1, 1):
        probe.test_run("on_enter", context={"id": number})
    assert {call.number: count for call, count in probe.calls.items()} == {0: 1, 1: 2}
    assert probe.calls[Call(number=1, pid=3)] == 2


def test_the_time_of_a_kernel_function(vm):
    probe = vm(FunctionLatency, pid=4)
    probe.test_run("on_entry", context={"file": {}})
    vm.advance(1234)
    probe.test_run("on_return", context={"return": 10})
    probe.test_run("on_return", context={"return": 10})  # whose beginning nobody saw
    assert (probe.latency.total, probe.latency.sum) == (1, 1234)


def test_what_vfs_read_gave(vm):
    probe = vm(Files, tgid=4)
    probe.test_run("on_write", context={"count": 5})
    for result in (100, 28, -5):
        probe.test_run("on_read", context={"return": result})
    traffic = probe.traffic[4]
    assert (traffic.writes, traffic.reads, traffic.read_bytes) == (1, 3, 128)


def test_functions_of_programs(vm):
    probe = vm(Allocations, tgid=8)
    for size in (100, 100, 5000):
        probe.test_run("on_malloc", context={"size": size})
    assert (probe.sizes[8].total, probe.sizes[8].sum) == (3, 5200)


def test_what_a_function_returned(vm):
    probe = vm(Commands, tgid=8)
    probe.test_run("on_line", context={"return": "make honey"})
    probe.test_run("on_line", context={"return": 0})
    assert [(each.pid, each.line) for each in probe.lines.available()] == [(8, "make honey")]


def test_names_that_are_looked_up(vm):
    probe = vm(Names, comm="curl")
    probe.test_run("on_entry", context={"name": "bees.example"})
    vm.advance(2 * SECOND)
    probe.test_run("on_return", context={"return": -2})
    (found,) = probe.lookups.available()
    assert (found.name, found.took, found.result, found.comm) == ("bees.example", 2 * SECOND, -2, "curl")


def test_open_files_of_processes(vm):
    probe = vm(OpenFiles)
    for owner in (task(7), task(7), task(7, tid=8), task(9)):
        probe.test_run("on_file", context={"task": owner, "file": {}})
    probe.test_run("on_file", context={})  # the end of the walk
    assert dict(probe.files.items()) == {7: 2, 9: 1}


def test_maps_of_the_system(vm):
    probe = vm(Maps)
    bees = {"id": 3, "map_type": 1, "max_entries": 10, "key_size": 4, "name": "bees"}
    probe.test_run("on_map", context={"map": bees})
    found = probe.found[3]
    assert (found.type, found.max_entries, found.key_size, found.name) == (1, 10, 4, "bees")


def test_mounts(vm):
    probe = vm(Mounts, comm="mount")
    probe.test_run("on_enter", context={"dev_name": "tmpfs", "dir_name": "/mnt", "type": "tmpfs"})
    probe.test_run("on_exit", context={"ret": -1})
    (event,) = probe.mounts.available()
    assert (event.source, event.target, event.type, event.result) == ("tmpfs", "/mnt", "tmpfs", -1)


def test_locks_that_are_waited_for(vm):
    probe = vm(Locks, tgid=5)
    for took in (30, 10, 20):
        probe.test_run("on_enter", context={"uaddr": 0x1000, "op": 0x80})
        vm.advance(took)
        probe.test_run("on_exit", context={"ret": 0})
    ((lock, waits),) = probe.locks.items()
    assert (lock.pid, lock.address) == (5, 0x1000)
    assert (waits.count, waits.total, waits.shortest, waits.longest) == (3, 60, 10, 30)


def test_soft_interrupts(vm):
    probe = vm(SoftIrqs)
    probe.test_run("on_entry", context=[3])
    vm.advance(77)
    probe.test_run("on_exit", context=[3])
    assert (probe.time[3], probe.count[3], probe.count[2]) == (77, 1, 0)


def test_page_faults(vm):
    probe = vm(Faults, comm="bee")
    for _ in range(3):
        probe.test_run("on_fault", context={})
    assert dict(probe.faults.items()) == {"bee": 3}


def test_what_a_process_writes(vm):
    probe = vm(Output(process=7), tgid=7)
    probe.test_run("on_write", context={"fd": 1, "buf": b"hello", "count": 5})
    vm.change(tgid=8)
    probe.test_run("on_write", context={"fd": 1, "buf": b"secret", "count": 6})
    assert [(each.descriptor, each.size, each.data) for each in probe.written.available()] == [(1, 5, b"hello")]


@pytest.mark.parametrize("result", [0, -2])
def test_executions_with_their_arguments(vm, result):
    probe = vm(Executions, uid=33, task=task(7, comm="sh", real_parent=task(5)))
    probe.test_run("on_enter", context={"filename": "/bin/echo", "argv": ["echo", "two words"]})
    probe.test_run("on_exit", context={"ret": result})
    (event,) = probe.executions.available()
    assert (event.pid, event.parent, event.uid, event.result, event.comm) == (7, 5, 33, result, "sh")
    assert event.arguments[: event.count] == ["echo", "two words"]


def test_where_cpus_spend_their_time(vm):
    reading, waiting = [0xFFFFFFFF81000010, 0xFFFFFFFF81000200], [0xFFFFFFFF81000099]
    probe = vm(Profile, pid=7, tgid=7, comm="bees", kernel_stack=reading)
    for stack in (reading, waiting, reading):
        vm.change(kernel_stack=stack)
        probe.test_run("on_sample")
    samples = {tuple(probe.stacks[place.kernel]): count for place, count in probe.samples.items()}
    assert samples == {tuple(reading): 2, tuple(waiting): 1}
    vm.change(kernel_stack=())  # in user space
    probe.test_run("on_sample")
    assert probe.samples[Place(pid=7, comm="bees", kernel=-14)] == 1
