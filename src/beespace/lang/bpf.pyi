"""Every word of ``beespace.bpf``, for editors and type checkers.  Written by tools/gen_bpf_stub.py."""
# ruff: noqa: E501

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NoReturn, TypeVar
from beespace.errors import UsageError
from beespace.schema import Struct
from beespace.types import Address, CgroupId, Cookie, Gid, Pid, Text, Tid, Timestamp, Uid, i8, i16, i32, i64, u8, u16, u32, u64
_S = TypeVar('_S', bound=Struct)
_T = TypeVar('_T')



def pid() -> Pid:
    """Process id (thread group) of the current task, in the initial pid namespace.  bpf_get_current_pid_tgid, 4.2."""

def tid() -> Tid:
    """Thread id of the current task.  bpf_get_current_pid_tgid, 4.2."""

def uid() -> Uid:
    """User id of the current task.  bpf_get_current_uid_gid, 4.2."""

def gid() -> Gid:
    """Group id of the current task.  bpf_get_current_uid_gid, 4.2."""

def comm() -> Text:
    """Name of the current thread, at most 15 bytes; a ``text(16)``.  bpf_get_current_comm, 4.2."""

def now() -> Timestamp:
    """Nanoseconds since boot, with suspend (CLOCK_BOOTTIME).  bpf_ktime_get_boot_ns, 5.8."""

def cgroup_id() -> CgroupId:
    """Id of the current task's cgroup v2: the inode number of its directory.  bpf_get_current_cgroup_id, 4.18."""

def cpu() -> u32:
    """Number of the CPU that runs this.  bpf_get_smp_processor_id, 4.1."""

def random() -> u32:
    """A pseudo-random number.  bpf_get_prandom_u32, 4.1."""

def log(message: str) -> None:
    """Send a message, usually an f-string, to the program's log: ``for message in probe.log``.

    Values go as they are, and Python formats them in user space, so that every format works.  Ring buffer, 5.8.
    """

def printk(message: str) -> None:
    """Write a line to the kernel's trace pipe, as ``print(f"...")`` does.  bpf_trace_printk, 4.1; more than three
    values: bpf_trace_vprintk, 5.16.
    """

def task() -> Any:
    """The current ``struct task_struct``; its fields are read by name.  bpf_get_current_task_btf, 5.11."""

def packet(ctx: Any, header: type[_S], offset: u32) -> _S | None:
    """The packet's bytes at ``offset`` as ``header``, in place; None if the packet is shorter.

    The offset counts from the first byte that the hook sees (cgroup_skb: the IP header).  The
    bounds check against ``data_end`` is generated.
    """

def metadata(ctx: Any, header: type[_S]) -> _S | None:
    """What stands in front of the packet, in place; None if there is less of it.  xdp and tc.

    An XDP program makes room with ``bpf.xdp_adjust_meta(ctx, -4)`` (4, 8, ... 32 bytes) and writes; tc programs of the
    interface read it.  Linux 4.15.
    """

def packet_length(ctx: Any) -> u32:
    """Bytes of the packet from the first one that the hook sees; XDP: those in reach, without further fragments."""

def v4(address: u32) -> Address:
    """An IPv4 address in host order as ``::ffff:a.b.c.d``."""

def full_socket(ctx: Any) -> Any:
    """The packet's socket as ``struct bpf_sock``, or None (no socket, request or TIME_WAIT).  bpf_sk_fullsock, 5.1."""

def tcp_socket(socket: Any) -> Any:
    """The ``struct bpf_tcp_sock`` of a socket, or None if it is not TCP.  bpf_tcp_sock, 5.1."""

def socket_cookie(socket: Any) -> Cookie:
    """A socket's (or packet's) cookie: unique while the system runs.  bpf_get_socket_cookie, 4.12."""

def netns_cookie(ctx: Any) -> u64:
    """Cookie of the socket's network namespace.  bpf_get_netns_cookie, 5.7."""

def packet_cgroup_id(ctx: Any) -> CgroupId:
    """Cgroup id of the packet's socket.  bpf_skb_cgroup_id, 4.18."""

def file_socket(file: Any) -> Any:
    """The ``struct socket`` behind a ``struct file``, or None.  bpf_sock_from_file, 5.11."""

def kernel_text(address: Any) -> Text:
    """The NUL-terminated kernel text at ``address``, cut at the field.  bpf_probe_read_kernel_str, 5.5."""

def user_text(address: Any) -> Text:
    """The NUL-terminated user-space text at ``address``, cut at the field.  bpf_probe_read_user_str, 5.5."""

def user_bytes(address: u64, size: u32) -> bytes:
    """``size`` bytes of user memory, cut at the field; zeroes if not readable.  bpf_probe_read_user, 5.5."""

def kernel_bytes(address: Any, size: u32) -> bytes:
    """``size`` bytes of kernel memory, cut at the field; zeroes if not readable.  bpf_probe_read_kernel, 5.5."""

def monotonic() -> u64:
    """Nanoseconds since the system started, without the time it slept (CLOCK_MONOTONIC).  bpf_ktime_get_ns, 4.1."""

def coarse() -> u64:
    """The same as of the last timer tick: less exact, and cheaper.  bpf_ktime_get_coarse_ns, 5.11."""

def tai() -> u64:
    """Nanoseconds of International Atomic Time (CLOCK_TAI).  bpf_ktime_get_tai_ns, 6.1."""

def jiffies() -> u64:
    """The kernel's timer ticks since it started.  bpf_jiffies64, 5.5."""

def numa_node() -> u32:
    """Number of the NUMA node of the CPU that runs this.  bpf_get_numa_node_id, 4.10."""

def ancestor_cgroup_id(level: i32) -> CgroupId:
    """Id of an ancestor of the current task's cgroup; 0 is the root.  bpf_get_current_ancestor_cgroup_id, 5.6."""

def signal(number: u32) -> i64:
    """Send a signal to the current process; 0, or a negative error number.  bpf_send_signal, 5.3."""

def signal_thread(number: u32) -> i64:
    """Send a signal to the current thread; 0, or a negative error number.  bpf_send_signal_thread, 5.5."""

def ctx() -> Any:
    """The program's context, where the parameters are the event's own arguments."""

def cookie() -> u64:
    """The number that was given when the program was attached, or 0.  bpf_get_attach_cookie, 5.15."""

def function_address() -> u64:
    """Address of the function that the program is attached to.  bpf_get_func_ip, 5.15."""

def load_bytes(ctx: Any, header: type[_S], offset: u32) -> _S | None:
    """A copy of the packet's bytes at ``offset``, wherever they lie; None if the packet is shorter.

    bpf_skb_load_bytes, 4.5; for XDP bpf_xdp_load_bytes, 5.18.
    """

def packet_bytes(ctx: Any, offset: u32, size: u32) -> bytes:
    """The packet's bytes from ``offset`` on, wherever they lie: ``size`` of them, or as many as there are and fit.

    bpf_skb_load_bytes, 4.5; for XDP bpf_xdp_load_bytes, 5.18.
    """

def store_bytes(ctx: Any, header: Struct, offset: u32) -> bool:
    """Write a struct into the packet at ``offset``; whether the packet is that long.

    bpf_skb_store_bytes, 4.1; for XDP bpf_xdp_store_bytes, 5.18.  Checksums are not mended.
    """

def checksum(header: Any) -> u16:
    """The Internet checksum of a struct, a text or raw bytes, a multiple of 4 bytes; its own field must be zero.

    ``ip.checksum = 0``, then ``ip.checksum = bpf.checksum(ip)``.  bpf_csum_diff, 4.6.
    """

def csum_fold(sum: i64) -> u16:
    """What stands in a header of a sum that ``bpf.csum_diff()`` gave: folded into 16 bits, and inverted."""

def network16(number: u16) -> u16:
    """A number with its bytes in network order, as they stand in a packet; the same takes it back."""

def network32(number: u32) -> u32:
    """A number with its bytes in network order, as they stand in a packet; the same takes it back."""

def network64(number: u64) -> u64:
    """A number with its bytes in network order, as they stand in a packet; the same takes it back."""

def path(path: Any) -> Text:
    """The full path of a ``struct path`` (``file.f_path``), empty if it is longer than its place.  bpf_d_path, 5.10.

    Only where the kernel allows it: LSM programs that may sleep and iterators, and some functions of the file system.
    """

def find_vma(task: Any, address: u64, callback: Callable[..., Any], state: Struct) -> i64:
    """Call ``self.callback(task, area, state)`` with the memory area (``vm_area_struct``) that has an address.

    0, or a negative error number: ENOENT, there is none; EBUSY, somebody changes the task's memory.  ``state`` is a
    local that the method may change.  bpf_find_vma, 5.17.
    """

def cast(address: Any, type: type[_T]) -> _T:
    """``address`` (a number or pointer) as a pointer to a kernel type, ``bpf.cast(ctx.skaddr, sock)``.

    Fields are read safely: what is not there reads as zero.  bpf_probe_read_kernel, 5.5.
    """

def container(pointer: Any, type: type[_T], member: str) -> _T:
    """The kernel struct that has ``pointer`` as its ``member`` (``"a.b"``): the kernel's container_of()."""

def read(address: Any, type: type[_T]) -> _T:
    """A copy of kernel memory as a number, text(n), raw(n), array(t, n) or Struct; zeroes if not readable.

    bpf_probe_read_kernel, 5.5.
    """

def user(address: Any, type: type[_T]) -> _T:
    """The same of memory of the current process; of a kernel type (``sockaddr_in``) its fields are read by name.

    Zeroes if not readable, as what was swapped out is not.  bpf_probe_read_user, 5.5.
    """

def new(type: type[_S]) -> _S | None:
    """Memory for a Struct, all zero; None if there is none.  Its name owns it, and frees it when it is gone.

    A LinkedList or a Tree takes it.  bpf_obj_new, bpf_obj_drop; 6.6.
    """

def rcu() -> AbstractContextManager[None]:
    """``with bpf.rcu():`` what kernel pointers point to stays there.  bpf_rcu_read_lock, bpf_rcu_read_unlock, 6.2."""

def preempt_disabled() -> AbstractContextManager[None]:
    """``with bpf.preempt_disabled():`` no other task runs on this CPU.  bpf_preempt_disable, 6.10."""

def irqs_disabled() -> AbstractContextManager[None]:
    """``with bpf.irqs_disabled():`` nothing interrupts this CPU.  bpf_local_irq_save, bpf_local_irq_restore, 6.14."""

def numbers(start: i32, end: i32) -> Iterator[i32]:
    """``for n in bpf.numbers(0, n):`` as over a range, however many: the kernel counts.  bpf_iter_num_new, 6.4."""

def tasks() -> Iterator[Any]:
    """``for task in bpf.tasks():`` the main thread of every process.  Inside ``bpf.rcu()`` if the program may sleep.

    bpf_iter_task_new, 6.7.
    """

def all_threads() -> Iterator[Any]:
    """``for task in bpf.all_threads():`` every thread of every process.  bpf_iter_task_new, 6.7."""

def threads(task: Any) -> Iterator[Any]:
    """``for thread in bpf.threads(task):`` the threads of a task's process.  bpf_iter_task_new, 6.7."""

def memory_areas(task: Any, address: u64) -> Iterator[Any]:
    """``for area in bpf.memory_areas(task, 0):`` its ``struct vm_area_struct``, from ``address`` on.

    bpf_iter_task_vma_new, 6.7.
    """

def descendants(css: Any) -> Iterator[Any]:
    """``for css in bpf.descendants(cgroup.self):`` a cgroup's state, then those below it.  bpf_iter_css_new, 6.7."""

def tasks_of(css: Any) -> Iterator[Any]:
    """``for task in bpf.tasks_of(cgroup.self):`` the main threads of the processes of a cgroup.

    In iterators, LSM programs and programs that may sleep.  bpf_iter_css_task_new, 6.7.
    """

# --- helpers -----------------------------------------------------------------------------------

def bind(ctx: Any, addr: Any) -> i64:
    """Bind the socket to an address before it connects.

    C: long bpf_bind(struct bpf_sock_addr *ctx, struct sockaddr *addr, int addr_len)
    Linux 4.17, number 64.
    Hooks: cgroup_sock_addr.
    """

def bprm_opts_set(bprm: Any, flags: u64 = 0) -> i64:
    """Set options of a program that is being executed: BPF_F_BPRM_SECUREEXEC.

    C: long bpf_bprm_opts_set(struct linux_binprm *bprm, u64 flags)
    Linux 5.11, number 159.
    Hooks: lsm, lsm_cgroup.
    """

def btf_find_by_name_kind(name: Any, kind: u32, flags: i32 = 0) -> i64:
    """The id of a kernel type, by name and kind.

    C: long bpf_btf_find_by_name_kind(char *name, int name_sz, u32 kind, int flags)
    Linux 5.14, number 167.
    For programs that may sleep.
    Hooks: syscall.
    """

def cgrp_storage_delete(map: Any, cgroup: Any) -> i64:
    """Give back the memory for a cgroup.

    C: long bpf_cgrp_storage_delete(struct bpf_map *map, struct cgroup *cgroup)
    Linux 6.2, number 211.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def cgrp_storage_get(map: Any, cgroup: Any, value: Any, flags: u64 = 0) -> Any:
    """The program's own memory for a cgroup, or None.

    C: void *bpf_cgrp_storage_get(struct bpf_map *map, struct cgroup *cgroup, void *value, u64 flags)
    Linux 6.2, number 210.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def check_mtu(ctx: Any, ifindex: u32, mtu_len: Any, len_diff: i32, flags: u64 = 0) -> i64:
    """Whether a packet fits the MTU of an interface; mtu_len gets the MTU.

    C: long bpf_check_mtu(void *ctx, u32 ifindex, u32 *mtu_len, s32 len_diff, u64 flags)
    Linux 5.12, number 163.
    For programs under a licence that is compatible with the GPL.
    Hooks: xdp, tc, netkit.
    """

def clone_redirect(skb: Any, ifindex: u32, flags: u64 = 0) -> i64:
    """Send a copy of the packet by another interface; flags: BPF_F_INGRESS.

    C: long bpf_clone_redirect(struct sk_buff *skb, u32 ifindex, u64 flags)
    Linux 4.2, number 13.
    Hooks: tc, netkit, lwt_xmit.
    """

def copy_from_user(dst: Any, user_ptr: Any) -> i64:
    """Read memory of the current process, waiting for it if need be.

    C: long bpf_copy_from_user(void *dst, u32 size, const void *user_ptr)
    Linux 5.10, number 148.
    For programs that may sleep.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def copy_from_user_task(dst: Any, user_ptr: Any, tsk: Any, flags: u64 = 0) -> i64:
    """Read memory of another task's process, waiting for it if need be.

    C: long bpf_copy_from_user_task(void *dst, u32 size, const void *user_ptr, struct task_struct *tsk, u64 flags)
    Linux 5.18, number 191.
    For programs under a licence that is compatible with the GPL.
    For programs that may sleep.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def csum_diff(from_: Any, to: Any, seed: u32 = 0) -> i64:
    """How a checksum changes when the bytes of from become those of to; either may be None.

    C: s64 bpf_csum_diff(__be32 *from, u32 from_size, __be32 *to, u32 to_size, __wsum seed)
    Linux 4.6, number 28.
    Hooks: xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local.
    """

def csum_level(skb: Any, level: u64) -> i64:
    """Change how many checksums of the packet are known to be right.

    C: long bpf_csum_level(struct sk_buff *skb, u64 level)
    Linux 5.7, number 135.
    Hooks: tc, netkit, lwt_xmit.
    """

def csum_update(skb: Any, csum: u32) -> i64:
    """Add to the packet's checksum.

    C: s64 bpf_csum_update(struct sk_buff *skb, __wsum csum)
    Linux 4.9, number 40.
    Hooks: tc, netkit, lwt_xmit.
    """

def current_task_under_cgroup(map: Any, index: u32) -> i64:
    """1 if the current task is in (or below) a cgroup of a cgroup array, 0 if not.

    C: long bpf_current_task_under_cgroup(struct bpf_map *map, u32 index)
    Linux 4.9, number 37.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def d_path(path: Any, buf: Any) -> i64:
    """The full path of a file, from its struct path; only where the kernel allows it.

    C: long bpf_d_path(const struct path *path, char *buf, u32 sz)
    Linux 5.10, number 147.
    Hooks: lsm, lsm_cgroup, iterator.
    """

def dynptr_data(ptr: Any, offset: u64, len: Any) -> Any:
    """The memory of a dynamic pointer, or None if it is shorter.

    C: void *bpf_dynptr_data(const struct bpf_dynptr *ptr, u64 offset, u64 len)
    Linux 5.19, number 203.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def dynptr_from_mem(data: Any, flags: u64, ptr: Any) -> i64:
    """A dynamic pointer to memory of a map value.

    C: long bpf_dynptr_from_mem(void *data, u64 size, u64 flags, struct bpf_dynptr *ptr)
    Linux 5.19, number 197.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def dynptr_read(dst: Any, src: Any, offset: u64, flags: u64 = 0) -> i64:
    """Copy bytes out of a dynamic pointer.

    C: long bpf_dynptr_read(void *dst, u64 len, const struct bpf_dynptr *src, u64 offset, u64 flags)
    Linux 5.19, number 201.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def dynptr_write(dst: Any, offset: u64, src: Any, flags: u64 = 0) -> i64:
    """Copy bytes to a dynamic pointer.

    C: long bpf_dynptr_write(const struct bpf_dynptr *dst, u64 offset, void *src, u64 len, u64 flags)
    Linux 5.19, number 202.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def fib_lookup(ctx: Any, params: Any, flags: u32 = 0) -> i64:
    """Ask the routing table where a packet goes, and from and to which link address.

    C: long bpf_fib_lookup(void *ctx, struct bpf_fib_lookup *params, int plen, u32 flags)
    Linux 4.18, number 69.
    For programs under a licence that is compatible with the GPL.
    Hooks: xdp, tc, netkit.
    """

def for_each_map_elem(map: Any, callback_fn: Any, callback_ctx: Any, flags: u64 = 0) -> i64:
    """Call a function for each element of a map.

    C: long bpf_for_each_map_elem(struct bpf_map *map, void *callback_fn, void *callback_ctx, u64 flags)
    Linux 5.13, number 164.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def get_attach_cookie(ctx: Any) -> u64:
    """The number that was given when the program was attached.

    C: u64 bpf_get_attach_cookie(void *ctx)
    Linux 5.15, number 174.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, perf_event.
    """

