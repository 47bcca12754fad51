"""The words that exist only inside the kernel; a probe calls them in its decorated methods.

To Python and to type checkers they are ordinary functions.  The compiler replaces each by a helper
call, whose number and rules stand in include/uapi/linux/bpf.h; called outside they raise
:class:`~beespace.errors.UsageError`.

Besides the words that are written here, every helper of the kernel is a word by its own name without ``bpf_``, as
``bpf.skb_ecn_set_ce(ctx)``; ``help(bpf.skb_ecn_set_ce)`` says what it takes.  Kernel functions (kfuncs) are found by
their names, too.  ``bpf.pyi`` beside this file lists all of them for editors and type checkers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NoReturn, TypeVar

from beespace.errors import UsageError
from beespace.schema import Struct
from beespace.types import Address, CgroupId, Cookie, Gid, Pid, Text, Tid, Timestamp, Uid, i32, i64, u16, u32, u64

_S = TypeVar("_S", bound=Struct)
_T = TypeVar("_T")


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


def log(message: str) -> None:
    """Send a message, usually an f-string, to the program's log: ``for message in probe.log``.

    Values go as they are, and Python formats them in user space, so that every format works.  Ring buffer, 5.8.
    """
    _kernel_only("log")


def printk(message: str) -> None:
    """Write a line to the kernel's trace pipe, as ``print(f"...")`` does.  bpf_trace_printk, 4.1; more than three
    values: bpf_trace_vprintk, 5.16.
    """
    _kernel_only("printk")


def task() -> Any:
    """The current ``struct task_struct``; its fields are read by name.  bpf_get_current_task_btf, 5.11."""
    _kernel_only("task")


def packet(ctx: Any, header: type[_S], offset: u32) -> _S | None:
    """The packet's bytes at ``offset`` as ``header``, in place; None if the packet is shorter.

    The offset counts from the first byte that the hook sees (cgroup_skb: the IP header).  The
    bounds check against ``data_end`` is generated.
    """
    _kernel_only("packet")


def metadata(ctx: Any, header: type[_S]) -> _S | None:
    """What stands in front of the packet, in place; None if there is less of it.  xdp and tc.

    An XDP program makes room with ``bpf.xdp_adjust_meta(ctx, -4)`` (4, 8, ... 32 bytes) and writes; tc programs of the
    interface read it.  Linux 4.15.
    """
    _kernel_only("metadata")


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


def kernel_bytes(address: Any, size: u32) -> bytes:
    """``size`` bytes of kernel memory, cut at the field; zeroes if not readable.  bpf_probe_read_kernel, 5.5."""
    _kernel_only("kernel_bytes")


def monotonic() -> u64:
    """Nanoseconds since the system started, without the time it slept (CLOCK_MONOTONIC).  bpf_ktime_get_ns, 4.1."""
    _kernel_only("monotonic")


def coarse() -> u64:
    """The same as of the last timer tick: less exact, and cheaper.  bpf_ktime_get_coarse_ns, 5.11."""
    _kernel_only("coarse")


def tai() -> u64:
    """Nanoseconds of International Atomic Time (CLOCK_TAI).  bpf_ktime_get_tai_ns, 6.1."""
    _kernel_only("tai")


def jiffies() -> u64:
    """The kernel's timer ticks since it started.  bpf_jiffies64, 5.5."""
    _kernel_only("jiffies")


def numa_node() -> u32:
    """Number of the NUMA node of the CPU that runs this.  bpf_get_numa_node_id, 4.10."""
    _kernel_only("numa_node")


def ancestor_cgroup_id(level: i32) -> CgroupId:
    """Id of an ancestor of the current task's cgroup; 0 is the root.  bpf_get_current_ancestor_cgroup_id, 5.6."""
    _kernel_only("ancestor_cgroup_id")


def signal(number: u32) -> i64:
    """Send a signal to the current process; 0, or a negative error number.  bpf_send_signal, 5.3."""
    _kernel_only("signal")


def signal_thread(number: u32) -> i64:
    """Send a signal to the current thread; 0, or a negative error number.  bpf_send_signal_thread, 5.5."""
    _kernel_only("signal_thread")


def ctx() -> Any:
    """The program's context, where the parameters are the event's own arguments."""
    _kernel_only("ctx")


def cookie() -> u64:
    """The number that was given when the program was attached, or 0.  bpf_get_attach_cookie, 5.15."""
    _kernel_only("cookie")


def function_address() -> u64:
    """Address of the function that the program is attached to.  bpf_get_func_ip, 5.15."""
    _kernel_only("function_address")


def load_bytes(ctx: Any, header: type[_S], offset: u32) -> _S | None:
    """A copy of the packet's bytes at ``offset``, wherever they lie; None if the packet is shorter.

    bpf_skb_load_bytes, 4.5; for XDP bpf_xdp_load_bytes, 5.18.
    """
    _kernel_only("load_bytes")


def packet_bytes(ctx: Any, offset: u32, size: u32) -> bytes:
    """The packet's bytes from ``offset`` on, wherever they lie: ``size`` of them, or as many as there are and fit.

    bpf_skb_load_bytes, 4.5; for XDP bpf_xdp_load_bytes, 5.18.
    """
    _kernel_only("packet_bytes")


def store_bytes(ctx: Any, header: Struct, offset: u32) -> bool:
    """Write a struct into the packet at ``offset``; whether the packet is that long.

    bpf_skb_store_bytes, 4.1; for XDP bpf_xdp_store_bytes, 5.18.  Checksums are not mended.
    """
    _kernel_only("store_bytes")


def checksum(header: Any) -> u16:
    """The Internet checksum of a struct, a text or raw bytes, a multiple of 4 bytes; its own field must be zero.

    ``ip.checksum = 0``, then ``ip.checksum = bpf.checksum(ip)``.  bpf_csum_diff, 4.6.
    """
    _kernel_only("checksum")


