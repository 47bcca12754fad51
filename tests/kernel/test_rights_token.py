"""BPF tokens: a process in a user namespace loads and attaches with rights that were delegated to it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pace import patience

from beespace.errors import KernelError, NotPermitted, UsageError
from beespace.kernel import features
from beespace.kernel.token import VARIABLE, find_token
from beespace.syscall import bpf, door, mounts

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.usefixtures("no_leaks"),
    pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed (util-linux)"),
]

SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8);
    __type(key, __u32);
    __type(value, __u64);
} seen SEC(".maps");
int wanted = 3;

SEC("raw_tp/sched_process_exec")
int on_exec(void *ctx)
{
    __u32 key = 1;
    __u64 one = wanted;
    bpf_map_update_elem(&seen, &key, &one, BPF_ANY);
    return 0;
}

SEC("?xdp")
int on_frame(struct xdp_md *ctx) { return XDP_PASS; }
"""

# What runs in the user namespace: it opens a bpf file system, has the parent configure it, and mounts it.
CHILD = """
import ctypes, json, os, socket, subprocess, sys
from beespace.elf import read
from beespace.errors import BeespaceError
from beespace.kernel import load
from beespace.syscall import Descriptor, door
how, programs, file = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
other = socket.socket(fileno=int(sys.argv[4]))
context = door.issue("fsopen", (b"bpf\\0", 1))
assert context >= 0, context
socket.send_fds(other, [b"configure"], [context])
assert other.recv(10) == b"configured"
root = door.issue("fsmount", (context, 1, 0))
assert root >= 0, root
os.close(context)
options = {}
if how == "path":
    options["token"] = f"/proc/self/fd/{root}"
elif how == "environment":
    os.environ["LIBBPF_BPF_TOKEN_PATH"] = f"/proc/self/fd/{root}"
elif how in ("usual", "usual but unwanted"):
    move = ctypes.CDLL(None, use_errno=True).syscall(429, root, b"", -100, b"/sys/fs/bpf", 4)
    assert move == 0, ctypes.get_errno()
    if how == "usual but unwanted":
        os.environ["LIBBPF_BPF_TOKEN_PATH"] = ""
try:
    with open(file, "rb") as object_file:
        spec = read(object_file.read(), "delegated")
    with load(spec, programs=programs, **options) as loaded:
        links = loaded.attach("on_exec") if "on_exec" in programs else ()
        subprocess.run(["/bin/true"], check=True)
        seen = getattr(loaded.maps["seen"], "raw", loaded.maps["seen"]).get((1).to_bytes(4, "little"))
        answer = {"links": len(links), "seen": seen and int.from_bytes(seen, "little")}
except BeespaceError as error:
    answer = {"type": type(error).__name__, "error": str(error)}
print(json.dumps(answer))
"""

EVERYTHING = {"delegate_cmds": "any", "delegate_maps": "any", "delegate_progs": "any", "delegate_attachs": "any"}


@pytest.fixture(scope="module")
def tokens() -> None:
    """Skips where the kernel does not know the command; older bpf file systems take options that they do not know."""
    with mounts.detached_mount("bpf") as root:
        try:
            bpf.token_create(root).close()
        except KernelError as error:
            if error.errno == errno.EINVAL:
                pytest.skip("this kernel has no BPF tokens (Linux 6.9)")


@pytest.fixture
def delegated(tokens: None, object_file: Callable[[str], Path]) -> Callable[..., dict[str, object]]:
    file = object_file(SOURCE)
    # The user that the namespace's root is outside must reach the files.
    path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(
        how: str, programs: tuple[str, ...] = ("on_exec",), options: dict[str, str] | None = None
    ) -> dict[str, object]:
        ours, theirs = socket.socketpair()
        command = [
            "unshare", "--user", "--map-root-user", "--mount", sys.executable, "-W", "error", "-c", CHILD,
            how, json.dumps(programs), str(file), str(theirs.fileno()),
        ]  # fmt: skip
        with (
            ours,
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ | path,
                pass_fds=(theirs.fileno(),),
            ) as child,
        ):
            theirs.close()
            ours.settimeout(patience(120))
            message, fds, _, _ = socket.recv_fds(ours, 20, 1)
            try:
                if message:
                    configure(fds[0], EVERYTHING if options is None else options)
                    ours.send(b"configured")
            finally:
                for fd in fds:
                    os.close(fd)
                ours.close()
                out, err = child.communicate(timeout=patience(120))
        if child.returncode and b"unshare" in err and b"Operation not permitted" in err:
            pytest.skip("user namespaces are not allowed here")
        assert child.returncode == 0, err.decode()
        answer: dict[str, object] = json.loads(out)
        return answer

    return run


def configure(context: int, options: dict[str, str]) -> None:
    """As init's root: say what is delegated, and make the file system (fsconfig(2))."""
    for key, value in options.items():
        result = door.issue("fsconfig", (context, 1, key.encode() + b"\0", value.encode() + b"\0", 0))
        assert result == 0, (key, result)
    assert door.issue("fsconfig", (context, 6, None, None, 0)) == 0


Delegated = Callable[..., dict[str, object]]


@pytest.mark.parametrize("how", ["path", "environment", "usual"])
def test_delegated_rights_are_used(delegated: Delegated, how: str) -> None:
    if how == "usual" and not Path("/sys/fs/bpf").is_dir():
        pytest.skip("there is no /sys/fs/bpf")
    assert delegated(how) == {"links": 1, "seen": 3}


@pytest.mark.parametrize("how", ["none", "usual but unwanted"])
def test_without_a_token_the_namespace_is_named(delegated: Delegated, how: str) -> None:
    answer = delegated(how)
    assert answer["type"] == "NotPermitted", answer
    assert "this process is in a user namespace, whose capabilities do not count here" in str(answer["error"])
    assert "delegate a BPF token" in str(answer["error"])


@pytest.mark.parametrize(
    ("options", "programs", "said"),
    [
        ({"delegate_progs": "xdp"}, ("on_exec",), "the BPF token does not delegate programs of this type"),
        ({"delegate_maps": "array"}, ("on_exec",), "the BPF token does not delegate maps of this type"),
        ({"delegate_cmds": "map_create:btf_load"}, ("on_frame",), "the BPF token does not delegate BPF_PROG_LOAD"),
        ({"delegate_attachs": "xdp"}, ("on_exec",), "the BPF token does not delegate programs of this attach type"),
    ],
)
def test_what_is_not_delegated_is_named(
    delegated: Delegated, options: dict[str, str], programs: tuple[str, ...], said: str
) -> None:
    answer = delegated("path", programs, EVERYTHING | options)
    assert answer["type"] == "NotPermitted", answer
    assert said in str(answer["error"])
    assert "help: mount the bpf file system with more" in str(answer["error"])


def test_a_path_that_delegates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_token(None) is None
    with pytest.raises(UsageError, match=r"nowhere is no delegated bpf file system: No such file"):
        find_token(tmp_path / "nowhere")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="no delegated bpf file system"):
        find_token(None)
    monkeypatch.setenv(VARIABLE, "")
    assert find_token(None) is None
    assert features.machine_feature("bpf system call").available


def test_the_initial_namespace_has_no_tokens() -> None:
    with mounts.detached_mount("bpf") as root:
        try:
            bpf.token_create(root).close()
        except NotPermitted:
            raise
        except Exception as error:
            said = str(error)
    assert "cannot create a BPF token" in said