def get_branch_snapshot(entries: Any, flags: u64 = 0) -> i64:
    """The branches that the CPU took last.

    C: long bpf_get_branch_snapshot(void *entries, u32 size, u64 flags)
    Linux 5.16, number 176.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def get_cgroup_classid(skb: Any) -> u32:
    """The net_cls class of the current task, for cgroup v1.

    C: u32 bpf_get_cgroup_classid(struct sk_buff *skb)
    Linux 4.3, number 17.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def get_current_ancestor_cgroup_id(ancestor_level: i32) -> u64:
    """The id of an ancestor, at a depth, of the current task's cgroup.

    C: u64 bpf_get_current_ancestor_cgroup_id(int ancestor_level)
    Linux 5.6, number 123.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def get_current_cgroup_id() -> u64:
    """The cgroup id of the current task.

    C: u64 bpf_get_current_cgroup_id(void)
    Linux 4.18, number 80.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def get_current_comm(buf: Any) -> i64:
    """The name of the current task.

    C: long bpf_get_current_comm(void *buf, u32 size_of_buf)
    Linux 4.2, number 16.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def get_current_pid_tgid() -> u64:
    """Process id (upper half) and thread id (lower half) of the current task.

    C: u64 bpf_get_current_pid_tgid(void)
    Linux 4.2, number 14.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def get_current_task() -> u64:
    """The address of the current task as a number; get_current_task_btf gives it typed.

    C: u64 bpf_get_current_task(void)
    Linux 4.8, number 35.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def get_current_task_btf() -> Any:
    """The current task, typed.

    C: struct task_struct *bpf_get_current_task_btf(void)
    Linux 5.11, number 158.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def get_current_uid_gid() -> u64:
    """Group id (upper half) and user id (lower half) of the current task.

    C: u64 bpf_get_current_uid_gid(void)
    Linux 4.2, number 15.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def get_func_arg(ctx: Any, n: u32, value: Any) -> i64:
    """An argument of the traced function, by number.

    C: long bpf_get_func_arg(void *ctx, u32 n, u64 *value)
    Linux 5.17, number 183.
    Hooks: btf_tracepoint, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm.
    """

def get_func_arg_cnt(ctx: Any) -> i64:
    """How many arguments the traced function has.

    C: long bpf_get_func_arg_cnt(void *ctx)
    Linux 5.17, number 185.
    Hooks: btf_tracepoint, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm.
    """

def get_func_ip(ctx: Any) -> u64:
    """The address of the function that the program is attached to.

    C: u64 bpf_get_func_ip(void *ctx)
    Linux 5.15, number 173.
    Hooks: kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi.
    """

def get_func_ret(ctx: Any, value: Any) -> i64:
    """What the traced function returns.

    C: long bpf_get_func_ret(void *ctx, u64 *value)
    Linux 5.17, number 184.
    Hooks: fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm.
    """

def get_hash_recalc(skb: Any) -> u32:
    """The packet's flow hash, computed if it is not known.

    C: u32 bpf_get_hash_recalc(struct sk_buff *skb)
    Linux 4.8, number 34.
    Hooks: tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local.
    """

def get_listener_sock(sk: Any) -> Any:
    """The listening socket of a socket, or None.

    C: struct bpf_sock *bpf_get_listener_sock(struct bpf_sock *sk)
    Linux 5.1, number 98.
    Hooks: tc, netkit, cgroup_skb.
    """

def get_local_storage(map: Any, flags: u64 = 0) -> Any:
    """The program's own memory for this cgroup.

    C: void *bpf_get_local_storage(void *map, u64 flags)
    Linux 4.19, number 81.
    Hooks: lsm_cgroup, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops.
    """

def get_netns_cookie(ctx: Any) -> u64:
    """A number that is a network namespace's own while the system runs; None asks for the first namespace.

    C: u64 bpf_get_netns_cookie(void *ctx)
    Linux 5.7, number 122.
    Hooks: socket_filter, tc, netkit, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, sockops, sk_msg.
    """

def get_ns_current_pid_tgid(dev: u64, ino: u64, nsdata: Any) -> i64:
    """Process and thread id of the current task as a pid namespace has them, which dev and ino of its file name.

    C: long bpf_get_ns_current_pid_tgid(u64 dev, u64 ino, struct bpf_pidns_info *nsdata, u32 size)
    Linux 5.7, number 120.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def get_numa_node_id() -> i64:
    """The number of the NUMA node of the CPU that runs the program.

    C: long bpf_get_numa_node_id(void)
    Linux 4.10, number 42.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def get_prandom_u32() -> u32:
    """A pseudo-random number of 32 bits.

    C: u32 bpf_get_prandom_u32(void)
    Linux 4.1, number 7.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def get_retval() -> i32:
    """What the system call is to return, as the program before left it.

    C: int bpf_get_retval(void)
    Linux 5.18, number 186.
    Hooks: lsm_cgroup, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device.
    """

def get_route_realm(skb: Any) -> u32:
    """The realm (tclassid) of the packet's route.

    C: u32 bpf_get_route_realm(struct sk_buff *skb)
    Linux 4.4, number 24.
    Hooks: tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local.
    """

def get_smp_processor_id() -> u32:
    """The number of the CPU that runs the program.

    C: u32 bpf_get_smp_processor_id(void)
    Linux 4.1, number 8.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def get_socket_cookie(sk: Any) -> u64:
    """A number that is a socket's own while the system runs.

    C: u64 bpf_get_socket_cookie(struct sock *sk)
    Linux 4.12, number 46.
    Hooks: btf_tracepoint, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, syscall, socket_filter, tc, netkit, cgroup_skb, cgroup_sock, cgroup_sock_addr, sockops, sk_skb, sk_reuseport.
    """

def get_socket_uid(skb: Any) -> u32:
    """The user id that owns the packet's socket.

    C: u32 bpf_get_socket_uid(struct sk_buff *skb)
    Linux 4.12, number 47.
    Hooks: socket_filter, tc, netkit, cgroup_skb, sk_skb.
    """

def get_stack(ctx: Any, buf: Any, flags: u64 = 0) -> i64:
    """Copy the current stack, as addresses; flags: BPF_F_USER_STACK, BPF_F_SKIP_FIELD_MASK.

    C: long bpf_get_stack(void *ctx, void *buf, u32 size, u64 flags)
    Linux 4.18, number 67.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall.
    """

def get_stackid(ctx: Any, map: Any, flags: u64 = 0) -> i64:
    """Walk the current stack and keep it in a stack trace map; the result is its number there.

    C: long bpf_get_stackid(void *ctx, struct bpf_map *map, u64 flags)
    Linux 4.6, number 27.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall.
    """

def get_task_stack(task: Any, buf: Any, flags: u64 = 0) -> i64:
    """Copy the stack of a task, as addresses.

    C: long bpf_get_task_stack(struct task_struct *task, void *buf, u32 size, u64 flags)
    Linux 5.9, number 141.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def getsockopt(bpf_socket: Any, level: i32, optname: i32, optval: Any) -> i64:
    """Read an option of the socket, as getsockopt(2) does.

    C: long bpf_getsockopt(void *bpf_socket, int level, int optname, void *optval, int optlen)
    Linux 4.15, number 57.
    Hooks: lsm_cgroup, struct_ops, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, sockops.
    """

def ima_file_hash(file: Any, dst: Any) -> i64:
    """The hash of a file, computed if need be; the result says which algorithm.

    C: long bpf_ima_file_hash(struct file *file, void *dst, u32 size)
    Linux 5.18, number 193.
    For programs that may sleep.
    Hooks: lsm, lsm_cgroup.
    """

def ima_inode_hash(inode: Any, dst: Any) -> i64:
    """The hash that the integrity measurement has of an inode; the result says which algorithm.

    C: long bpf_ima_inode_hash(struct inode *inode, void *dst, u32 size)
    Linux 5.11, number 161.
    For programs that may sleep.
    Hooks: lsm, lsm_cgroup.
    """

def inode_storage_delete(map: Any, inode: Any) -> i32:
    """Give back the memory for an inode.

    C: int bpf_inode_storage_delete(struct bpf_map *map, void *inode)
    Linux 5.10, number 146.
    Hooks: lsm, lsm_cgroup.
    """

def inode_storage_get(map: Any, inode: Any, value: Any, flags: u64 = 0) -> Any:
    """The program's own memory for an inode, or None.

    C: void *bpf_inode_storage_get(struct bpf_map *map, void *inode, void *value, u64 flags)
    Linux 5.10, number 145.
    Hooks: lsm, lsm_cgroup.
    """

def jiffies64() -> u64:
    """The kernel's timer ticks since it started.

    C: u64 bpf_jiffies64(void)
    Linux 5.5, number 118.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def kallsyms_lookup_name(name: Any, flags: i32, res: Any) -> i64:
    """The address of a symbol of the kernel.

    C: long bpf_kallsyms_lookup_name(const char *name, int name_sz, int flags, u64 *res)
    Linux 5.16, number 179.
    Hooks: syscall.
    """

def kptr_xchg(dst: Any, ptr: Any) -> Any:
    """Exchange a kernel pointer that stands in a map value.

    C: void *bpf_kptr_xchg(void *dst, void *ptr)
    Linux 5.19, number 194.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def ktime_get_boot_ns() -> u64:
    """Nanoseconds since the system started, with the time it slept (CLOCK_BOOTTIME).

    C: u64 bpf_ktime_get_boot_ns(void)
    Linux 5.8, number 125.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def ktime_get_coarse_ns() -> u64:
    """Nanoseconds since the system started as of the last timer tick: less exact, and cheaper.

    C: u64 bpf_ktime_get_coarse_ns(void)
    Linux 5.11, number 160.
    Hooks: struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sysctl, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector.
    """

def ktime_get_ns() -> u64:
    """Nanoseconds since the system started, without the time it slept (CLOCK_MONOTONIC).

    C: u64 bpf_ktime_get_ns(void)
    Linux 4.1, number 5.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def ktime_get_tai_ns() -> u64:
    """Nanoseconds of International Atomic Time (CLOCK_TAI).

    C: u64 bpf_ktime_get_tai_ns(void)
    Linux 6.1, number 208.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def l3_csum_replace(skb: Any, offset: u32, from_: u64, to: u64, size: u64) -> i64:
    """Correct the checksum of the IP header after a field of it changed; flags hold the field's size.

    C: long bpf_l3_csum_replace(struct sk_buff *skb, u32 offset, u64 from, u64 to, u64 size)
    Linux 4.1, number 10.
    Hooks: tc, netkit, lwt_xmit.
    """

def l4_csum_replace(skb: Any, offset: u32, from_: u64, to: u64, flags: u64 = 0) -> i64:
    """Correct the checksum of TCP, UDP or ICMP after a field changed; flags hold the field's size and BPF_F_PSEUDO_HDR.

    C: long bpf_l4_csum_replace(struct sk_buff *skb, u32 offset, u64 from, u64 to, u64 flags)
    Linux 4.1, number 11.
    Hooks: tc, netkit, lwt_xmit.
    """

def load_hdr_opt(skops: Any, searchby_res: Any, flags: u64 = 0) -> i64:
    """Look for an option of the TCP header.

    C: long bpf_load_hdr_opt(struct bpf_sock_ops *skops, void *searchby_res, u32 len, u64 flags)
    Linux 5.10, number 142.
    Hooks: sockops.
    """

def loop(nr_loops: u32, callback_fn: Any, callback_ctx: Any, flags: u64 = 0) -> i64:
    """Call a function so many times.

    C: long bpf_loop(u32 nr_loops, void *callback_fn, void *callback_ctx, u64 flags)
    Linux 5.17, number 181.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def lwt_push_encap(skb: Any, type: u32, hdr: Any) -> i64:
    """Put an outer header around the packet.

    C: long bpf_lwt_push_encap(struct sk_buff *skb, u32 type, void *hdr, u32 len)
    Linux 4.18, number 73.
    Hooks: lwt_in, lwt_xmit.
    """

def lwt_seg6_action(skb: Any, action: u32, param: Any) -> i64:
    """Do an action of segment routing.

    C: long bpf_lwt_seg6_action(struct sk_buff *skb, u32 action, void *param, u32 param_len)
    Linux 4.18, number 76.
    Hooks: lwt_seg6local.
    """

def lwt_seg6_adjust_srh(skb: Any, offset: u32, delta: i32) -> i64:
    """Make the segment routing header longer or shorter.

    C: long bpf_lwt_seg6_adjust_srh(struct sk_buff *skb, u32 offset, s32 delta)
    Linux 4.18, number 75.
    Hooks: lwt_seg6local.
    """

def lwt_seg6_store_bytes(skb: Any, offset: u32, from_: Any) -> i64:
    """Write into the segment routing header.

    C: long bpf_lwt_seg6_store_bytes(struct sk_buff *skb, u32 offset, const void *from, u32 len)
    Linux 4.18, number 74.
    Hooks: lwt_seg6local.
    """

def map_delete_elem(map: Any, key: Any) -> i64:
    """Take a key out of a map.

    C: long bpf_map_delete_elem(struct bpf_map *map, const void *key)
    Linux 3.19, number 3.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def map_lookup_elem(map: Any, key: Any) -> Any:
    """The value of a key in a map, or None.

    C: void *bpf_map_lookup_elem(struct bpf_map *map, const void *key)
    Linux 3.19, number 1.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def map_lookup_percpu_elem(map: Any, key: Any, cpu: u32) -> Any:
    """The value of a key in a per-CPU map, as another CPU has it, or None.

    C: void *bpf_map_lookup_percpu_elem(struct bpf_map *map, const void *key, u32 cpu)
    Linux 5.19, number 195.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def map_peek_elem(map: Any, value: Any) -> i64:
    """The next value of a queue or a stack, or whether a bloom filter may have a value.

    C: long bpf_map_peek_elem(struct bpf_map *map, void *value)
    Linux 4.20, number 89.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def map_pop_elem(map: Any, value: Any) -> i64:
    """Take the next value out of a queue or a stack.

    C: long bpf_map_pop_elem(struct bpf_map *map, void *value)
    Linux 4.20, number 88.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def map_push_elem(map: Any, value: Any, flags: u64 = 0) -> i64:
    """Put a value into a queue, a stack or a bloom filter.

    C: long bpf_map_push_elem(struct bpf_map *map, const void *value, u64 flags)
    Linux 4.20, number 87.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def map_update_elem(map: Any, key: Any, value: Any, flags: u64 = 0) -> i64:
    """Put a value under a key of a map; flags: BPF_ANY, BPF_NOEXIST, BPF_EXIST.

    C: long bpf_map_update_elem(struct bpf_map *map, const void *key, const void *value, u64 flags)
    Linux 3.19, number 2.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def msg_apply_bytes(msg: Any, bytes: u32) -> i64:
    """The verdict holds for so many bytes.

    C: long bpf_msg_apply_bytes(struct sk_msg_buff *msg, u32 bytes)
    Linux 4.17, number 61.
    Hooks: sk_msg.
    """

def msg_cork_bytes(msg: Any, bytes: u32) -> i64:
    """Wait for so many bytes before the next verdict.

    C: long bpf_msg_cork_bytes(struct sk_msg_buff *msg, u32 bytes)
    Linux 4.17, number 62.
    Hooks: sk_msg.
    """

def msg_pop_data(msg: Any, start: u32, len: u32, flags: u64 = 0) -> i64:
    """Take bytes out of the message.

    C: long bpf_msg_pop_data(struct sk_msg_buff *msg, u32 start, u32 len, u64 flags)
    Linux 5.0, number 91.
    Hooks: sk_msg.
    """

def msg_pull_data(msg: Any, start: u32, end: u32, flags: u64 = 0) -> i64:
    """Make a stretch of the message directly readable.

    C: long bpf_msg_pull_data(struct sk_msg_buff *msg, u32 start, u32 end, u64 flags)
    Linux 4.17, number 63.
    Hooks: sk_msg.
    """

def msg_push_data(msg: Any, start: u32, len: u32, flags: u64 = 0) -> i64:
    """Put new bytes into the message.

    C: long bpf_msg_push_data(struct sk_msg_buff *msg, u32 start, u32 len, u64 flags)
    Linux 4.20, number 90.
    Hooks: sk_msg.
    """

def msg_redirect_hash(msg: Any, map: Any, key: Any, flags: u64 = 0) -> i64:
    """Send the message to a socket of a socket hash.

    C: long bpf_msg_redirect_hash(struct sk_msg_buff *msg, struct bpf_map *map, void *key, u64 flags)
    Linux 4.18, number 71.
    Hooks: sk_msg.
    """

def msg_redirect_map(msg: Any, map: Any, key: u32, flags: u64 = 0) -> i64:
    """Send the message to a socket of a socket map.

    C: long bpf_msg_redirect_map(struct sk_msg_buff *msg, struct bpf_map *map, u32 key, u64 flags)
    Linux 4.17, number 60.
    Hooks: sk_msg.
    """

def override_return(regs: Any, rc: u64) -> i64:
    """Let the probed function return a value at once; only functions that allow error injection.

    C: long bpf_override_return(struct pt_regs *regs, u64 rc)
    Linux 4.16, number 58.
    Hooks: kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt.
    """

def per_cpu_ptr(percpu_ptr: Any, cpu: u32) -> Any:
    """The variable of another CPU, or None if there is no such CPU.

    C: void *bpf_per_cpu_ptr(const void *percpu_ptr, u32 cpu)
    Linux 5.10, number 153.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def perf_event_output(ctx: Any, map: Any, flags: u64, data: Any) -> i64:
    """Send bytes to user space through a perf event array.

    C: long bpf_perf_event_output(void *ctx, struct bpf_map *map, u64 flags, void *data, u64 size)
    Linux 4.4, number 25.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_lookup.
    """

