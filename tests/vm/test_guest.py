"""A guest itself: what a command in it sees, gives back and cannot do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import matrix
import pytest

from beespace.errors import GuestError
from beespace.guest import TIMED_OUT, Guest, Settings, Share, fetch, find

pytestmark = [pytest.mark.vm, pytest.mark.usefixtures("can_run")]


@pytest.fixture(scope="module")
def guest() -> object:
    with Guest(fetch(find("6.12"))) as running:
        yield running


def output(guest: Guest, *command: str, **options: object) -> tuple[int, str]:
    heard: list[bytes] = []
    status = guest.run(command, out=heard.append, err=heard.append, **options)  # type: ignore[arg-type]
    return status, b"".join(heard).decode()


def test_the_kernel_is_the_one_that_was_asked_for(guest: Guest) -> None:
    assert guest.release == fetch(find("6.12")).full_release
    assert output(guest, "uname", "-r") == (0, guest.release + "\n")


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("exec /nowhere", 127), ("exec /etc/passwd", 126)],
)
def test_the_status_is_the_commands(guest: Guest, script: str, status: int) -> None:
    assert output(guest, "sh", "-c", script)[0] == status


def test_a_command_that_is_not_there(guest: Guest) -> None:
    status, said = output(guest, "no-such-program")
    assert status == 127
    assert "no-such-program" in said


def test_outputs_stay_apart_and_whole(guest: Guest) -> None:
    outputs: dict[str, list[bytes]] = {"out": [], "err": [], "log": []}
    script = "head -c 3000000 /dev/zero; echo wrong >&2; eval 'echo record >&'$BEESPACE_GUEST_FD"
    status = guest.run(
        ["bash", "-c", script], out=outputs["out"].append, err=outputs["err"].append, log=outputs["log"].append
    )
    assert status == 0
    assert b"".join(outputs["out"]) == bytes(3_000_000)
    assert outputs["err"] == [b"wrong\n"]
    assert outputs["log"] == [b"record\n"]


def test_time_is_up(guest: Guest) -> None:
    assert guest.run(["sleep", "1000"], timeout=1.0) == TIMED_OUT
    assert output(guest, "echo", "still here") == (0, "still here\n")


def test_nothing_is_left_running(guest: Guest) -> None:
    guest.run(["sh", "-c", "setsid sleep 12345 & exit 0"])
    assert "12345" not in output(guest, "ps", "axww")[1]


def test_folder_and_environment(guest: Guest) -> None:
    status, said = output(guest, "sh", "-c", "pwd; echo $A", folder="/usr", environment={"PATH": "/bin", "A": "b c"})
    assert (status, said) == (0, "/usr\nb c\n")


def test_the_host_is_not_changed(guest: Guest, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("the host's")
    script = f"cat {file} && echo changed > {file} && cat {file} && echo new > {tmp_path}/new"
    assert output(guest, "sh", "-c", script) == (0, "the host'schanged\n")
    assert file.read_text() == "the host's"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_root_in_a_guest_cannot_write_to_the_host_either(guest: Guest, tmp_path: Path) -> None:
    """Past the layer: the share itself, mounted anew for writing."""
    script = f"mkdir /mnt/host && mount -t virtiofs host /mnt/host && echo > /mnt/host{tmp_path}/new"
    status, said = output(guest, "sh", "-c", script)
    assert status != 0
    assert "Read-only file system" in said
    assert not (tmp_path / "new").exists()


def test_what_a_machine_has(guest: Guest) -> None:
    """File systems, modules by name, the configuration, loopback, and rights."""
    for path in ("/sys/kernel/btf/vmlinux", "/sys/fs/bpf", "/sys/fs/cgroup/cgroup.procs", "/sys/kernel/tracing/events"):
        assert output(guest, "test", "-e", path)[0] == 0, path
    assert "CONFIG_BPF_SYSCALL=y" in output(guest, "cat", f"/boot/config-{guest.release}")[1]
    assert output(guest, "ip", "link", "add", "one", "type", "veth", "peer", "name", "other")[0] == 0
    assert output(guest, "ping", "-c1", "127.0.0.1")[0] in (0, 127)
    assert "bpf" in output(guest, "cat", "/sys/kernel/security/lsm")[1]


def test_a_writable_share(tmp_path: Path) -> None:
    with Guest(fetch(find("6.12")), shares=[Share(tmp_path, tmp_path, writable=True)]) as guest:
        assert output(guest, "sh", "-c", f"echo hello > {tmp_path}/file")[0] == 0
    assert (tmp_path / "file").read_text() == "hello\n"


def test_a_panic_is_an_error_with_the_consoles_words() -> None:
    with (
        Guest(fetch(find("6.12"))) as guest,
        pytest.raises(GuestError, match="Kernel panic - not syncing: sysrq triggered crash"),
    ):
        guest.run(["sh", "-c", "echo c > /proc/sysrq-trigger"])


def test_a_kernel_that_does_not_come_up() -> None:
    with pytest.raises(GuestError, match="did not come up in 0 s"):
        Guest(fetch(find("6.12")), Settings(boot_timeout=0.2))


def test_the_last_lsm_of_the_oldest_kernel() -> None:
    """BPF programs on LSM hooks need `bpf` among the security modules: 5.10 has it only when asked for it."""
    with Guest(fetch(find("5.10"))) as guest:
        assert output(guest, "cat", "/sys/kernel/security/lsm")[1].split(",")[-1] == "bpf"


def test_a_guest_ends_with_the_process_that_made_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "beespace", "kernels", "run", "6.12", "--", "sh", "-c", "echo up; sleep 1000"]
    environment = os.environ | {"PYTHONPATH": str(matrix.ROOT / "src"), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert _processes_with(str(tmp_path))
        process.kill()
    deadline = time.monotonic() + 20
    while _processes_with(str(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _processes_with(str(tmp_path)) == []


def _processes_with(text: str) -> list[str]:
    """The programs of processes whose command line has ``text``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if any(text in word for word in words) and "qemu" in words[0]:
            found.append(words[0])
    return found