def csum_fold(sum: i64) -> u16:
    """What stands in a header of a sum that ``bpf.csum_diff()`` gave: folded into 16 bits, and inverted."""
    _kernel_only("csum_fold")


def network16(number: u16) -> u16:
    """A number with its bytes in network order, as they stand in a packet; the same takes it back."""
    _kernel_only("network16")


def network32(number: u32) -> u32:
    """A number with its bytes in network order, as they stand in a packet; the same takes it back."""
    _kernel_only("network32")


def network64(number: u64) -> u64:
    """A number with its bytes in network order, as they stand in a packet; the same takes it back."""
    _kernel_only("network64")


def path(path: Any) -> Text:
    """The full path of a ``struct path`` (``file.f_path``), empty if it is longer than its place.  bpf_d_path, 5.10.

    Only where the kernel allows it: LSM programs that may sleep and iterators, and some functions of the file system.
    """
    _kernel_only("path")


def find_vma(task: Any, address: u64, callback: Callable[..., Any], state: Struct) -> i64:
    """Call ``self.callback(task, area, state)`` with the memory area (``vm_area_struct``) that has an address.

    0, or a negative error number: ENOENT, there is none; EBUSY, somebody changes the task's memory.  ``state`` is a
    local that the method may change.  bpf_find_vma, 5.17.
    """
    _kernel_only("find_vma")


def cast(address: Any, type: type[_T]) -> _T:
    """``address`` (a number or pointer) as a pointer to a kernel type, ``bpf.cast(ctx.skaddr, sock)``.

    Fields are read safely: what is not there reads as zero.  bpf_probe_read_kernel, 5.5.
    """
    _kernel_only("cast")


def container(pointer: Any, type: type[_T], member: str) -> _T:
    """The kernel struct that has ``pointer`` as its ``member`` (``"a.b"``): the kernel's container_of()."""
    _kernel_only("container")


def read(address: Any, type: type[_T]) -> _T:
    """A copy of kernel memory as a number, text(n), raw(n), array(t, n) or Struct; zeroes if not readable.

    bpf_probe_read_kernel, 5.5.
    """
    _kernel_only("read")


def user(address: Any, type: type[_T]) -> _T:
    """The same of memory of the current process; of a kernel type (``sockaddr_in``) its fields are read by name.

    Zeroes if not readable, as what was swapped out is not.  bpf_probe_read_user, 5.5.
    """
    _kernel_only("user")


def new(type: type[_S]) -> _S | None:
    """Memory for a Struct, all zero; None if there is none.  Its name owns it, and frees it when it is gone.

    A LinkedList or a Tree takes it.  bpf_obj_new, bpf_obj_drop; 6.6.
    """
    _kernel_only("new")


def rcu() -> AbstractContextManager[None]:
    """``with bpf.rcu():`` what kernel pointers point to stays there.  bpf_rcu_read_lock, bpf_rcu_read_unlock, 6.2."""
    _kernel_only("rcu")


def preempt_disabled() -> AbstractContextManager[None]:
    """``with bpf.preempt_disabled():`` no other task runs on this CPU.  bpf_preempt_disable, 6.10."""
    _kernel_only("preempt_disabled")


def irqs_disabled() -> AbstractContextManager[None]:
    """``with bpf.irqs_disabled():`` nothing interrupts this CPU.  bpf_local_irq_save, bpf_local_irq_restore, 6.14."""
    _kernel_only("irqs_disabled")


def numbers(start: i32, end: i32) -> Iterator[i32]:
    """``for n in bpf.numbers(0, n):`` as over a range, however many: the kernel counts.  bpf_iter_num_new, 6.4."""
    _kernel_only("numbers")


def tasks() -> Iterator[Any]:
    """``for task in bpf.tasks():`` the main thread of every process.  Inside ``bpf.rcu()`` if the program may sleep.

    bpf_iter_task_new, 6.7.
    """
    _kernel_only("tasks")


def all_threads() -> Iterator[Any]:
    """``for task in bpf.all_threads():`` every thread of every process.  bpf_iter_task_new, 6.7."""
    _kernel_only("all_threads")


def threads(task: Any) -> Iterator[Any]:
    """``for thread in bpf.threads(task):`` the threads of a task's process.  bpf_iter_task_new, 6.7."""
    _kernel_only("threads")


def memory_areas(task: Any, address: u64) -> Iterator[Any]:
    """``for area in bpf.memory_areas(task, 0):`` its ``struct vm_area_struct``, from ``address`` on.

    bpf_iter_task_vma_new, 6.7.
    """
    _kernel_only("memory_areas")


def descendants(css: Any) -> Iterator[Any]:
    """``for css in bpf.descendants(cgroup.self):`` a cgroup's state, then those below it.  bpf_iter_css_new, 6.7."""
    _kernel_only("descendants")


def tasks_of(css: Any) -> Iterator[Any]:
    """``for task in bpf.tasks_of(cgroup.self):`` the main threads of the processes of a cgroup.

    In iterators, LSM programs and programs that may sleep.  bpf_iter_css_task_new, 6.7.
    """
    _kernel_only("tasks_of")


# --- every other helper and kernel function ------------------------------------------------------


def __getattr__(name: str) -> Callable[..., Any]:
    """A helper or kernel function by its name; the tables are read only when somebody asks."""
    if not name.startswith("_"):
        from beespace.lang.bpf_helpers import named_word

        found = named_word(name, __name__, _kernel_only)
        if found is not None:
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from beespace.lang.bpf_helpers import function_names, helper_names

    return sorted({*globals(), *helper_names(), *function_names()})