def perf_event_read(map: Any, flags: u64 = 0) -> u64:
    """The value of a performance counter of this CPU (or of the one in flags).

    C: u64 bpf_perf_event_read(struct bpf_map *map, u64 flags)
    Linux 4.3, number 22.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def perf_event_read_value(map: Any, flags: u64, buf: Any) -> i64:
    """A performance counter with the time it was enabled and counting.

    C: long bpf_perf_event_read_value(struct bpf_map *map, u64 flags, struct bpf_perf_event_value *buf, u32 buf_size)
    Linux 4.15, number 55.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def perf_prog_read_value(ctx: Any, buf: Any) -> i64:
    """The counter that the program is attached to.

    C: long bpf_perf_prog_read_value(struct bpf_perf_event_data *ctx, struct bpf_perf_event_value *buf, u32 buf_size)
    Linux 4.15, number 56.
    For programs under a licence that is compatible with the GPL.
    Hooks: perf_event.
    """

def probe_read(dst: Any, unsafe_ptr: Any) -> i64:
    """Read memory of the kernel or of a process, whichever the address is; what came before probe_read_kernel and probe_read_user.

    C: long bpf_probe_read(void *dst, u32 size, const void *unsafe_ptr)
    Linux 4.1, number 4.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall.
    """

def probe_read_kernel(dst: Any, unsafe_ptr: Any) -> i64:
    """Read memory of the kernel.

    C: long bpf_probe_read_kernel(void *dst, u32 size, const void *unsafe_ptr)
    Linux 5.5, number 113.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def probe_read_kernel_str(dst: Any, unsafe_ptr: Any) -> i64:
    """Read a text of the kernel.

    C: long bpf_probe_read_kernel_str(void *dst, u32 size, const void *unsafe_ptr)
    Linux 5.5, number 115.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def probe_read_str(dst: Any, unsafe_ptr: Any) -> i64:
    """Read a text of the kernel or of a process; what came before probe_read_kernel_str and probe_read_user_str.

    C: long bpf_probe_read_str(void *dst, u32 size, const void *unsafe_ptr)
    Linux 4.11, number 45.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall.
    """

def probe_read_user(dst: Any, unsafe_ptr: Any) -> i64:
    """Read memory of the current process.

    C: long bpf_probe_read_user(void *dst, u32 size, const void *unsafe_ptr)
    Linux 5.5, number 112.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def probe_read_user_str(dst: Any, unsafe_ptr: Any) -> i64:
    """Read a text of the current process.

    C: long bpf_probe_read_user_str(void *dst, u32 size, const void *unsafe_ptr)
    Linux 5.5, number 114.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def probe_write_user(dst: Any, src: Any) -> i64:
    """Write into the memory of the current process; dangerous, and the kernel logs that it is done.

    C: long bpf_probe_write_user(void *dst, const void *src, u32 len)
    Linux 4.8, number 36.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall.
    """

def rc_keydown(ctx: Any, protocol: u32, scancode: u64, toggle: u32) -> i64:
    """Report a key of a remote control.

    C: long bpf_rc_keydown(void *ctx, u32 protocol, u64 scancode, u32 toggle)
    Linux 4.18, number 78.
    Hooks: lirc_mode2.
    """

def rc_pointer_rel(ctx: Any, rel_x: i32, rel_y: i32) -> i64:
    """Report how a pointer of a remote control moved.

    C: long bpf_rc_pointer_rel(void *ctx, s32 rel_x, s32 rel_y)
    Linux 5.0, number 92.
    Hooks: lirc_mode2.
    """

def rc_repeat(ctx: Any) -> i64:
    """Report that the last key of a remote control is still held.

    C: long bpf_rc_repeat(void *ctx)
    Linux 4.18, number 77.
    Hooks: lirc_mode2.
    """

def read_branch_records(ctx: Any, buf: Any, flags: u64 = 0) -> i64:
    """The branches that the CPU recorded for this event.

    C: long bpf_read_branch_records(struct bpf_perf_event_data *ctx, void *buf, u32 size, u64 flags)
    Linux 5.6, number 119.
    For programs under a licence that is compatible with the GPL.
    Hooks: perf_event.
    """

def redirect(ifindex: u32, flags: u64 = 0) -> i64:
    """Send the packet by another interface: the result is what the program returns.

    C: long bpf_redirect(u32 ifindex, u64 flags)
    Linux 4.4, number 23.
    Hooks: xdp, tc, netkit, lwt_xmit.
    """

def redirect_map(map: Any, key: u64, flags: u64 = 0) -> i64:
    """Send the packet to an entry of a device, CPU or AF_XDP socket map: the result is what the program returns.

    C: long bpf_redirect_map(struct bpf_map *map, u64 key, u64 flags)
    Linux 4.14, number 51.
    Hooks: xdp.
    """

def redirect_neigh(ifindex: u32, params: Any, flags: u64 = 0) -> i64:
    """Send the packet by another interface, with link addresses from the neighbour table: the result is what the program returns.

    C: long bpf_redirect_neigh(u32 ifindex, struct bpf_redir_neigh *params, int plen, u64 flags)
    Linux 5.10, number 152.
    Hooks: tc, netkit.
    """

def redirect_peer(ifindex: u32, flags: u64 = 0) -> i64:
    """Hand the packet to the other end of a veth pair: the result is what the program returns.

    C: long bpf_redirect_peer(u32 ifindex, u64 flags)
    Linux 5.10, number 155.
    Hooks: tc, netkit.
    """

def reserve_hdr_opt(skops: Any, len: u32, flags: u64 = 0) -> i64:
    """Ask for room for options of the TCP header.

    C: long bpf_reserve_hdr_opt(struct bpf_sock_ops *skops, u32 len, u64 flags)
    Linux 5.10, number 144.
    Hooks: sockops.
    """

def ringbuf_discard(data: Any, flags: u64 = 0) -> None:
    """Give up a record of a ring.

    C: void bpf_ringbuf_discard(void *data, u64 flags)
    Linux 5.8, number 133.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def ringbuf_discard_dynptr(ptr: Any, flags: u64 = 0) -> None:
    """Give up what a dynamic pointer reserved.

    C: void bpf_ringbuf_discard_dynptr(struct bpf_dynptr *ptr, u64 flags)
    Linux 5.19, number 200.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def ringbuf_output(ringbuf: Any, data: Any, flags: u64 = 0) -> i64:
    """Copy bytes into a ring.

    C: long bpf_ringbuf_output(void *ringbuf, void *data, u64 size, u64 flags)
    Linux 5.8, number 130.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def ringbuf_query(ringbuf: Any, flags: u64 = 0) -> u64:
    """How full a ring is: BPF_RB_AVAIL_DATA, BPF_RB_RING_SIZE, BPF_RB_CONS_POS, BPF_RB_PROD_POS.

    C: u64 bpf_ringbuf_query(void *ringbuf, u64 flags)
    Linux 5.8, number 134.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def ringbuf_reserve(ringbuf: Any, size: Any, flags: u64 = 0) -> Any:
    """Room for a record in a ring, or None if it is full.

    C: void *bpf_ringbuf_reserve(void *ringbuf, u64 size, u64 flags)
    Linux 5.8, number 131.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def ringbuf_reserve_dynptr(ringbuf: Any, size: u32, flags: u64, ptr: Any) -> i64:
    """Room of any size in a ring, as a dynamic pointer.

    C: long bpf_ringbuf_reserve_dynptr(void *ringbuf, u32 size, u64 flags, struct bpf_dynptr *ptr)
    Linux 5.19, number 198.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def ringbuf_submit(data: Any, flags: u64 = 0) -> None:
    """Make a record of a ring readable.

    C: void bpf_ringbuf_submit(void *data, u64 flags)
    Linux 5.8, number 132.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def ringbuf_submit_dynptr(ptr: Any, flags: u64 = 0) -> None:
    """Make what a dynamic pointer reserved readable.

    C: void bpf_ringbuf_submit_dynptr(struct bpf_dynptr *ptr, u64 flags)
    Linux 5.19, number 199.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def send_signal(sig: u32) -> i64:
    """Send a signal to the current process.

    C: long bpf_send_signal(u32 sig)
    Linux 5.3, number 109.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def send_signal_thread(sig: u32) -> i64:
    """Send a signal to the current thread.

    C: long bpf_send_signal_thread(u32 sig)
    Linux 5.5, number 117.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def seq_printf(m: Any, fmt: Any, data: Any) -> i64:
    """Write formatted text into an iterator's output.

    C: long bpf_seq_printf(struct seq_file *m, const char *fmt, u32 fmt_size, const void *data, u32 data_len)
    Linux 5.7, number 126.
    For programs under a licence that is compatible with the GPL.
    Hooks: iterator.
    """

def seq_printf_btf(m: Any, ptr: Any, flags: u64 = 0) -> i64:
    """Write a kernel object as text into an iterator's output, by its type.

    C: long bpf_seq_printf_btf(struct seq_file *m, struct btf_ptr *ptr, u32 ptr_size, u64 flags)
    Linux 5.10, number 150.
    For programs under a licence that is compatible with the GPL.
    Hooks: iterator.
    """

def seq_write(m: Any, data: Any) -> i64:
    """Write bytes into an iterator's output.

    C: long bpf_seq_write(struct seq_file *m, const void *data, u32 len)
    Linux 5.7, number 127.
    For programs under a licence that is compatible with the GPL.
    Hooks: iterator.
    """

def set_hash(skb: Any, hash: u32) -> i64:
    """Set the packet's flow hash.

    C: long bpf_set_hash(struct sk_buff *skb, u32 hash)
    Linux 4.13, number 48.
    Hooks: tc, netkit.
    """

def set_hash_invalid(skb: Any) -> None:
    """Forget the packet's flow hash.

    C: void bpf_set_hash_invalid(struct sk_buff *skb)
    Linux 4.9, number 41.
    Hooks: tc, netkit, lwt_xmit.
    """

def set_retval(retval: i32) -> i32:
    """What the system call is to return.

    C: int bpf_set_retval(int retval)
    Linux 5.18, number 187.
    Hooks: lsm_cgroup, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device.
    """

def setsockopt(bpf_socket: Any, level: i32, optname: i32, optval: Any) -> i64:
    """Set an option of the socket, as setsockopt(2) does.

    C: long bpf_setsockopt(void *bpf_socket, int level, int optname, void *optval, int optlen)
    Linux 4.13, number 49.
    Hooks: lsm_cgroup, struct_ops, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, sockops.
    """

def sk_ancestor_cgroup_id(sk: Any, ancestor_level: i32) -> u64:
    """The id of an ancestor, at a depth, of a socket's cgroup.

    C: u64 bpf_sk_ancestor_cgroup_id(void *sk, int ancestor_level)
    Linux 5.7, number 129.
    Hooks: cgroup_skb.
    """

def sk_assign(ctx: Any, sk: Any, flags: u64 = 0) -> i64:
    """Hand the packet to a socket.

    C: long bpf_sk_assign(struct bpf_sk_lookup *ctx, struct bpf_sock *sk, u64 flags)
    Linux 5.6, number 124.
    Hooks: tc, netkit, sk_lookup.
    """

def sk_cgroup_id(sk: Any) -> u64:
    """The cgroup id of a socket.

    C: u64 bpf_sk_cgroup_id(void *sk)
    Linux 5.7, number 128.
    Hooks: cgroup_skb.
    """

def sk_fullsock(sk: Any) -> Any:
    """The full socket of a socket, or None if it is a request or TIME_WAIT socket.

    C: struct bpf_sock *bpf_sk_fullsock(struct bpf_sock *sk)
    Linux 5.1, number 95.
    Hooks: tc, netkit, cgroup_skb.
    """

def sk_lookup_tcp(ctx: Any, tuple: Any, netns: u64, flags: u64 = 0) -> AbstractContextManager[Any]:
    """The TCP socket of an address pair in a network namespace, or None; it must be released.

    C: struct bpf_sock *bpf_sk_lookup_tcp(void *ctx, struct bpf_sock_tuple *tuple, u32 tuple_size, u64 netns, u64 flags)
    Linux 4.20, number 84.
    Hooks: xdp, tc, netkit, cgroup_skb, cgroup_sock_addr, sk_skb.
    """

def sk_lookup_udp(ctx: Any, tuple: Any, netns: u64, flags: u64 = 0) -> AbstractContextManager[Any]:
    """The UDP socket of an address pair in a network namespace, or None; it must be released.

    C: struct bpf_sock *bpf_sk_lookup_udp(void *ctx, struct bpf_sock_tuple *tuple, u32 tuple_size, u64 netns, u64 flags)
    Linux 4.20, number 85.
    Hooks: xdp, tc, netkit, cgroup_skb, cgroup_sock_addr, sk_skb.
    """

def sk_redirect_hash(skb: Any, map: Any, key: Any, flags: u64 = 0) -> i64:
    """Send the packet to a socket of a socket hash.

    C: long bpf_sk_redirect_hash(struct sk_buff *skb, struct bpf_map *map, void *key, u64 flags)
    Linux 4.18, number 72.
    Hooks: sk_skb.
    """

def sk_redirect_map(skb: Any, map: Any, key: u32, flags: u64 = 0) -> i64:
    """Send the packet to a socket of a socket map.

    C: long bpf_sk_redirect_map(struct sk_buff *skb, struct bpf_map *map, u32 key, u64 flags)
    Linux 4.14, number 52.
    Hooks: sk_skb.
    """

def sk_release(sock: Any) -> i64:
    """Give back a socket that a lookup gave.

    C: long bpf_sk_release(void *sock)
    Linux 4.20, number 86.
    Hooks: xdp, tc, netkit, cgroup_skb, cgroup_sock_addr, sk_skb, sk_lookup.
    """

def sk_select_reuseport(reuse: Any, map: Any, key: Any, flags: u64 = 0) -> i64:
    """Choose the socket that gets the packet from a map of sockets.

    C: long bpf_sk_select_reuseport(struct sk_reuseport_md *reuse, struct bpf_map *map, void *key, u64 flags)
    Linux 4.19, number 82.
    Hooks: sk_reuseport.
    """

def sk_storage_delete(map: Any, sk: Any) -> i64:
    """Give back the memory for a socket.

    C: long bpf_sk_storage_delete(struct bpf_map *map, void *sk)
    Linux 5.2, number 108.
    Hooks: btf_tracepoint, fentry, fexit, fsession, lsm, lsm_cgroup, iterator, struct_ops, tc, netkit, cgroup_skb, cgroup_sock_addr, cgroup_sockopt, sockops, sk_msg.
    """

def sk_storage_get(map: Any, sk: Any, value: Any, flags: u64 = 0) -> Any:
    """The program's own memory for a socket, or None.

    C: void *bpf_sk_storage_get(struct bpf_map *map, void *sk, void *value, u64 flags)
    Linux 5.2, number 107.
    Hooks: btf_tracepoint, fentry, fexit, fsession, lsm, lsm_cgroup, iterator, struct_ops, tc, netkit, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, sockops, sk_msg.
    """

def skb_adjust_room(skb: Any, len_diff: i32, mode: u32, flags: u64 = 0) -> i64:
    """Make or take room between the headers of the packet; mode: BPF_ADJ_ROOM_NET, BPF_ADJ_ROOM_MAC.

    C: long bpf_skb_adjust_room(struct sk_buff *skb, s32 len_diff, u32 mode, u64 flags)
    Linux 4.13, number 50.
    Hooks: tc, netkit, sk_skb.
    """

