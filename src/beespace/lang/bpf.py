"""The words that exist only inside the kernel; a probe calls them in its decorated methods.

To Python and to type checkers they are ordinary functions.  The compiler replaces each by a helper
call, whose number and rules stand in include/uapi/linux/bpf.h; called outside they raise
:class:`~beespace.errors.UsageError`.
"""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from beespace.errors import UsageError
from beespace.schema import Struct
from beespace.types import Address, CgroupId, Cookie, Gid, Pid, Text, Tid, Timestamp, Uid, u32, u64

_S = TypeVar("_S", bound=Struct)


def _kernel_only(word: str) -> NoReturn:
    raise UsageError(
        f"bpf.{word}() is a word of the kernel side",
        help="call it inside a method with a hook decorator; Python does not run it",
    )


def pid() -> Pid:
    """Process id (thread group) of the current task, in the initial pid namespace.  bpf_get_current_pid_tgid, 4.2."""
    _kernel_only("pid")


def tid() -> Tid:
    """Thread id of the current task.  bpf_get_current_pid_tgid, 4.2."""
    _kernel_only("tid")


def uid() -> Uid:
    """User id of the current task.  bpf_get_current_uid_gid, 4.2."""
    _kernel_only("uid")


def gid() -> Gid:
    """Group id of the current task.  bpf_get_current_uid_gid, 4.2."""
    _kernel_only("gid")


def comm() -> Text:
    """Name of the current thread, at most 15 bytes; a ``text(16)``.  bpf_get_current_comm, 4.2."""
    _kernel_only("comm")


def now() -> Timestamp:
    """Nanoseconds since boot, with suspend (CLOCK_BOOTTIME).  bpf_ktime_get_boot_ns, 5.8."""
    _kernel_only("now")


def cgroup_id() -> CgroupId:
    """Id of the current task's cgroup v2: the inode number of its directory.  bpf_get_current_cgroup_id, 4.18."""
    _kernel_only("cgroup_id")


def cpu() -> u32:
    """Number of the CPU that runs this.  bpf_get_smp_processor_id, 4.1."""
    _kernel_only("cpu")


def random() -> u32:
    """A pseudo-random number.  bpf_get_prandom_u32, 4.1."""
    _kernel_only("random")


def task() -> Any:
    """The current ``struct task_struct``; its fields are read by name.  bpf_get_current_task_btf, 5.11."""
    _kernel_only("task")


def packet(ctx: Any, header: type[_S], offset: u32) -> _S | None:
    """The packet's bytes at ``offset`` as ``header``, in place; None if the packet is shorter.

    The offset counts from the first byte that the hook sees (cgroup_skb: the IP header).  The
    bounds check against ``data_end`` is generated.
    """
    _kernel_only("packet")


def packet_length(ctx: Any) -> u32:
    """Bytes of the packet from the first one that the hook sees; XDP: those in reach, without further fragments."""
    _kernel_only("packet_length")


def v4(address: u32) -> Address:
    """An IPv4 address in host order as ``::ffff:a.b.c.d``."""
    _kernel_only("v4")


def full_socket(ctx: Any) -> Any:
    """The packet's socket as ``struct bpf_sock``, or None (no socket, request or TIME_WAIT).  bpf_sk_fullsock, 5.1."""
    _kernel_only("full_socket")


def tcp_socket(socket: Any) -> Any:
    """The ``struct bpf_tcp_sock`` of a socket, or None if it is not TCP.  bpf_tcp_sock, 5.1."""
    _kernel_only("tcp_socket")


def socket_cookie(socket: Any) -> Cookie:
    """A socket's (or packet's) cookie: unique while the system runs.  bpf_get_socket_cookie, 4.12."""
    _kernel_only("socket_cookie")


def netns_cookie(ctx: Any) -> u64:
    """Cookie of the socket's network namespace.  bpf_get_netns_cookie, 5.7."""
    _kernel_only("netns_cookie")


def packet_cgroup_id(ctx: Any) -> CgroupId:
    """Cgroup id of the packet's socket.  bpf_skb_cgroup_id, 4.18."""
    _kernel_only("packet_cgroup_id")


def file_socket(file: Any) -> Any:
    """The ``struct socket`` behind a ``struct file``, or None.  bpf_sock_from_file, 5.11."""
    _kernel_only("file_socket")


def kernel_text(address: Any) -> Text:
    """The NUL-terminated kernel text at ``address``, cut at the field.  bpf_probe_read_kernel_str, 5.5."""
    _kernel_only("kernel_text")


def user_text(address: Any) -> Text:
    """The NUL-terminated user-space text at ``address``, cut at the field.  bpf_probe_read_user_str, 5.5."""
    _kernel_only("user_text")


def user_bytes(address: u64, size: u32) -> bytes:
    """``size`` bytes of user memory, cut at the field; zeroes if not readable.  bpf_probe_read_user, 5.5."""
    _kernel_only("user_bytes")