def skb_ancestor_cgroup_id(skb: Any, ancestor_level: i32) -> u64:
    """The id of an ancestor, at a depth, of the cgroup of the packet's socket.

    C: u64 bpf_skb_ancestor_cgroup_id(struct sk_buff *skb, int ancestor_level)
    Linux 4.19, number 83.
    Hooks: tc, netkit, cgroup_skb.
    """

def skb_cgroup_classid(skb: Any) -> u64:
    """The net_cls class of the packet's socket, for cgroup v1.

    C: u64 bpf_skb_cgroup_classid(struct sk_buff *skb)
    Linux 5.10, number 151.
    Hooks: tc, netkit.
    """

def skb_cgroup_id(skb: Any) -> u64:
    """The cgroup id of the packet's socket.

    C: u64 bpf_skb_cgroup_id(struct sk_buff *skb)
    Linux 4.18, number 79.
    Hooks: tc, netkit, cgroup_skb.
    """

def skb_change_head(skb: Any, len: u32, flags: u64 = 0) -> i64:
    """Make room in front of the packet.

    C: long bpf_skb_change_head(struct sk_buff *skb, u32 len, u64 flags)
    Linux 4.10, number 43.
    Hooks: tc, netkit, lwt_xmit, sk_skb.
    """

def skb_change_proto(skb: Any, proto: u16, flags: u64 = 0) -> i64:
    """Turn an IPv4 packet into an IPv6 packet or back; the header must be written anew.

    C: long bpf_skb_change_proto(struct sk_buff *skb, __be16 proto, u64 flags)
    Linux 4.8, number 31.
    Hooks: tc, netkit.
    """

def skb_change_tail(skb: Any, len: u32, flags: u64 = 0) -> i64:
    """Cut the packet, or make it longer, to a length.

    C: long bpf_skb_change_tail(struct sk_buff *skb, u32 len, u64 flags)
    Linux 4.9, number 38.
    Hooks: tc, netkit, lwt_xmit, sk_skb.
    """

def skb_change_type(skb: Any, type: u32) -> i64:
    """Change what the packet is for: PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST.

    C: long bpf_skb_change_type(struct sk_buff *skb, u32 type)
    Linux 4.8, number 32.
    Hooks: tc, netkit.
    """

def skb_ecn_set_ce(skb: Any) -> i64:
    """Mark the packet as having met congestion, if it takes such marks.

    C: long bpf_skb_ecn_set_ce(struct sk_buff *skb)
    Linux 5.1, number 97.
    Hooks: tc, netkit, cgroup_skb.
    """

def skb_get_tunnel_key(skb: Any, key: Any, flags: u64 = 0) -> i64:
    """What the tunnel said that the packet came by.

    C: long bpf_skb_get_tunnel_key(struct sk_buff *skb, struct bpf_tunnel_key *key, u32 size, u64 flags)
    Linux 4.3, number 20.
    Hooks: tc, netkit, lwt_xmit.
    """

def skb_get_tunnel_opt(skb: Any, opt: Any) -> i64:
    """The tunnel's options of the packet.

    C: long bpf_skb_get_tunnel_opt(struct sk_buff *skb, void *opt, u32 size)
    Linux 4.6, number 29.
    Hooks: tc, netkit, lwt_xmit.
    """

def skb_get_xfrm_state(skb: Any, index: u32, xfrm_state: Any, flags: u64 = 0) -> i64:
    """The IPsec state of the packet.

    C: long bpf_skb_get_xfrm_state(struct sk_buff *skb, u32 index, struct bpf_xfrm_state *xfrm_state, u32 size, u64 flags)
    Linux 4.18, number 66.
    Hooks: tc, netkit.
    """

def skb_load_bytes(skb: Any, offset: u32, to: Any) -> i64:
    """Copy bytes of the packet from an offset, wherever they lie.

    C: long bpf_skb_load_bytes(const void *skb, u32 offset, void *to, u32 len)
    Linux 4.5, number 26.
    Hooks: socket_filter, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, sk_skb, sk_reuseport, flow_dissector.
    """

def skb_load_bytes_relative(skb: Any, offset: u32, to: Any, start_header: u32) -> i64:
    """Copy bytes of the packet, from the start of its link or network header.

    C: long bpf_skb_load_bytes_relative(const void *skb, u32 offset, void *to, u32 len, u32 start_header)
    Linux 4.18, number 68.
    Hooks: socket_filter, tc, netkit, cgroup_skb, sk_reuseport.
    """

def skb_output(ctx: Any, map: Any, flags: u64, data: Any) -> i64:
    """Send bytes, and some of a kernel sk_buff, to user space through a perf event array.

    C: long bpf_skb_output(struct sk_buff *ctx, struct bpf_map *map, u64 flags, void *data, u64 size)
    Linux 5.5, number 111.
    Hooks: btf_tracepoint, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, syscall.
    """

def skb_pull_data(skb: Any, len: u32) -> i64:
    """Make the first bytes of the packet directly readable.

    C: long bpf_skb_pull_data(struct sk_buff *skb, u32 len)
    Linux 4.9, number 39.
    Hooks: tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, sk_skb.
    """

def skb_set_tstamp(skb: Any, tstamp: u64, tstamp_type: u32) -> i64:
    """Set the packet's time, and which clock it is of.

    C: long bpf_skb_set_tstamp(struct sk_buff *skb, u64 tstamp, u32 tstamp_type)
    Linux 5.18, number 192.
    Hooks: tc, netkit.
    """

def skb_set_tunnel_key(skb: Any, key: Any, flags: u64 = 0) -> i64:
    """Which tunnel the packet is to take.

    C: long bpf_skb_set_tunnel_key(struct sk_buff *skb, struct bpf_tunnel_key *key, u32 size, u64 flags)
    Linux 4.3, number 21.
    Hooks: tc, netkit, lwt_xmit.
    """

def skb_set_tunnel_opt(skb: Any, opt: Any) -> i64:
    """Set the tunnel's options of the packet.

    C: long bpf_skb_set_tunnel_opt(struct sk_buff *skb, void *opt, u32 size)
    Linux 4.6, number 30.
    Hooks: tc, netkit, lwt_xmit.
    """

def skb_store_bytes(skb: Any, offset: u32, from_: Any, flags: u64 = 0) -> i64:
    """Write bytes into the packet at an offset; flags: BPF_F_RECOMPUTE_CSUM, BPF_F_INVALIDATE_HASH.

    C: long bpf_skb_store_bytes(struct sk_buff *skb, u32 offset, const void *from, u32 len, u64 flags)
    Linux 4.1, number 9.
    Hooks: tc, netkit, lwt_xmit, sk_skb.
    """

def skb_under_cgroup(skb: Any, map: Any, index: u32) -> i64:
    """Whether the packet's socket is in (or below) a cgroup of a cgroup array.

    C: long bpf_skb_under_cgroup(struct sk_buff *skb, struct bpf_map *map, u32 index)
    Linux 4.8, number 33.
    Hooks: tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local.
    """

def skb_vlan_pop(skb: Any) -> i64:
    """Take the VLAN header off the packet.

    C: long bpf_skb_vlan_pop(struct sk_buff *skb)
    Linux 4.3, number 19.
    Hooks: tc, netkit.
    """

def skb_vlan_push(skb: Any, vlan_proto: u16, vlan_tci: u16) -> i64:
    """Put a VLAN header onto the packet.

    C: long bpf_skb_vlan_push(struct sk_buff *skb, __be16 vlan_proto, u16 vlan_tci)
    Linux 4.3, number 18.
    Hooks: tc, netkit.
    """

def skc_lookup_tcp(ctx: Any, tuple: Any, netns: u64, flags: u64 = 0) -> AbstractContextManager[Any]:
    """The TCP socket of an address pair, also a request or TIME_WAIT socket, or None; it must be released.

    C: struct bpf_sock *bpf_skc_lookup_tcp(void *ctx, struct bpf_sock_tuple *tuple, u32 tuple_size, u64 netns, u64 flags)
    Linux 5.2, number 99.
    Hooks: xdp, tc, netkit, cgroup_skb, cgroup_sock_addr, sk_skb.
    """

def skc_to_mptcp_sock(sk: Any) -> Any:
    """A socket as a Multipath TCP socket, or None.

    C: struct mptcp_sock *bpf_skc_to_mptcp_sock(void *sk)
    Linux 5.19, number 196.
    Hooks: btf_tracepoint, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, syscall, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock_addr, sockops, sk_skb, sk_msg, sk_lookup, flow_dissector.
    """

def skc_to_tcp6_sock(sk: Any) -> Any:
    """A socket as a TCP socket over IPv6, or None.

    C: struct tcp6_sock *bpf_skc_to_tcp6_sock(void *sk)
    Linux 5.9, number 136.
    Hooks: btf_tracepoint, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, syscall, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock_addr, sockops, sk_skb, sk_msg, sk_lookup, flow_dissector.
    """

def skc_to_tcp_request_sock(sk: Any) -> Any:
    """A socket as a connection request, or None.

    C: struct tcp_request_sock *bpf_skc_to_tcp_request_sock(void *sk)
    Linux 5.9, number 139.
    Hooks: btf_tracepoint, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, syscall, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock_addr, sockops, sk_skb, sk_msg, sk_lookup, flow_dissector.
    """

def skc_to_tcp_sock(sk: Any) -> Any:
    """A socket as a TCP socket, or None.

    C: struct tcp_sock *bpf_skc_to_tcp_sock(void *sk)
    Linux 5.9, number 137.
    Hooks: btf_tracepoint, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, syscall, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock_addr, sockops, sk_skb, sk_msg, sk_lookup, flow_dissector.
    """

def skc_to_tcp_timewait_sock(sk: Any) -> Any:
    """A socket as a TIME_WAIT socket, or None.

    C: struct tcp_timewait_sock *bpf_skc_to_tcp_timewait_sock(void *sk)
    Linux 5.9, number 138.
    Hooks: btf_tracepoint, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, syscall, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock_addr, sockops, sk_skb, sk_msg, sk_lookup, flow_dissector.
    """

def skc_to_udp6_sock(sk: Any) -> Any:
    """A socket as a UDP socket over IPv6, or None.

    C: struct udp6_sock *bpf_skc_to_udp6_sock(void *sk)
    Linux 5.9, number 140.
    Hooks: btf_tracepoint, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, syscall, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock_addr, sockops, sk_skb, sk_msg, sk_lookup, flow_dissector.
    """

def skc_to_unix_sock(sk: Any) -> Any:
    """A socket as a Unix socket, or None.

    C: struct unix_sock *bpf_skc_to_unix_sock(void *sk)
    Linux 5.16, number 178.
    Hooks: btf_tracepoint, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, syscall, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock_addr, sockops, sk_skb, sk_msg, sk_lookup, flow_dissector.
    """

def snprintf(str: Any, fmt: Any, data: Any) -> i64:
    """Write formatted text into memory.

    C: long bpf_snprintf(char *str, u32 str_size, const char *fmt, u64 *data, u32 data_len)
    Linux 5.13, number 165.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def snprintf_btf(str: Any, ptr: Any, flags: u64 = 0) -> i64:
    """Write a kernel object as text, by its type.

    C: long bpf_snprintf_btf(char *str, u32 str_size, struct btf_ptr *ptr, u32 btf_ptr_size, u64 flags)
    Linux 5.10, number 149.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def sock_from_file(file: Any) -> Any:
    """The socket behind a file, or None.

    C: struct socket *bpf_sock_from_file(struct file *file)
    Linux 5.11, number 162.
    Hooks: btf_tracepoint, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, syscall.
    """

def sock_hash_update(skops: Any, map: Any, key: Any, flags: u64 = 0) -> i64:
    """Put the socket into a socket hash under a key.

    C: long bpf_sock_hash_update(struct bpf_sock_ops *skops, struct bpf_map *map, void *key, u64 flags)
    Linux 4.18, number 70.
    Hooks: sockops.
    """

def sock_map_update(skops: Any, map: Any, key: Any, flags: u64 = 0) -> i64:
    """Put the socket into a socket map.

    C: long bpf_sock_map_update(struct bpf_sock_ops *skops, struct bpf_map *map, void *key, u64 flags)
    Linux 4.14, number 53.
    Hooks: sockops.
    """

def sock_ops_cb_flags_set(bpf_sock: Any, argval: i32) -> i64:
    """Which further events of this connection call the program: BPF_SOCK_OPS_..._CB_FLAG.

    C: long bpf_sock_ops_cb_flags_set(struct bpf_sock_ops *bpf_sock, int argval)
    Linux 4.16, number 59.
    Hooks: sockops.
    """

def spin_lock(lock: Any) -> None:
    """Take a lock that stands in a map value.

    C: long bpf_spin_lock(struct bpf_spin_lock *lock)
    Linux 5.1, number 93.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def spin_unlock(lock: Any) -> None:
    """Give back a lock.

    C: long bpf_spin_unlock(struct bpf_spin_lock *lock)
    Linux 5.1, number 94.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def store_hdr_opt(skops: Any, from_: Any, flags: u64 = 0) -> i64:
    """Write an option of the TCP header.

    C: long bpf_store_hdr_opt(struct bpf_sock_ops *skops, const void *from, u32 len, u64 flags)
    Linux 5.10, number 143.
    Hooks: sockops.
    """

def strncmp(s1: Any, s2: Any) -> i64:
    """Compare a text with one that is written out.

    C: long bpf_strncmp(const char *s1, u32 s1_sz, const char *s2)
    Linux 5.17, number 182.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def strtol(buf: Any, flags: u64, res: Any) -> i64:
    """The signed number at the start of a text; the result is how many bytes it took.

    C: long bpf_strtol(const char *buf, size_t buf_len, u64 flags, long *res)
    Linux 5.2, number 105.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def strtoul(buf: Any, flags: u64, res: Any) -> i64:
    """The unsigned number at the start of a text; the result is how many bytes it took.

    C: long bpf_strtoul(const char *buf, size_t buf_len, u64 flags, unsigned long *res)
    Linux 5.2, number 106.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def sys_bpf(cmd: u32, attr: Any) -> i64:
    """Make a bpf(2) call.

    C: long bpf_sys_bpf(u32 cmd, void *attr, u32 attr_size)
    Linux 5.14, number 166.
    For programs that may sleep.
    Hooks: syscall.
    """

def sys_close(fd: u32) -> i64:
    """Close a file descriptor.

    C: long bpf_sys_close(u32 fd)
    Linux 5.14, number 168.
    For programs that may sleep.
    Hooks: syscall.
    """

def sysctl_get_current_value(ctx: Any, buf: Any) -> i64:
    """The value that the sysctl has.

    C: long bpf_sysctl_get_current_value(struct bpf_sysctl *ctx, char *buf, size_t buf_len)
    Linux 5.2, number 102.
    Hooks: cgroup_sysctl.
    """

def sysctl_get_name(ctx: Any, buf: Any, flags: u64 = 0) -> i64:
    """The name of the sysctl, as a path; flags: BPF_F_SYSCTL_BASE_NAME.

    C: long bpf_sysctl_get_name(struct bpf_sysctl *ctx, char *buf, size_t buf_len, u64 flags)
    Linux 5.2, number 101.
    Hooks: cgroup_sysctl.
    """

def sysctl_get_new_value(ctx: Any, buf: Any) -> i64:
    """The value that is being written to the sysctl.

    C: long bpf_sysctl_get_new_value(struct bpf_sysctl *ctx, char *buf, size_t buf_len)
    Linux 5.2, number 103.
    Hooks: cgroup_sysctl.
    """

def sysctl_set_new_value(ctx: Any, buf: Any) -> i64:
    """Write another value to the sysctl instead.

    C: long bpf_sysctl_set_new_value(struct bpf_sysctl *ctx, const char *buf, size_t buf_len)
    Linux 5.2, number 104.
    Hooks: cgroup_sysctl.
    """

def tail_call(ctx: Any, prog_array_map: Any, index: u32) -> i64:
    """Go on in another program of a program array, never to return.

    C: long bpf_tail_call(void *ctx, struct bpf_map *prog_array_map, u32 index)
    Linux 4.2, number 12.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def task_pt_regs(task: Any) -> Any:
    """The user registers of a task.

    C: struct pt_regs *bpf_task_pt_regs(struct task_struct *task)
    Linux 5.15, number 175.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def task_storage_delete(map: Any, task: Any) -> i64:
    """Give back the memory for a task.

    C: long bpf_task_storage_delete(struct bpf_map *map, struct task_struct *task)
    Linux 5.11, number 157.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def task_storage_get(map: Any, task: Any, value: Any, flags: u64 = 0) -> Any:
    """The program's own memory for a task, or None.

    C: void *bpf_task_storage_get(struct bpf_map *map, struct task_struct *task, void *value, u64 flags)
    Linux 5.11, number 156.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def tcp_check_syncookie(sk: Any, iph: Any, th: Any) -> i64:
    """Whether a packet carries a valid SYN cookie for a listening socket.

    C: long bpf_tcp_check_syncookie(void *sk, void *iph, u32 iph_len, struct tcphdr *th, u32 th_len)
    Linux 5.2, number 100.
    For programs under a licence that is compatible with the GPL.
    Hooks: xdp, tc, netkit.
    """

def tcp_gen_syncookie(sk: Any, iph: Any, th: Any) -> i64:
    """A SYN cookie for a packet to a listening socket.

    C: s64 bpf_tcp_gen_syncookie(void *sk, void *iph, u32 iph_len, struct tcphdr *th, u32 th_len)
    Linux 5.3, number 110.
    For programs under a licence that is compatible with the GPL.
    Hooks: xdp, tc, netkit.
    """

def tcp_raw_check_syncookie_ipv4(iph: Any, th: Any) -> i64:
    """Whether an IPv4 packet carries a valid SYN cookie.

    C: long bpf_tcp_raw_check_syncookie_ipv4(struct iphdr *iph, struct tcphdr *th)
    Linux 6.0, number 206.
    For programs under a licence that is compatible with the GPL.
    Hooks: xdp, tc, netkit.
    """

def tcp_raw_check_syncookie_ipv6(iph: Any, th: Any) -> i64:
    """Whether an IPv6 packet carries a valid SYN cookie.

    C: long bpf_tcp_raw_check_syncookie_ipv6(struct ipv6hdr *iph, struct tcphdr *th)
    Linux 6.0, number 207.
    For programs under a licence that is compatible with the GPL.
    Hooks: xdp, tc, netkit.
    """

def tcp_raw_gen_syncookie_ipv4(iph: Any, th: Any) -> i64:
    """A SYN cookie for an IPv4 packet, without a socket.

    C: s64 bpf_tcp_raw_gen_syncookie_ipv4(struct iphdr *iph, struct tcphdr *th, u32 th_len)
    Linux 6.0, number 204.
    For programs under a licence that is compatible with the GPL.
    Hooks: xdp, tc, netkit.
    """

def tcp_raw_gen_syncookie_ipv6(iph: Any, th: Any) -> i64:
    """A SYN cookie for an IPv6 packet, without a socket.

    C: s64 bpf_tcp_raw_gen_syncookie_ipv6(struct ipv6hdr *iph, struct tcphdr *th, u32 th_len)
    Linux 6.0, number 205.
    For programs under a licence that is compatible with the GPL.
    Hooks: xdp, tc, netkit.
    """

def tcp_send_ack(tp: Any, rcv_nxt: u32) -> i64:
    """Send an acknowledgement of a TCP connection.

    C: long bpf_tcp_send_ack(void *tp, u32 rcv_nxt)
    Linux 5.5, number 116.
    Hooks: struct_ops.
    """

def tcp_sock(sk: Any) -> Any:
    """The TCP part of a socket, or None.

    C: struct bpf_tcp_sock *bpf_tcp_sock(struct bpf_sock *sk)
    Linux 5.1, number 96.
    Hooks: tc, netkit, cgroup_skb, cgroup_sockopt, sockops.
    """

def this_cpu_ptr(percpu_ptr: Any) -> Any:
    """The variable of this CPU.

    C: void *bpf_this_cpu_ptr(const void *percpu_ptr)
    Linux 5.10, number 154.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def timer_cancel(timer: Any) -> i64:
    """Stop a timer, and wait for its function.

    C: long bpf_timer_cancel(struct bpf_timer *timer)
    Linux 5.15, number 172.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def timer_init(timer: Any, map: Any, flags: u64 = 0) -> i64:
    """Make a timer that stands in a map value ready.

    C: long bpf_timer_init(struct bpf_timer *timer, struct bpf_map *map, u64 flags)
    Linux 5.15, number 169.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def timer_set_callback(timer: Any, callback_fn: Any) -> i64:
    """Which function a timer calls.

    C: long bpf_timer_set_callback(struct bpf_timer *timer, void *callback_fn)
    Linux 5.15, number 170.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def timer_start(timer: Any, nsecs: u64, flags: u64 = 0) -> i64:
    """Let a timer run out after so many nanoseconds.

    C: long bpf_timer_start(struct bpf_timer *timer, u64 nsecs, u64 flags)
    Linux 5.15, number 171.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def trace_printk(fmt: Any) -> i64:
    """Write a line to the kernel's trace pipe, for finding mistakes.

    C: long bpf_trace_printk(const char *fmt, u32 fmt_size)
    Linux 4.1, number 6.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def trace_vprintk(fmt: Any, data: Any) -> i64:
    """Write a line to the kernel's trace pipe, with more than three values.

    C: long bpf_trace_vprintk(const char *fmt, u32 fmt_size, const void *data, u32 data_len)
    Linux 5.16, number 177.
    For programs under a licence that is compatible with the GPL.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def user_ringbuf_drain(map: Any, callback_fn: Any, ctx: Any, flags: u64 = 0) -> i64:
    """Call a function for each record that user space put into a ring.

    C: long bpf_user_ringbuf_drain(struct bpf_map *map, void *callback_fn, void *ctx, u64 flags)
    Linux 6.1, number 209.
    Hooks: tracepoint, raw_tracepoint, btf_tracepoint, kprobe, kretprobe, kprobe_multi, kretprobe_multi, kprobe_session, ksyscall, kretsyscall, uprobe, uretprobe, uprobe_multi, uretprobe_multi, uprobe_session, usdt, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, perf_event, syscall, struct_ops, socket_filter, xdp, tc, netkit, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, cgroup_skb, cgroup_sock, cgroup_sock_addr, cgroup_sockopt, cgroup_sysctl, cgroup_device, sockops, sk_skb, sk_msg, sk_reuseport, sk_lookup, flow_dissector, netfilter.
    """

def xdp_adjust_head(xdp_md: Any, delta: i32) -> i64:
    """Move the start of the packet: negative makes room for headers.

    C: long bpf_xdp_adjust_head(struct xdp_buff *xdp_md, int delta)
    Linux 4.10, number 44.
    Hooks: xdp.
    """

def xdp_adjust_meta(xdp_md: Any, delta: i32) -> i64:
    """Move the start of the metadata in front of the packet.

    C: long bpf_xdp_adjust_meta(struct xdp_buff *xdp_md, int delta)
    Linux 4.15, number 54.
    Hooks: xdp.
    """

def xdp_adjust_tail(xdp_md: Any, delta: i32) -> i64:
    """Move the end of the packet: negative cuts it.

    C: long bpf_xdp_adjust_tail(struct xdp_buff *xdp_md, int delta)
    Linux 4.18, number 65.
    Hooks: xdp.
    """

def xdp_get_buff_len(xdp_md: Any) -> u64:
    """The length of the whole packet, with its further pieces.

    C: u64 bpf_xdp_get_buff_len(struct xdp_buff *xdp_md)
    Linux 5.18, number 188.
    Hooks: btf_tracepoint, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, syscall, xdp.
    """

def xdp_load_bytes(xdp_md: Any, offset: u32, buf: Any) -> i64:
    """Copy bytes of the packet from an offset, wherever they lie.

    C: long bpf_xdp_load_bytes(struct xdp_buff *xdp_md, u32 offset, void *buf, u32 len)
    Linux 5.18, number 189.
    Hooks: xdp.
    """

def xdp_output(ctx: Any, map: Any, flags: u64, data: Any) -> i64:
    """Send bytes, and some of a kernel xdp_buff, to user space through a perf event array.

    C: long bpf_xdp_output(struct xdp_buff *ctx, struct bpf_map *map, u64 flags, void *data, u64 size)
    Linux 5.6, number 121.
    Hooks: btf_tracepoint, fentry, fexit, fmod_ret, fsession, fentry_multi, fexit_multi, fsession_multi, lsm, lsm_cgroup, iterator, syscall.
    """

def xdp_store_bytes(xdp_md: Any, offset: u32, buf: Any) -> i64:
    """Write bytes into the packet at an offset, wherever they lie.

    C: long bpf_xdp_store_bytes(struct xdp_buff *xdp_md, u32 offset, void *buf, u32 len)
    Linux 5.18, number 190.
    Hooks: xdp.
    """

# --- functions of the kernel -------------------------------------------------------------------

def bbr_cwnd_event(sk: Any, event: int) -> None:
    """C: void bbr_cwnd_event(struct sock * sk, enum tcp_ca_event event)"""

def bbr_init(sk: Any) -> None:
    """C: void bbr_init(struct sock * sk)"""

def bbr_main(sk: Any, ack: u32, flag: i32, rs: Any) -> None:
    """C: void bbr_main(struct sock * sk, u32 ack, int flag, const struct rate_sample * rs)"""

def bbr_min_tso_segs(sk: Any) -> u32:
    """C: u32 bbr_min_tso_segs(struct sock * sk)"""

def bbr_set_state(sk: Any, new_state: u8) -> None:
    """C: void bbr_set_state(struct sock * sk, u8 new_state)"""

def bbr_sndbuf_expand(sk: Any) -> u32:
    """C: u32 bbr_sndbuf_expand(struct sock * sk)"""

def bbr_ssthresh(sk: Any) -> u32:
    """C: u32 bbr_ssthresh(struct sock * sk)"""

def bbr_undo_cwnd(sk: Any) -> u32:
    """C: u32 bbr_undo_cwnd(struct sock * sk)"""

def arena_alloc_pages(p: Any, addr: Any, page_cnt: u32, node_id: i32, flags: u64 = 0) -> Any:
    """C: void * bpf_arena_alloc_pages(void * p__map, void * addr__ign, u32 page_cnt, int node_id, u64 flags)"""

def arena_free_pages(p: Any, ptr: Any, page_cnt: u32) -> None:
    """C: void bpf_arena_free_pages(void * p__map, void * ptr__ign, u32 page_cnt)"""

def arena_reserve_pages(p: Any, ptr: Any, page_cnt: u32) -> i32:
    """C: int bpf_arena_reserve_pages(void * p__map, void * ptr__ign, u32 page_cnt)"""

def cast_to_kern_ctx(obj: Any) -> Any:
    """C: void * bpf_cast_to_kern_ctx(void * obj)"""

def cgroup_acquire(cgrp: Any) -> AbstractContextManager[Any]:
    """C: struct cgroup * bpf_cgroup_acquire(struct cgroup * cgrp)"""

def cgroup_ancestor(cgrp: Any, level: i32) -> AbstractContextManager[Any]:
    """C: struct cgroup * bpf_cgroup_ancestor(struct cgroup * cgrp, int level)"""

def cgroup_from_id(cgid: u64) -> AbstractContextManager[Any]:
    """C: struct cgroup * bpf_cgroup_from_id(u64 cgid)"""

def cgroup_read_xattr(cgroup: Any, name: Any, value_p: Any) -> i32:
    """C: int bpf_cgroup_read_xattr(struct cgroup * cgroup, const char * name__str, struct bpf_dynptr * value_p)"""

def cgroup_release(cgrp: Any) -> None:
    """C: void bpf_cgroup_release(struct cgroup * cgrp)"""

def copy_from_user_dynptr(dptr: Any, off: u64, size: u64, unsafe_ptr: Any) -> i32:
    """C: int bpf_copy_from_user_dynptr(const struct bpf_dynptr * dptr, u64 off, u64 size, const void * unsafe_ptr__ign)"""

def copy_from_user_str(dst: Any, unsafe_ptr: Any, flags: u64 = 0) -> i32:
    """C: int bpf_copy_from_user_str(void * dst, u32 dst__sz, const void * unsafe_ptr__ign, u64 flags)"""

def copy_from_user_str_dynptr(dptr: Any, off: u64, size: u64, unsafe_ptr: Any) -> i32:
    """C: int bpf_copy_from_user_str_dynptr(const struct bpf_dynptr * dptr, u64 off, u64 size, const void * unsafe_ptr__ign)"""

def copy_from_user_task_dynptr(dptr: Any, off: u64, size: u64, unsafe_ptr: Any, tsk: Any) -> i32:
    """C: int bpf_copy_from_user_task_dynptr(const struct bpf_dynptr * dptr, u64 off, u64 size, const void * unsafe_ptr__ign, struct task_struct * tsk)"""

def copy_from_user_task_str(dst: Any, unsafe_ptr: Any, tsk: Any, flags: u64 = 0) -> i32:
    """C: int bpf_copy_from_user_task_str(void * dst, u32 dst__sz, const void * unsafe_ptr__ign, struct task_struct * tsk, u64 flags)"""

def copy_from_user_task_str_dynptr(dptr: Any, off: u64, size: u64, unsafe_ptr: Any, tsk: Any) -> i32:
    """C: int bpf_copy_from_user_task_str_dynptr(const struct bpf_dynptr * dptr, u64 off, u64 size, const void * unsafe_ptr__ign, struct task_struct * tsk)"""

def cpumask_acquire(cpumask: Any) -> AbstractContextManager[Any]:
    """C: struct bpf_cpumask * bpf_cpumask_acquire(struct bpf_cpumask * cpumask)"""

def cpumask_and(dst: Any, src1: Any, src2: Any) -> bool:
    """C: bool bpf_cpumask_and(struct bpf_cpumask * dst, const struct cpumask * src1, const struct cpumask * src2)"""

def cpumask_any_and_distribute(src1: Any, src2: Any) -> u32:
    """C: u32 bpf_cpumask_any_and_distribute(const struct cpumask * src1, const struct cpumask * src2)"""

def cpumask_any_distribute(cpumask: Any) -> u32:
    """C: u32 bpf_cpumask_any_distribute(const struct cpumask * cpumask)"""

def cpumask_clear(cpumask: Any) -> None:
    """C: void bpf_cpumask_clear(struct bpf_cpumask * cpumask)"""

def cpumask_clear_cpu(cpu: u32, cpumask: Any) -> None:
    """C: void bpf_cpumask_clear_cpu(u32 cpu, struct bpf_cpumask * cpumask)"""

def cpumask_copy(dst: Any, src: Any) -> None:
    """C: void bpf_cpumask_copy(struct bpf_cpumask * dst, const struct cpumask * src)"""

def cpumask_create() -> AbstractContextManager[Any]:
    """C: struct bpf_cpumask * bpf_cpumask_create()"""

def cpumask_empty(cpumask: Any) -> bool:
    """C: bool bpf_cpumask_empty(const struct cpumask * cpumask)"""

def cpumask_equal(src1: Any, src2: Any) -> bool:
    """C: bool bpf_cpumask_equal(const struct cpumask * src1, const struct cpumask * src2)"""

def cpumask_first(cpumask: Any) -> u32:
    """C: u32 bpf_cpumask_first(const struct cpumask * cpumask)"""

def cpumask_first_and(src1: Any, src2: Any) -> u32:
    """C: u32 bpf_cpumask_first_and(const struct cpumask * src1, const struct cpumask * src2)"""

def cpumask_first_zero(cpumask: Any) -> u32:
    """C: u32 bpf_cpumask_first_zero(const struct cpumask * cpumask)"""

def cpumask_full(cpumask: Any) -> bool:
    """C: bool bpf_cpumask_full(const struct cpumask * cpumask)"""

def cpumask_intersects(src1: Any, src2: Any) -> bool:
    """C: bool bpf_cpumask_intersects(const struct cpumask * src1, const struct cpumask * src2)"""

def cpumask_or(dst: Any, src1: Any, src2: Any) -> None:
    """C: void bpf_cpumask_or(struct bpf_cpumask * dst, const struct cpumask * src1, const struct cpumask * src2)"""

def cpumask_populate(cpumask: Any, src: Any) -> i32:
    """C: int bpf_cpumask_populate(struct bpf_cpumask * cpumask, void * src, size_t src__sz)"""

def cpumask_release(cpumask: Any) -> None:
    """C: void bpf_cpumask_release(struct bpf_cpumask * cpumask)"""

def cpumask_set_cpu(cpu: u32, cpumask: Any) -> None:
    """C: void bpf_cpumask_set_cpu(u32 cpu, struct bpf_cpumask * cpumask)"""

def cpumask_setall(cpumask: Any) -> None:
    """C: void bpf_cpumask_setall(struct bpf_cpumask * cpumask)"""

def cpumask_subset(src1: Any, src2: Any) -> bool:
    """C: bool bpf_cpumask_subset(const struct cpumask * src1, const struct cpumask * src2)"""

def cpumask_test_and_clear_cpu(cpu: u32, cpumask: Any) -> bool:
    """C: bool bpf_cpumask_test_and_clear_cpu(u32 cpu, struct bpf_cpumask * cpumask)"""

def cpumask_test_and_set_cpu(cpu: u32, cpumask: Any) -> bool:
    """C: bool bpf_cpumask_test_and_set_cpu(u32 cpu, struct bpf_cpumask * cpumask)"""

def cpumask_test_cpu(cpu: u32, cpumask: Any) -> bool:
    """C: bool bpf_cpumask_test_cpu(u32 cpu, const struct cpumask * cpumask)"""

def cpumask_weight(cpumask: Any) -> u32:
    """C: u32 bpf_cpumask_weight(const struct cpumask * cpumask)"""

def cpumask_xor(dst: Any, src1: Any, src2: Any) -> None:
    """C: void bpf_cpumask_xor(struct bpf_cpumask * dst, const struct cpumask * src1, const struct cpumask * src2)"""

def crypto_ctx_acquire(ctx: Any) -> AbstractContextManager[Any]:
    """C: struct bpf_crypto_ctx * bpf_crypto_ctx_acquire(struct bpf_crypto_ctx * ctx)"""

def crypto_ctx_create(params: Any, err: Any) -> AbstractContextManager[Any]:
    """C: struct bpf_crypto_ctx * bpf_crypto_ctx_create(const struct bpf_crypto_params * params, u32 params__sz, int * err)"""

def crypto_ctx_release(ctx: Any) -> None:
    """C: void bpf_crypto_ctx_release(struct bpf_crypto_ctx * ctx)"""

def crypto_decrypt(ctx: Any, src: Any, dst: Any, siv: Any) -> i32:
    """C: int bpf_crypto_decrypt(struct bpf_crypto_ctx * ctx, const struct bpf_dynptr * src, const struct bpf_dynptr * dst, const struct bpf_dynptr * siv__nullable)"""

def crypto_encrypt(ctx: Any, src: Any, dst: Any, siv: Any) -> i32:
    """C: int bpf_crypto_encrypt(struct bpf_crypto_ctx * ctx, const struct bpf_dynptr * src, const struct bpf_dynptr * dst, const struct bpf_dynptr * siv__nullable)"""

def ct_change_status(nfct: Any, status: u32) -> i32:
    """C: int bpf_ct_change_status(struct nf_conn * nfct, u32 status)"""

def ct_change_timeout(nfct: Any, timeout: u32) -> i32:
    """C: int bpf_ct_change_timeout(struct nf_conn * nfct, u32 timeout)"""

def ct_insert_entry(nfct_i: Any) -> Any:
    """C: struct nf_conn * bpf_ct_insert_entry(struct nf_conn___init * nfct_i)"""

def ct_release(nfct: Any) -> None:
    """C: void bpf_ct_release(struct nf_conn * nfct)"""

def ct_set_nat_info(nfct: Any, addr: Any, port: i32, manip: int) -> i32:
    """C: int bpf_ct_set_nat_info(struct nf_conn___init * nfct, union nf_inet_addr * addr, int port, enum nf_nat_manip_type manip)"""

def ct_set_status(nfct: Any, status: u32) -> i32:
    """C: int bpf_ct_set_status(const struct nf_conn___init * nfct, u32 status)"""

def ct_set_timeout(nfct: Any, timeout: u32) -> None:
    """C: void bpf_ct_set_timeout(struct nf_conn___init * nfct, u32 timeout)"""

def dynptr_adjust(p: Any, start: u64, end: u64) -> i32:
    """C: int bpf_dynptr_adjust(struct bpf_dynptr * p, u64 start, u64 end)"""

def dynptr_clone(p: Any, clone: Any) -> i32:
    """C: int bpf_dynptr_clone(const struct bpf_dynptr * p, struct bpf_dynptr * clone__uninit)"""

def dynptr_copy(dst_ptr: Any, dst_off: u64, src_ptr: Any, src_off: u64, size: u64) -> i32:
    """C: int bpf_dynptr_copy(const struct bpf_dynptr * dst_ptr, u64 dst_off, const struct bpf_dynptr * src_ptr, u64 src_off, u64 size)"""

def dynptr_file_discard(dynptr: Any) -> i32:
    """C: int bpf_dynptr_file_discard(struct bpf_dynptr * dynptr)"""

def dynptr_from_file(file: Any, flags: u32, ptr: Any) -> i32:
    """C: int bpf_dynptr_from_file(struct file * file, u32 flags, struct bpf_dynptr * ptr__uninit)"""

def dynptr_from_skb(s: Any, flags: u64, ptr: Any) -> i32:
    """C: int bpf_dynptr_from_skb(struct __sk_buff * s, u64 flags, struct bpf_dynptr * ptr__uninit)"""

def dynptr_from_skb_meta(skb_: Any, flags: u64, ptr: Any) -> i32:
    """C: int bpf_dynptr_from_skb_meta(struct __sk_buff * skb_, u64 flags, struct bpf_dynptr * ptr__uninit)"""

def dynptr_from_xdp(x: Any, flags: u64, ptr: Any) -> i32:
    """C: int bpf_dynptr_from_xdp(struct xdp_md * x, u64 flags, struct bpf_dynptr * ptr__uninit)"""

def dynptr_is_null(p: Any) -> bool:
    """C: bool bpf_dynptr_is_null(const struct bpf_dynptr * p)"""

def dynptr_is_rdonly(p: Any) -> bool:
    """C: bool bpf_dynptr_is_rdonly(const struct bpf_dynptr * p)"""

def dynptr_memset(p: Any, offset: u64, size: u64, val: u8) -> i32:
    """C: int bpf_dynptr_memset(const struct bpf_dynptr * p, u64 offset, u64 size, u8 val)"""

def dynptr_size(p: Any) -> u64:
    """C: u64 bpf_dynptr_size(const struct bpf_dynptr * p)"""

def dynptr_slice(p: Any, offset: u64, buffer: Any) -> Any:
    """C: void * bpf_dynptr_slice(const struct bpf_dynptr * p, u64 offset, void * buffer__nullable, u64 buffer__szk)"""

def dynptr_slice_rdwr(p: Any, offset: u64, buffer: Any) -> Any:
    """C: void * bpf_dynptr_slice_rdwr(const struct bpf_dynptr * p, u64 offset, void * buffer__nullable, u64 buffer__szk)"""

def fentry_test1(a: i32) -> i32:
    """C: int bpf_fentry_test1(int a)"""

def get_dentry_xattr(dentry: Any, name: Any, value_p: Any) -> i32:
    """C: int bpf_get_dentry_xattr(struct dentry * dentry, const char * name__str, struct bpf_dynptr * value_p)"""

def get_file_xattr(file: Any, name: Any, value_p: Any) -> i32:
    """C: int bpf_get_file_xattr(struct file * file, const char * name__str, struct bpf_dynptr * value_p)"""

def get_fsverity_digest(file: Any, digest_p: Any) -> i32:
    """C: int bpf_get_fsverity_digest(struct file * file, const struct bpf_dynptr * digest_p)"""

def get_kmem_cache(addr: u64) -> Any:
    """C: struct kmem_cache * bpf_get_kmem_cache(u64 addr)"""

def get_mem_cgroup(css: Any) -> AbstractContextManager[Any]:
    """C: struct mem_cgroup * bpf_get_mem_cgroup(struct cgroup_subsys_state * css)"""

def get_root_mem_cgroup() -> AbstractContextManager[Any]:
    """C: struct mem_cgroup * bpf_get_root_mem_cgroup()"""

def get_task_exe_file(task: Any) -> AbstractContextManager[Any]:
    """C: struct file * bpf_get_task_exe_file(struct task_struct * task)"""

def icmp_send(skb_ctx: Any, type: i32, code: i32) -> i32:
    """C: int bpf_icmp_send(struct __sk_buff * skb_ctx, int type, int code)"""

def io_uring_get_region(loop_ctx: Any, region_id: u32, rdwr_buf_size: Any) -> Any:
    """C: __u8 * bpf_io_uring_get_region(struct iou_ctx * loop_ctx, __u32 region_id, const size_t rdwr_buf_size)"""

def io_uring_submit_sqes(loop_ctx: Any, nr: u32) -> i32:
    """C: int bpf_io_uring_submit_sqes(struct iou_ctx * loop_ctx, u32 nr)"""

def iter_bits_destroy(it: Any) -> None:
    """C: void bpf_iter_bits_destroy(struct bpf_iter_bits * it)"""

def iter_bits_new(it: Any, unsafe_ptr: Any, nr_words: u32) -> i32:
    """C: int bpf_iter_bits_new(struct bpf_iter_bits * it, const u64 * unsafe_ptr__ign, u32 nr_words)"""

def iter_bits_next(it: Any) -> Any:
    """C: int * bpf_iter_bits_next(struct bpf_iter_bits * it)"""

def iter_css_destroy(it: Any) -> None:
    """C: void bpf_iter_css_destroy(struct bpf_iter_css * it)"""

def iter_css_new(it: Any, start: Any, flags: u32 = 0) -> i32:
    """C: int bpf_iter_css_new(struct bpf_iter_css * it, struct cgroup_subsys_state * start, unsigned int flags)"""

def iter_css_next(it: Any) -> Any:
    """C: struct cgroup_subsys_state * bpf_iter_css_next(struct bpf_iter_css * it)"""

def iter_css_task_destroy(it: Any) -> None:
    """C: void bpf_iter_css_task_destroy(struct bpf_iter_css_task * it)"""

def iter_css_task_new(it: Any, css: Any, flags: u32 = 0) -> i32:
    """C: int bpf_iter_css_task_new(struct bpf_iter_css_task * it, struct cgroup_subsys_state * css, unsigned int flags)"""

def iter_css_task_next(it: Any) -> Any:
    """C: struct task_struct * bpf_iter_css_task_next(struct bpf_iter_css_task * it)"""

def iter_dmabuf_destroy(it: Any) -> None:
    """C: void bpf_iter_dmabuf_destroy(struct bpf_iter_dmabuf * it)"""

def iter_dmabuf_new(it: Any) -> i32:
    """C: int bpf_iter_dmabuf_new(struct bpf_iter_dmabuf * it)"""

def iter_dmabuf_next(it: Any) -> Any:
    """C: struct dma_buf * bpf_iter_dmabuf_next(struct bpf_iter_dmabuf * it)"""

def iter_kmem_cache_destroy(it: Any) -> None:
    """C: void bpf_iter_kmem_cache_destroy(struct bpf_iter_kmem_cache * it)"""

def iter_kmem_cache_new(it: Any) -> i32:
    """C: int bpf_iter_kmem_cache_new(struct bpf_iter_kmem_cache * it)"""

def iter_kmem_cache_next(it: Any) -> Any:
    """C: struct kmem_cache * bpf_iter_kmem_cache_next(struct bpf_iter_kmem_cache * it)"""

def iter_num_destroy(it: Any) -> None:
    """C: void bpf_iter_num_destroy(struct bpf_iter_num * it)"""

def iter_num_new(it: Any, start: i32, end: i32) -> i32:
    """C: int bpf_iter_num_new(struct bpf_iter_num * it, int start, int end)"""

def iter_num_next(it: Any) -> Any:
    """C: int * bpf_iter_num_next(struct bpf_iter_num * it)"""

def iter_scx_dsq_destroy(it: Any) -> None:
    """C: void bpf_iter_scx_dsq_destroy(struct bpf_iter_scx_dsq * it)"""

def iter_scx_dsq_new(it: Any, dsq_id: u64, flags: u64 = 0) -> i32:
    """C: int bpf_iter_scx_dsq_new(struct bpf_iter_scx_dsq * it, u64 dsq_id, u64 flags)"""

def iter_scx_dsq_next(it: Any) -> Any:
    """C: struct task_struct * bpf_iter_scx_dsq_next(struct bpf_iter_scx_dsq * it)"""

def iter_task_destroy(it: Any) -> None:
    """C: void bpf_iter_task_destroy(struct bpf_iter_task * it)"""

def iter_task_new(it: Any, task: Any, flags: u32 = 0) -> i32:
    """C: int bpf_iter_task_new(struct bpf_iter_task * it, struct task_struct * task__nullable, unsigned int flags)"""

def iter_task_next(it: Any) -> Any:
    """C: struct task_struct * bpf_iter_task_next(struct bpf_iter_task * it)"""

def iter_task_vma_destroy(it: Any) -> None:
    """C: void bpf_iter_task_vma_destroy(struct bpf_iter_task_vma * it)"""

def iter_task_vma_new(it: Any, task: Any, addr: u64) -> i32:
    """C: int bpf_iter_task_vma_new(struct bpf_iter_task_vma * it, struct task_struct * task, u64 addr)"""

def iter_task_vma_next(it: Any) -> Any:
    """C: struct vm_area_struct * bpf_iter_task_vma_next(struct bpf_iter_task_vma * it)"""

def key_put(bkey: Any) -> None:
    """C: void bpf_key_put(struct bpf_key * bkey)"""

def kfree_skb(skb: Any) -> None:
    """C: void bpf_kfree_skb(struct sk_buff * skb)"""

def kfunc_call_memb_release(p: Any) -> None:
    """C: void bpf_kfunc_call_memb_release(struct prog_test_member * p)"""

def kfunc_call_test_release(p: Any) -> None:
    """C: void bpf_kfunc_call_test_release(struct prog_test_ref_kfunc * p)"""

def ksock_acquire(ks: Any) -> AbstractContextManager[Any]:
    """C: struct bpf_ksock * bpf_ksock_acquire(struct bpf_ksock * ks)"""

def ksock_connect(ks: Any, addr: Any) -> i32:
    """C: int bpf_ksock_connect(struct bpf_ksock * ks, const union bpf_ksock_addr * addr, u32 addr__sz)"""

def ksock_create(opts: Any, err: Any) -> AbstractContextManager[Any]:
    """C: struct bpf_ksock * bpf_ksock_create(const struct bpf_ksock_create_opts * opts, u32 opts__sz, int * err__uninit)"""

def ksock_release(ks: Any) -> None:
    """C: void bpf_ksock_release(struct bpf_ksock * ks)"""

def ksock_send(ks: Any, data: Any) -> i32:
    """C: int bpf_ksock_send(struct bpf_ksock * ks, const void * data, u32 data__sz)"""

def list_add(head: Any, new: Any, prev: Any) -> i32:
    """C: int bpf_list_add(struct bpf_list_head * head, struct bpf_list_node * new, struct bpf_list_node * prev__nonown_allowed)"""

def list_back(head: Any) -> Any:
    """C: struct bpf_list_node * bpf_list_back(struct bpf_list_head * head)"""

def list_del(head: Any, node: Any) -> Any:
    """C: struct bpf_list_node * bpf_list_del(struct bpf_list_head * head, struct bpf_list_node * node__nonown_allowed)"""

def list_empty(head: Any) -> bool:
    """C: bool bpf_list_empty(struct bpf_list_head * head)"""

def list_front(head: Any) -> Any:
    """C: struct bpf_list_node * bpf_list_front(struct bpf_list_head * head)"""

def list_is_first(head: Any, node: Any) -> bool:
    """C: bool bpf_list_is_first(struct bpf_list_head * head, struct bpf_list_node * node__nonown_allowed)"""

def list_is_last(head: Any, node: Any) -> bool:
    """C: bool bpf_list_is_last(struct bpf_list_head * head, struct bpf_list_node * node__nonown_allowed)"""

def list_pop_back(head: Any) -> Any:
    """C: struct bpf_list_node * bpf_list_pop_back(struct bpf_list_head * head)"""

def list_pop_front(head: Any) -> Any:
    """C: struct bpf_list_node * bpf_list_pop_front(struct bpf_list_head * head)"""

def list_push_back(head: Any, node: Any) -> i32:
    """C: int bpf_list_push_back(struct bpf_list_head * head, struct bpf_list_node * node)"""

def list_push_back_impl(head: Any, node: Any, off: u64) -> i32:
    """C: int bpf_list_push_back_impl(struct bpf_list_head * head, struct bpf_list_node * node, void * meta__ign, u64 off)"""

def list_push_front(head: Any, node: Any) -> i32:
    """C: int bpf_list_push_front(struct bpf_list_head * head, struct bpf_list_node * node)"""

def list_push_front_impl(head: Any, node: Any, off: u64) -> i32:
    """C: int bpf_list_push_front_impl(struct bpf_list_head * head, struct bpf_list_node * node, void * meta__ign, u64 off)"""

def local_irq_restore(flags: Any = 0) -> None:
    """C: void bpf_local_irq_restore(long unsigned int * flags__irq_flag)"""

def local_irq_save(flags: Any = 0) -> None:
    """C: void bpf_local_irq_save(long unsigned int * flags__irq_flag)"""

def lookup_system_key(id: u64) -> AbstractContextManager[Any]:
    """C: struct bpf_key * bpf_lookup_system_key(u64 id)"""

def lookup_user_key(serial: i32, flags: u64 = 0) -> AbstractContextManager[Any]:
    """C: struct bpf_key * bpf_lookup_user_key(s32 serial, u64 flags)"""

def map_sum_elem_count(map: Any) -> i64:
    """C: s64 bpf_map_sum_elem_count(const struct bpf_map * map)"""

def mem_cgroup_flush_stats(memcg: Any) -> None:
    """C: void bpf_mem_cgroup_flush_stats(struct mem_cgroup * memcg)"""

def mem_cgroup_memory_events(memcg: Any, event: int) -> u64:
    """C: long unsigned int bpf_mem_cgroup_memory_events(struct mem_cgroup * memcg, enum memcg_memory_event event)"""

def mem_cgroup_page_state(memcg: Any, idx: i32) -> u64:
    """C: long unsigned int bpf_mem_cgroup_page_state(struct mem_cgroup * memcg, int idx)"""

def mem_cgroup_usage(memcg: Any) -> u64:
    """C: long unsigned int bpf_mem_cgroup_usage(struct mem_cgroup * memcg)"""

def mem_cgroup_vm_events(memcg: Any, event: int) -> u64:
    """C: long unsigned int bpf_mem_cgroup_vm_events(struct mem_cgroup * memcg, enum vm_event_item event)"""

def modify_return_test(a: i32, b: Any) -> i32:
    """C: int bpf_modify_return_test(int a, int * b)"""

def modify_return_test2(a: i32, b: Any, c: Any, d: i32, e: Any, f: i8, g: i32) -> i32:
    """C: int bpf_modify_return_test2(int a, int * b, short int c, int d, void * e, char f, int g)"""

def modify_return_test_tp(nonce: i32) -> i32:
    """C: int bpf_modify_return_test_tp(int nonce)"""

def obj_drop(p: Any) -> None:
    """C: void bpf_obj_drop(void * p__alloc)"""

def obj_drop_impl(p: Any) -> None:
    """C: void bpf_obj_drop_impl(void * p__alloc, void * meta__ign)"""

def obj_new(local_type_id: u64) -> Any:
    """C: void * bpf_obj_new(u64 local_type_id__k)"""

def obj_new_impl(local_type_id: u64) -> Any:
    """C: void * bpf_obj_new_impl(u64 local_type_id__k, void * meta__ign)"""

def path_d_path(path: Any, buf: Any) -> i32:
    """C: int bpf_path_d_path(const struct path * path, char * buf, size_t buf__sz)"""

def percpu_obj_drop(p: Any) -> None:
    """C: void bpf_percpu_obj_drop(void * p__alloc)"""

def percpu_obj_drop_impl(p: Any) -> None:
    """C: void bpf_percpu_obj_drop_impl(void * p__alloc, void * meta__ign)"""

def percpu_obj_new(local_type_id: u64) -> Any:
    """C: void * bpf_percpu_obj_new(u64 local_type_id__k)"""

def percpu_obj_new_impl(local_type_id: u64) -> Any:
    """C: void * bpf_percpu_obj_new_impl(u64 local_type_id__k, void * meta__ign)"""

def preempt_disable() -> None:
    """C: void bpf_preempt_disable()"""

def preempt_enable() -> None:
    """C: void bpf_preempt_enable()"""

def probe_read_kernel_dynptr(dptr: Any, off: u64, size: u64, unsafe_ptr: Any) -> i32:
    """C: int bpf_probe_read_kernel_dynptr(const struct bpf_dynptr * dptr, u64 off, u64 size, const void * unsafe_ptr__ign)"""

def probe_read_kernel_str_dynptr(dptr: Any, off: u64, size: u64, unsafe_ptr: Any) -> i32:
    """C: int bpf_probe_read_kernel_str_dynptr(const struct bpf_dynptr * dptr, u64 off, u64 size, const void * unsafe_ptr__ign)"""

def probe_read_user_dynptr(dptr: Any, off: u64, size: u64, unsafe_ptr: Any) -> i32:
    """C: int bpf_probe_read_user_dynptr(const struct bpf_dynptr * dptr, u64 off, u64 size, const void * unsafe_ptr__ign)"""

def probe_read_user_str_dynptr(dptr: Any, off: u64, size: u64, unsafe_ptr: Any) -> i32:
    """C: int bpf_probe_read_user_str_dynptr(const struct bpf_dynptr * dptr, u64 off, u64 size, const void * unsafe_ptr__ign)"""

def put_file(file: Any) -> None:
    """C: void bpf_put_file(struct file * file)"""

def put_mem_cgroup(memcg: Any) -> None:
    """C: void bpf_put_mem_cgroup(struct mem_cgroup * memcg)"""

def qdisc_bstats_update(sch: Any, skb: Any) -> None:
    """C: void bpf_qdisc_bstats_update(struct Qdisc * sch, const struct sk_buff * skb)"""

def qdisc_init_prologue(sch: Any, extack: Any) -> i32:
    """C: int bpf_qdisc_init_prologue(struct Qdisc * sch, struct netlink_ext_ack * extack)"""

def qdisc_reset_destroy_epilogue(sch: Any) -> None:
    """C: void bpf_qdisc_reset_destroy_epilogue(struct Qdisc * sch)"""

def qdisc_skb_drop(skb: Any, to_free_list: Any) -> None:
    """C: void bpf_qdisc_skb_drop(struct sk_buff * skb, struct bpf_sk_buff_ptr * to_free_list)"""

def qdisc_watchdog_schedule(sch: Any, expire: u64, delta_ns: u64) -> None:
    """C: void bpf_qdisc_watchdog_schedule(struct Qdisc * sch, u64 expire, u64 delta_ns)"""

def rbtree_add(root: Any, node: Any, less: Any) -> i32:
    """C: int bpf_rbtree_add(struct bpf_rb_root * root, struct bpf_rb_node * node, bool (struct bpf_rb_node *, const struct bpf_rb_node *) * less)"""

def rbtree_add_impl(root: Any, node: Any, less: Any, off: u64) -> i32:
    """C: int bpf_rbtree_add_impl(struct bpf_rb_root * root, struct bpf_rb_node * node, bool (struct bpf_rb_node *, const struct bpf_rb_node *) * less, void * meta__ign, u64 off)"""

def rbtree_first(root: Any) -> Any:
    """C: struct bpf_rb_node * bpf_rbtree_first(struct bpf_rb_root * root)"""

def rbtree_left(root: Any, node: Any) -> Any:
    """C: struct bpf_rb_node * bpf_rbtree_left(struct bpf_rb_root * root, struct bpf_rb_node * node)"""

def rbtree_remove(root: Any, node: Any) -> Any:
    """C: struct bpf_rb_node * bpf_rbtree_remove(struct bpf_rb_root * root, struct bpf_rb_node * node)"""

def rbtree_right(root: Any, node: Any) -> Any:
    """C: struct bpf_rb_node * bpf_rbtree_right(struct bpf_rb_root * root, struct bpf_rb_node * node)"""

def rbtree_root(root: Any) -> Any:
    """C: struct bpf_rb_node * bpf_rbtree_root(struct bpf_rb_root * root)"""

def rcu_read_lock() -> None:
    """C: void bpf_rcu_read_lock()"""

def rcu_read_unlock() -> None:
    """C: void bpf_rcu_read_unlock()"""

def rdonly_cast(obj: Any, btf_id: u32) -> Any:
    """C: void * bpf_rdonly_cast(const void * obj__ign, u32 btf_id__k)"""

def real_data_inode(file: Any) -> Any:
    """C: struct inode * bpf_real_data_inode(struct file * file)"""

def refcount_acquire(p: Any) -> Any:
    """C: void * bpf_refcount_acquire(void * p__refcounted_kptr)"""

def refcount_acquire_impl(p: Any) -> Any:
    """C: void * bpf_refcount_acquire_impl(void * p__refcounted_kptr, void * meta__ign)"""

def remove_dentry_xattr(dentry: Any, name: Any) -> i32:
    """C: int bpf_remove_dentry_xattr(struct dentry * dentry, const char * name__str)"""

def res_spin_lock(lock: Any) -> i32:
    """C: int bpf_res_spin_lock(struct bpf_res_spin_lock * lock)"""

def res_spin_lock_irqsave(lock: Any, flags: Any = 0) -> i32:
    """C: int bpf_res_spin_lock_irqsave(struct bpf_res_spin_lock * lock, long unsigned int * flags__irq_flag)"""

def res_spin_unlock(lock: Any) -> None:
    """C: void bpf_res_spin_unlock(struct bpf_res_spin_lock * lock)"""

def res_spin_unlock_irqrestore(lock: Any, flags: Any = 0) -> None:
    """C: void bpf_res_spin_unlock_irqrestore(struct bpf_res_spin_lock * lock, long unsigned int * flags__irq_flag)"""

def send_signal_task(task: Any, sig: i32, type: int, value: u64) -> i32:
    """C: int bpf_send_signal_task(struct task_struct * task, int sig, enum pid_type type, u64 value)"""

def session_cookie(ctx: Any) -> Any:
    """C: __u64 * bpf_session_cookie(void * ctx)"""

def session_is_return(ctx: Any) -> bool:
    """C: bool bpf_session_is_return(void * ctx)"""

def set_dentry_xattr(dentry: Any, name: Any, value_p: Any, flags: i32 = 0) -> i32:
    """C: int bpf_set_dentry_xattr(struct dentry * dentry, const char * name__str, const struct bpf_dynptr * value_p, int flags)"""

def sk_assign_tcp_reqsk(s: Any, sk: Any, attrs: Any) -> i32:
    """C: int bpf_sk_assign_tcp_reqsk(struct __sk_buff * s, struct sock * sk, struct bpf_tcp_req_attrs * attrs, int attrs__sz)"""

def skb_ct_alloc(skb_ctx: Any, bpf_tuple: Any, opts: Any) -> Any:
    """C: struct nf_conn___init * bpf_skb_ct_alloc(struct __sk_buff * skb_ctx, struct bpf_sock_tuple * bpf_tuple, u32 tuple__sz, struct bpf_ct_opts * opts, u32 opts__sz)"""

def skb_ct_lookup(skb_ctx: Any, bpf_tuple: Any, opts: Any) -> AbstractContextManager[Any]:
    """C: struct nf_conn * bpf_skb_ct_lookup(struct __sk_buff * skb_ctx, struct bpf_sock_tuple * bpf_tuple, u32 tuple__sz, struct bpf_ct_opts * opts, u32 opts__sz)"""

def skb_get_hash(skb: Any) -> u32:
    """C: u32 bpf_skb_get_hash(struct sk_buff * skb)"""

def sock_addr_set_sun_path(sa_kern: Any, sun_path: Any) -> i32:
    """C: int bpf_sock_addr_set_sun_path(struct bpf_sock_addr_kern * sa_kern, const u8 * sun_path, u32 sun_path__sz)"""

def sock_destroy(sock: Any) -> i32:
    """C: int bpf_sock_destroy(struct sock_common * sock)"""

def sock_ops_enable_tx_tstamp(skops: Any, flags: u64 = 0) -> i32:
    """C: int bpf_sock_ops_enable_tx_tstamp(struct bpf_sock_ops_kern * skops, u64 flags)"""

def sock_read_xattr(sock: Any, name: Any, value_p: Any) -> i32:
    """C: int bpf_sock_read_xattr(struct socket * sock, const char * name__str, struct bpf_dynptr * value_p)"""

def strcasecmp(s1: Any, s2: Any) -> i32:
    """C: int bpf_strcasecmp(const char * s1__ign, const char * s2__ign)"""

def strcasestr(s1: Any, s2: Any) -> i32:
    """C: int bpf_strcasestr(const char * s1__ign, const char * s2__ign)"""

def strchr(s: Any, c: i8) -> i32:
    """C: int bpf_strchr(const char * s__ign, char c)"""

def strchrnul(s: Any, c: i8) -> i32:
    """C: int bpf_strchrnul(const char * s__ign, char c)"""

def strcmp(s1: Any, s2: Any) -> i32:
    """C: int bpf_strcmp(const char * s1__ign, const char * s2__ign)"""

def strcspn(s: Any, reject: Any) -> i32:
    """C: int bpf_strcspn(const char * s__ign, const char * reject__ign)"""

def stream_print_stack(stream_id: i32) -> i32:
    """C: int bpf_stream_print_stack(int stream_id)"""

def stream_vprintk(stream_id: i32, fmt: Any, args: Any) -> i32:
    """C: int bpf_stream_vprintk(int stream_id, const char * fmt__str, const void * args, u32 len__sz)"""

def stream_vprintk_impl(stream_id: i32, fmt: Any, args: Any) -> i32:
    """C: int bpf_stream_vprintk_impl(int stream_id, const char * fmt__str, const void * args, u32 len__sz, void * aux__prog)"""

def strlen(s: Any) -> i32:
    """C: int bpf_strlen(const char * s__ign)"""

def strncasecmp(s1: Any, s2: Any, len: u64) -> i32:
    """C: int bpf_strncasecmp(const char * s1__ign, const char * s2__ign, size_t len)"""

def strncasestr(s1: Any, s2: Any, len: u64) -> i32:
    """C: int bpf_strncasestr(const char * s1__ign, const char * s2__ign, size_t len)"""

def strnchr(s: Any, count: u64, c: i8) -> i32:
    """C: int bpf_strnchr(const char * s__ign, size_t count, char c)"""

def strnlen(s: Any, count: u64) -> i32:
    """C: int bpf_strnlen(const char * s__ign, size_t count)"""

def strnstr(s1: Any, s2: Any, len: u64) -> i32:
    """C: int bpf_strnstr(const char * s1__ign, const char * s2__ign, size_t len)"""

def strrchr(s: Any, c: i32) -> i32:
    """C: int bpf_strrchr(const char * s__ign, int c)"""

def strspn(s: Any, accept: Any) -> i32:
    """C: int bpf_strspn(const char * s__ign, const char * accept__ign)"""

def strstr(s1: Any, s2: Any) -> i32:
    """C: int bpf_strstr(const char * s1__ign, const char * s2__ign)"""

def task_acquire(p: Any) -> AbstractContextManager[Any]:
    """C: struct task_struct * bpf_task_acquire(struct task_struct * p)"""

def task_from_pid(pid: i32) -> AbstractContextManager[Any]:
    """C: struct task_struct * bpf_task_from_pid(s32 pid)"""

def task_from_vpid(vpid: i32) -> AbstractContextManager[Any]:
    """C: struct task_struct * bpf_task_from_vpid(s32 vpid)"""

def task_get_cgroup1(task: Any, hierarchy_id: i32) -> AbstractContextManager[Any]:
    """C: struct cgroup * bpf_task_get_cgroup1(struct task_struct * task, int hierarchy_id)"""

def task_release(p: Any) -> None:
    """C: void bpf_task_release(struct task_struct * p)"""

def task_under_cgroup(task: Any, ancestor: Any) -> i64:
    """C: long int bpf_task_under_cgroup(struct task_struct * task, struct cgroup * ancestor)"""

def task_work_schedule_resume(task: Any, tw: Any, map: Any, callback: Any) -> i32:
    """C: int bpf_task_work_schedule_resume(struct task_struct * task, struct bpf_task_work * tw, void * map__const_map, bpf_task_work_callback_t callback)"""

def task_work_schedule_resume_impl(task: Any, tw: Any, map: Any, callback: Any) -> i32:
    """C: int bpf_task_work_schedule_resume_impl(struct task_struct * task, struct bpf_task_work * tw, void * map__map, bpf_task_work_callback_t callback, void * aux__prog)"""

def task_work_schedule_signal(task: Any, tw: Any, map: Any, callback: Any) -> i32:
    """C: int bpf_task_work_schedule_signal(struct task_struct * task, struct bpf_task_work * tw, void * map__const_map, bpf_task_work_callback_t callback)"""

def task_work_schedule_signal_impl(task: Any, tw: Any, map: Any, callback: Any) -> i32:
    """C: int bpf_task_work_schedule_signal_impl(struct task_struct * task, struct bpf_task_work * tw, void * map__map, bpf_task_work_callback_t callback, void * aux__prog)"""

def throw(cookie: u64) -> None:
    """C: void bpf_throw(u64 cookie)"""

def timer_cancel_async(timer: Any) -> i32:
    """C: int bpf_timer_cancel_async(struct bpf_timer * timer)"""

def verify_pkcs7_signature(data_p: Any, sig_p: Any, trusted_keyring: Any) -> i32:
    """C: int bpf_verify_pkcs7_signature(const struct bpf_dynptr * data_p, const struct bpf_dynptr * sig_p, struct bpf_key * trusted_keyring)"""

def wakeup_sources_get_head() -> Any:
    """C: void * bpf_wakeup_sources_get_head()"""

def wakeup_sources_read_lock() -> Any:
    """C: struct bpf_ws_lock * bpf_wakeup_sources_read_lock()"""

def wakeup_sources_read_unlock(lock: Any) -> None:
    """C: void bpf_wakeup_sources_read_unlock(struct bpf_ws_lock * lock)"""

def wq_init(wq: Any, p: Any, flags: u32 = 0) -> i32:
    """C: int bpf_wq_init(struct bpf_wq * wq, void * p__const_map, unsigned int flags)"""

def wq_set_callback(wq: Any, callback_fn: Any, flags: u32 = 0) -> i32:
    """C: int bpf_wq_set_callback(struct bpf_wq * wq, int (void *, int *, void *) * callback_fn, unsigned int flags)"""

def wq_set_callback_impl(wq: Any, callback_fn: Any, flags: u32 = 0) -> i32:
    """C: int bpf_wq_set_callback_impl(struct bpf_wq * wq, int (void *, int *, void *) * callback_fn, unsigned int flags, void * aux__prog)"""

def wq_start(wq: Any, flags: u32 = 0) -> i32:
    """C: int bpf_wq_start(struct bpf_wq * wq, unsigned int flags)"""

def xdp_ct_alloc(xdp_ctx: Any, bpf_tuple: Any, opts: Any) -> Any:
    """C: struct nf_conn___init * bpf_xdp_ct_alloc(struct xdp_md * xdp_ctx, struct bpf_sock_tuple * bpf_tuple, u32 tuple__sz, struct bpf_ct_opts * opts, u32 opts__sz)"""

def xdp_ct_lookup(xdp_ctx: Any, bpf_tuple: Any, opts: Any) -> AbstractContextManager[Any]:
    """C: struct nf_conn * bpf_xdp_ct_lookup(struct xdp_md * xdp_ctx, struct bpf_sock_tuple * bpf_tuple, u32 tuple__sz, struct bpf_ct_opts * opts, u32 opts__sz)"""

def xdp_get_xfrm_state(ctx: Any, opts: Any) -> AbstractContextManager[Any]:
    """C: struct xfrm_state * bpf_xdp_get_xfrm_state(struct xdp_md * ctx, struct bpf_xfrm_state_opts * opts, u32 opts__sz)"""

def xdp_metadata_rx_hash(ctx: Any, hash: Any, rss_type: int) -> i32:
    """C: int bpf_xdp_metadata_rx_hash(const struct xdp_md * ctx, u32 * hash, enum xdp_rss_hash_type * rss_type)"""

def xdp_metadata_rx_timestamp(ctx: Any, timestamp: Any) -> i32:
    """C: int bpf_xdp_metadata_rx_timestamp(const struct xdp_md * ctx, u64 * timestamp)"""

def xdp_metadata_rx_vlan_tag(ctx: Any, vlan_proto: Any, vlan_tci: Any) -> i32:
    """C: int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md * ctx, __be16 * vlan_proto, u16 * vlan_tci)"""

def xdp_pull_data(x: Any, len: u32) -> i32:
    """C: int bpf_xdp_pull_data(struct xdp_md * x, u32 len)"""

def xdp_xfrm_state_release(x: Any) -> None:
    """C: void bpf_xdp_xfrm_state_release(struct xfrm_state * x)"""

def cgroup_rstat_flush(cgrp: Any) -> None:
    """C: void cgroup_rstat_flush(struct cgroup * cgrp)"""

def cgroup_rstat_updated(cgrp: Any, cpu: i32) -> None:
    """C: void cgroup_rstat_updated(struct cgroup * cgrp, int cpu)"""

def crash_kexec(regs: Any) -> None:
    """C: void crash_kexec(struct pt_regs * regs)"""

def css_rstat_flush(css: Any) -> None:
    """C: void css_rstat_flush(struct cgroup_subsys_state * css)"""

def css_rstat_updated(css: Any, cpu: i32) -> None:
    """C: void css_rstat_updated(struct cgroup_subsys_state * css, int cpu)"""

def cubictcp_acked(sk: Any, sample: Any) -> None:
    """C: void cubictcp_acked(struct sock * sk, const struct ack_sample * sample)"""

def cubictcp_cong_avoid(sk: Any, ack: u32, acked: u32) -> None:
    """C: void cubictcp_cong_avoid(struct sock * sk, u32 ack, u32 acked)"""

def cubictcp_cwnd_event(sk: Any, event: int) -> None:
    """C: void cubictcp_cwnd_event(struct sock * sk, enum tcp_ca_event event)"""

def cubictcp_cwnd_event_tx_start(sk: Any) -> None:
    """C: void cubictcp_cwnd_event_tx_start(struct sock * sk)"""

def cubictcp_init(sk: Any) -> None:
    """C: void cubictcp_init(struct sock * sk)"""

def cubictcp_recalc_ssthresh(sk: Any) -> u32:
    """C: u32 cubictcp_recalc_ssthresh(struct sock * sk)"""

def cubictcp_state(sk: Any, new_state: u8) -> None:
    """C: void cubictcp_state(struct sock * sk, u8 new_state)"""

def scx_bpf_cid_curr(cid: i32) -> Any:
    """C: struct task_struct * scx_bpf_cid_curr(s32 cid)"""

def scx_bpf_cid_override(cpu_to_cid: Any, cpu_to_cid_cnt: u32, shard_start: Any, shard_start_cnt: u32) -> None:
    """C: void scx_bpf_cid_override(const s32 * cpu_to_cid__arena, u32 cpu_to_cid_cnt, const s32 * shard_start__arena, u32 shard_start_cnt)"""

def scx_bpf_cid_to_cpu(cid: i32) -> i32:
    """C: s32 scx_bpf_cid_to_cpu(s32 cid)"""

def scx_bpf_cid_topo(cid: i32, out: Any) -> None:
    """C: void scx_bpf_cid_topo(s32 cid, struct scx_cid_topo * out, size_t out__sz)"""

def scx_bpf_cidperf_cap(cid: i32) -> u32:
    """C: u32 scx_bpf_cidperf_cap(s32 cid)"""

def scx_bpf_cidperf_cur(cid: i32) -> u32:
    """C: u32 scx_bpf_cidperf_cur(s32 cid)"""

def scx_bpf_cidperf_set(cid: i32, perf: u32) -> i32:
    """C: s32 scx_bpf_cidperf_set(s32 cid, u32 perf)"""

def scx_bpf_cpu_curr(cpu: i32) -> Any:
    """C: struct task_struct * scx_bpf_cpu_curr(s32 cpu)"""

def scx_bpf_cpu_node(cpu: i32) -> i32:
    """C: s32 scx_bpf_cpu_node(s32 cpu)"""

def scx_bpf_cpu_rq(cpu: i32) -> Any:
    """C: struct rq * scx_bpf_cpu_rq(s32 cpu)"""

def scx_bpf_cpu_to_cid(cpu: i32) -> i32:
    """C: s32 scx_bpf_cpu_to_cid(s32 cpu)"""

def scx_bpf_cpuperf_cap(cpu: i32) -> u32:
    """C: u32 scx_bpf_cpuperf_cap(s32 cpu)"""

def scx_bpf_cpuperf_cur(cpu: i32) -> u32:
    """C: u32 scx_bpf_cpuperf_cur(s32 cpu)"""

def scx_bpf_cpuperf_set(cpu: i32, perf: u32) -> None:
    """C: void scx_bpf_cpuperf_set(s32 cpu, u32 perf)"""

def scx_bpf_create_dsq(dsq_id: u64, node: i32) -> i32:
    """C: s32 scx_bpf_create_dsq(u64 dsq_id, s32 node)"""

def scx_bpf_destroy_dsq(dsq_id: u64) -> None:
    """C: void scx_bpf_destroy_dsq(u64 dsq_id)"""

def scx_bpf_dispatch_cancel() -> None:
    """C: void scx_bpf_dispatch_cancel()"""

def scx_bpf_dispatch_nr_slots() -> u32:
    """C: u32 scx_bpf_dispatch_nr_slots()"""

def scx_bpf_dsq_insert(p: Any, dsq_id: u64, slice: u64, enq_flags: u64) -> None:
    """C: void scx_bpf_dsq_insert(struct task_struct * p, u64 dsq_id, u64 slice, u64 enq_flags)"""

def scx_bpf_dsq_insert___v2(p: Any, dsq_id: u64, slice: u64, enq_flags: u64) -> bool:
    """C: bool scx_bpf_dsq_insert___v2(struct task_struct * p, u64 dsq_id, u64 slice, u64 enq_flags)"""

def scx_bpf_dsq_insert_vtime(p: Any, dsq_id: u64, slice: u64, vtime: u64, enq_flags: u64) -> None:
    """C: void scx_bpf_dsq_insert_vtime(struct task_struct * p, u64 dsq_id, u64 slice, u64 vtime, u64 enq_flags)"""

def scx_bpf_dsq_move(it: Any, p: Any, dsq_id: u64, enq_flags: u64) -> bool:
    """C: bool scx_bpf_dsq_move(struct bpf_iter_scx_dsq * it__iter, struct task_struct * p, u64 dsq_id, u64 enq_flags)"""

def scx_bpf_dsq_move_set_slice(it: Any, slice: u64) -> None:
    """C: void scx_bpf_dsq_move_set_slice(struct bpf_iter_scx_dsq * it__iter, u64 slice)"""

def scx_bpf_dsq_move_set_vtime(it: Any, vtime: u64) -> None:
    """C: void scx_bpf_dsq_move_set_vtime(struct bpf_iter_scx_dsq * it__iter, u64 vtime)"""

def scx_bpf_dsq_move_to_local(dsq_id: u64) -> bool:
    """C: bool scx_bpf_dsq_move_to_local(u64 dsq_id)"""

def scx_bpf_dsq_move_to_local___v2(dsq_id: u64, enq_flags: u64) -> bool:
    """C: bool scx_bpf_dsq_move_to_local___v2(u64 dsq_id, u64 enq_flags)"""

def scx_bpf_dsq_move_vtime(it: Any, p: Any, dsq_id: u64, enq_flags: u64) -> bool:
    """C: bool scx_bpf_dsq_move_vtime(struct bpf_iter_scx_dsq * it__iter, struct task_struct * p, u64 dsq_id, u64 enq_flags)"""

def scx_bpf_dsq_nr_queued(dsq_id: u64) -> i32:
    """C: s32 scx_bpf_dsq_nr_queued(u64 dsq_id)"""

def scx_bpf_dsq_peek(dsq_id: u64) -> Any:
    """C: struct task_struct * scx_bpf_dsq_peek(u64 dsq_id)"""

def scx_bpf_dsq_reenq(dsq_id: u64, reenq_flags: u64) -> None:
    """C: void scx_bpf_dsq_reenq(u64 dsq_id, u64 reenq_flags)"""

def scx_bpf_dump_bstr(fmt: Any, data: Any) -> None:
    """C: void scx_bpf_dump_bstr(char * fmt, long long unsigned int * data, u32 data__sz)"""

def scx_bpf_error_bstr(fmt: Any, data: Any) -> None:
    """C: void scx_bpf_error_bstr(char * fmt, long long unsigned int * data, u32 data__sz)"""

def scx_bpf_events(events: Any) -> None:
    """C: void scx_bpf_events(struct scx_event_stats * events, size_t events__sz)"""

def scx_bpf_exit_bstr(exit_code: i64, fmt: Any, data: Any) -> None:
    """C: void scx_bpf_exit_bstr(s64 exit_code, char * fmt, long long unsigned int * data, u32 data__sz)"""

def scx_bpf_get_idle_cpumask() -> AbstractContextManager[Any]:
    """C: const struct cpumask * scx_bpf_get_idle_cpumask()"""

def scx_bpf_get_idle_cpumask_node(node: i32) -> AbstractContextManager[Any]:
    """C: const struct cpumask * scx_bpf_get_idle_cpumask_node(s32 node)"""

def scx_bpf_get_idle_smtmask() -> AbstractContextManager[Any]:
    """C: const struct cpumask * scx_bpf_get_idle_smtmask()"""

def scx_bpf_get_idle_smtmask_node(node: i32) -> AbstractContextManager[Any]:
    """C: const struct cpumask * scx_bpf_get_idle_smtmask_node(s32 node)"""

def scx_bpf_get_online_cpumask() -> AbstractContextManager[Any]:
    """C: const struct cpumask * scx_bpf_get_online_cpumask()"""

def scx_bpf_get_possible_cpumask() -> AbstractContextManager[Any]:
    """C: const struct cpumask * scx_bpf_get_possible_cpumask()"""

def scx_bpf_kick_cid(cid: i32, flags: u64 = 0) -> None:
    """C: void scx_bpf_kick_cid(s32 cid, u64 flags)"""

def scx_bpf_kick_cpu(cpu: i32, flags: u64 = 0) -> None:
    """C: void scx_bpf_kick_cpu(s32 cpu, u64 flags)"""

def scx_bpf_locked_rq() -> Any:
    """C: struct rq * scx_bpf_locked_rq()"""

def scx_bpf_now() -> u64:
    """C: u64 scx_bpf_now()"""

def scx_bpf_nr_cids() -> u32:
    """C: u32 scx_bpf_nr_cids()"""

def scx_bpf_nr_cpu_ids() -> u32:
    """C: u32 scx_bpf_nr_cpu_ids()"""

def scx_bpf_nr_node_ids() -> u32:
    """C: u32 scx_bpf_nr_node_ids()"""

def scx_bpf_nr_online_cids() -> u32:
    """C: u32 scx_bpf_nr_online_cids()"""

def scx_bpf_online_cmask() -> Any:
    """C: const void * scx_bpf_online_cmask()"""

def scx_bpf_pick_any_cpu(cpus_allowed: Any, flags: u64 = 0) -> i32:
    """C: s32 scx_bpf_pick_any_cpu(const struct cpumask * cpus_allowed, u64 flags)"""

def scx_bpf_pick_any_cpu_node(cpus_allowed: Any, node: i32, flags: u64 = 0) -> i32:
    """C: s32 scx_bpf_pick_any_cpu_node(const struct cpumask * cpus_allowed, s32 node, u64 flags)"""

def scx_bpf_pick_idle_cpu(cpus_allowed: Any, flags: u64 = 0) -> i32:
    """C: s32 scx_bpf_pick_idle_cpu(const struct cpumask * cpus_allowed, u64 flags)"""

def scx_bpf_pick_idle_cpu_node(cpus_allowed: Any, node: i32, flags: u64 = 0) -> i32:
    """C: s32 scx_bpf_pick_idle_cpu_node(const struct cpumask * cpus_allowed, s32 node, u64 flags)"""

def scx_bpf_put_cpumask(cpumask: Any) -> None:
    """C: void scx_bpf_put_cpumask(const struct cpumask * cpumask)"""

def scx_bpf_put_idle_cpumask(idle_mask: Any) -> None:
    """C: void scx_bpf_put_idle_cpumask(const struct cpumask * idle_mask)"""

def scx_bpf_reenqueue_local() -> u32:
    """C: u32 scx_bpf_reenqueue_local()"""

def scx_bpf_reenqueue_local___v2() -> None:
    """C: void scx_bpf_reenqueue_local___v2()"""

def scx_bpf_select_cpu_and(p: Any, prev_cpu: i32, wake_flags: u64, cpus_allowed: Any, flags: u64 = 0) -> i32:
    """C: s32 scx_bpf_select_cpu_and(struct task_struct * p, s32 prev_cpu, u64 wake_flags, const struct cpumask * cpus_allowed, u64 flags)"""

def scx_bpf_select_cpu_dfl(p: Any, prev_cpu: i32, wake_flags: u64, is_idle: Any) -> i32:
    """C: s32 scx_bpf_select_cpu_dfl(struct task_struct * p, s32 prev_cpu, u64 wake_flags, bool * is_idle)"""

def scx_bpf_sub_caps(cgroup_id: u64, caps: u64, out: Any) -> i32:
    """C: s32 scx_bpf_sub_caps(u64 cgroup_id, u64 caps, struct scx_cmask * out__arena)"""

def scx_bpf_sub_dispatch(cgroup_id: u64) -> bool:
    """C: bool scx_bpf_sub_dispatch(u64 cgroup_id)"""

def scx_bpf_sub_grant(cgroup_id: u64, caps: u64, cmask: Any, denied_out: Any) -> i32:
    """C: s32 scx_bpf_sub_grant(u64 cgroup_id, u64 caps, const struct scx_cmask * cmask__arena, struct scx_cmask * denied_out__arena__nullable)"""

def scx_bpf_sub_kill_bstr(cgroup_id: u64, fmt: Any, data: Any) -> i32:
    """C: s32 scx_bpf_sub_kill_bstr(u64 cgroup_id, char * fmt, long long unsigned int * data, u32 data__sz)"""

def scx_bpf_sub_revoke(cgroup_id: u64, caps: u64, cmask: Any) -> None:
    """C: void scx_bpf_sub_revoke(u64 cgroup_id, u64 caps, const struct scx_cmask * cmask__arena)"""

def scx_bpf_task_cgroup(p: Any) -> AbstractContextManager[Any]:
    """C: struct cgroup * scx_bpf_task_cgroup(struct task_struct * p)"""

def scx_bpf_task_cid(p: Any) -> i32:
    """C: s32 scx_bpf_task_cid(const struct task_struct * p)"""

def scx_bpf_task_cpu(p: Any) -> i32:
    """C: s32 scx_bpf_task_cpu(const struct task_struct * p)"""

def scx_bpf_task_running(p: Any) -> bool:
    """C: bool scx_bpf_task_running(const struct task_struct * p)"""

def scx_bpf_task_set_dsq_vtime(p: Any, vtime: u64) -> bool:
    """C: bool scx_bpf_task_set_dsq_vtime(struct task_struct * p, u64 vtime)"""

def scx_bpf_task_set_slice(p: Any, slice: u64) -> bool:
    """C: bool scx_bpf_task_set_slice(struct task_struct * p, u64 slice)"""

def scx_bpf_test_and_clear_cpu_idle(cpu: i32) -> bool:
    """C: bool scx_bpf_test_and_clear_cpu_idle(s32 cpu)"""

def scx_bpf_this_cid() -> i32:
    """C: s32 scx_bpf_this_cid()"""

def scx_bpf_tid_to_task(tid: u64) -> Any:
    """C: struct task_struct * scx_bpf_tid_to_task(u64 tid)"""

def tcp_cong_avoid_ai(tp: Any, w: u32, acked: u32) -> None:
    """C: void tcp_cong_avoid_ai(struct tcp_sock * tp, u32 w, u32 acked)"""

def tcp_reno_cong_avoid(sk: Any, ack: u32, acked: u32) -> None:
    """C: void tcp_reno_cong_avoid(struct sock * sk, u32 ack, u32 acked)"""

def tcp_reno_ssthresh(sk: Any) -> u32:
    """C: u32 tcp_reno_ssthresh(struct sock * sk)"""

def tcp_reno_undo_cwnd(sk: Any) -> u32:
    """C: u32 tcp_reno_undo_cwnd(struct sock * sk)"""

def tcp_slow_start(tp: Any, acked: u32) -> u32:
    """C: u32 tcp_slow_start(struct tcp_sock * tp, u32 acked)"""
