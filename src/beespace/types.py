"""The types that fields, map keys, options and variables are declared with.

May import: ``schema``.  Invariant: to a type checker every integer here is ``int`` and every text
is ``str``, so a probe is ordinary typed Python; at run time each is a
:class:`~beespace.schema.Kind` with size, unit and meaning.

==================  =======================  ========================================================
name                C                        meaning
==================  =======================  ========================================================
u8 u16 u32 u64      unsigned integers        wrap as the machine does
i8 i16 i32 i64      signed integers
be16 be32 be64      network-order integers   read and written as host integers, swapped in memory
boolean, bool       one byte
Timestamp           u64                      nanoseconds of CLOCK_BOOTTIME in the kernel, wall clock outside
Duration            u64                      nanoseconds
Pid Tid Uid Gid     u32                      as the initial namespaces see them
CgroupId            u64                      inode of the cgroup v2 directory
Cookie              u64                      socket cookie, unique while the system runs
Port                u16                      host order
Address             16 bytes                 IPv6, or IPv4 as ::ffff:a.b.c.d
text(n)             char[n]                  UTF-8, cut at n
raw(n)              unsigned char[n]
array(t, n)         t[n]
variable=True       u32, char[n]             text or raw as an Event's last field, sent as long as it is
a Struct | None     struct T *               a pointer, in an Arena
an IntEnum, IntFlag unsigned int             user space gets members; stored(E, u8) says another size
SpinLock            struct bpf_spin_lock     `lock: SpinLock = spin_lock()`, in a map's value
Timer               struct bpf_timer         `timer: Timer = timer()`, in a map's value
WorkQueue           struct bpf_wq            `work: WorkQueue = work_queue()`, in a map's value
Kptr                struct T __kptr *        `task: Kptr = kptr(task_struct)`, in a map's value
LinkedList          struct bpf_list_head     `jobs: LinkedList[Job] = linked_list(Job)`, in a map's value
Tree                struct bpf_rb_root       `jobs: Tree[Job] = tree(Job)`, in a map's value
ListNode, TreeNode  struct bpf_list_node     `link: ListNode = list_node()`, in a Struct that is put into such
==================  =======================  ========================================================
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, IntFlag
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from beespace.errors import UsageError
from beespace.schema.kinds import (
    AddressKind,
    ArrayKind,
    BoolKind,
    BytesKind,
    IntKind,
    ResourceKind,
    TextKind,
    VariableKind,
    as_kind,
    enum_kind,
    is_variable,
    kind_name,
)

__all__ = [
    "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "be16", "be32", "be64", "boolean",
    "Timestamp", "Duration", "Pid", "Tid", "Uid", "Gid", "CgroupId", "Cookie", "Port", "Address",
    "Text", "Raw", "text", "raw", "array", "stored",
    "Kptr", "LinkedList", "ListNode", "SpinLock", "Timer", "Tree", "TreeNode", "WorkQueue",
    "kptr", "linked_list", "list_node", "spin_lock", "timer", "tree", "tree_node", "work_queue",
]  # fmt: skip

_T = TypeVar("_T")

if TYPE_CHECKING:
    from typing import TypeAlias

    u8: TypeAlias = int
    u16: TypeAlias = int
    u32: TypeAlias = int
    u64: TypeAlias = int
    i8: TypeAlias = int
    i16: TypeAlias = int
    i32: TypeAlias = int
    i64: TypeAlias = int
    be16: TypeAlias = int
    be32: TypeAlias = int
    be64: TypeAlias = int
    boolean: TypeAlias = bool
    Timestamp: TypeAlias = int
    Duration: TypeAlias = int
    Pid: TypeAlias = int
    Tid: TypeAlias = int
    Uid: TypeAlias = int
    Gid: TypeAlias = int
    CgroupId: TypeAlias = int
    Cookie: TypeAlias = int
    Port: TypeAlias = int
    Address: TypeAlias = str
    Text: TypeAlias = str
    Raw: TypeAlias = bytes
else:
    u8, u16, u32, u64 = (IntKind(f"u{bits}", bits) for bits in (8, 16, 32, 64))
    i8, i16, i32, i64 = (IntKind(f"i{bits}", bits, signed=True) for bits in (8, 16, 32, 64))
    be16, be32, be64 = (IntKind(f"be{bits}", bits, big_endian=True) for bits in (16, 32, 64))
    boolean = BoolKind()
    Timestamp = IntKind("Timestamp", 64, unit="ns", meaning="timestamp")
    Duration = IntKind("Duration", 64, unit="ns", meaning="duration")
    Pid = IntKind("Pid", 32, meaning="pid")
    Tid = IntKind("Tid", 32, meaning="tid")
    Uid = IntKind("Uid", 32, meaning="uid")
    Gid = IntKind("Gid", 32, meaning="gid")
    CgroupId = IntKind("CgroupId", 64, meaning="cgroup_id")
    Cookie = IntKind("Cookie", 64, meaning="socket_cookie")
    Port = IntKind("Port", 16, meaning="port")
    Address = AddressKind()
    Text = TextKind(0)  # size 0: the size is given by `= text(n)`
    Raw = BytesKind(0)


def text(size: int, *, variable: bool = False) -> Any:
    """A text of at most ``size`` bytes: a field (``comm: Text = text(16)``) or a map key (``key=text(16)``).

    ``variable``: as the last field of an Event, of which only what the text uses is sent.
    """
    kind = TextKind(_positive(size, "text"))
    return VariableKind(kind) if variable else kind


def raw(size: int, *, variable: bool = False) -> Any:
    """``size`` raw bytes: a field (``mac: Raw = raw(6)``) or a map key or value.

    ``variable``: as the last field of an Event, at most ``size`` bytes, of which only what is used is sent.
    """
    kind = BytesKind(_positive(size, "raw"))
    return VariableKind(kind) if variable else kind


def array(element: Any, length: int) -> Any:
    """``length`` values of one type: a field (``slots: list[u64] = array(u64, 32)``) or a map value."""
    kind = as_kind(element)
    if kind is None:
        raise TypeError(
            f"array() takes a type from beespace.types, text(n), an enumeration or a Struct, not {element!r}"
        )
    if is_variable(kind):
        raise TypeError(f"the elements of an array have one size, and the length of {kind_name(kind)} varies")
    return ArrayKind(kind, _positive(length, "array"))


def stored(enum: Any, of: Any) -> Any:
    """Members of ``enum`` in as many bytes as the integer type ``of``: a field ``state: State = stored(State, u8)``."""
    if not isinstance(of, IntKind) or not (isinstance(enum, type) and issubclass(enum, IntEnum | IntFlag)):
        raise TypeError(f"stored() takes an IntEnum or IntFlag and an integer type, not {enum!r} and {of!r}")
    return enum_kind(enum, of)


class SpinLock:
    """A lock in a map's value: ``with value.lock:``.  One a value; Hash, Array, storages.  Linux 5.1."""

    def __enter__(self) -> None:
        raise _kernel_only("a SpinLock")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        raise _kernel_only("a SpinLock")


class Timer:
    """A timer in a map's value; one a value; Hash, LruHash, Array.  Linux 5.15."""

    def start(self, callback: Callable[[Any, Any], None], delay: Duration, *, absolute: bool = False) -> i64:
        """Call ``callback(key, value)`` once, ``delay`` nanoseconds from now; 0, or a negative error.

        ``callback`` is a method marked ``@function``, and may start the timer again.  A timer that runs already is set
        anew.  ``absolute``: ``delay`` is a time of ``bpf.now()`` (CLOCK_BOOTTIME).
        """
        raise _kernel_only("a Timer")

    def cancel(self) -> i64:
        """Stop it, and wait until its callback has ended: 1 if it ran, 0 if not, or a negative error."""
        raise _kernel_only("a Timer")


class WorkQueue:
    """Work for later, in a context that may sleep; in a map's value; one a value; Hash, LruHash, Array.  Linux 6.10."""

    def start(self, callback: Callable[[Any, Any], None]) -> i64:
        """Call ``callback(key, value)`` soon, in process context; 0, or a negative error."""
        raise _kernel_only("a WorkQueue")


class Kptr:
    """A pointer to an object that a map's value keeps alive: the kernel's, or one of ``bpf.new()``.  Linux 6.2."""

    def get(self) -> Any:
        """The kernel's object, or None; in a program that may sleep inside ``with bpf.rcu():``."""
        raise _kernel_only("a Kptr")

    def take(self) -> Any:
        """An object of ``bpf.new()``, which is the map's no longer; None if there was none.  Linux 6.6."""
        raise _kernel_only("a Kptr")

    def store(self, pointer: Any) -> bool:
        """Keep ``pointer``, and let go what was kept before; False if the object is about to go.

        An object of ``bpf.new()`` is the map's from then on, and its name is gone.
        """
        raise _kernel_only("a Kptr")

    def clear(self) -> bool:
        """Let go what is kept; whether there was something."""
        raise _kernel_only("a Kptr")


class ListNode:
    """What a Struct has that can be put into a :class:`LinkedList`.  Linux 6.6."""


class TreeNode:
    """What a Struct has that can be put into a :class:`Tree`.  Linux 6.6."""


class LinkedList(Generic[_T]):
    """Objects of ``bpf.new()`` one after another, in a map's value, under its lock.

    Hash, LruHash, Array.  Linux 6.6.
    """

    def append(self, item: _T) -> None:
        """Put ``item`` at the end.  It is the list's from then on: its name is gone."""
        raise _kernel_only("a LinkedList")

    def appendleft(self, item: _T) -> None:
        """Put ``item`` at the beginning."""
        raise _kernel_only("a LinkedList")

    def pop(self) -> _T | None:
        """Take the last one; None if there is none."""
        raise _kernel_only("a LinkedList")

    def popleft(self) -> _T | None:
        """Take the first one; None if there is none."""
        raise _kernel_only("a LinkedList")

    def first(self) -> _T | None:
        """Look at the first one, as long as the lock is held.  Linux 6.16."""
        raise _kernel_only("a LinkedList")

    def last(self) -> _T | None:
        """Look at the last one, as long as the lock is held.  Linux 6.16."""
        raise _kernel_only("a LinkedList")


class Tree(Generic[_T]):
    """Objects of ``bpf.new()`` in the order that their ``__lt__`` gives, in a map's value, under its lock.

    A red-black tree; Hash, LruHash, Array.  Linux 6.6.
    """

    def add(self, item: _T) -> None:
        """Put ``item`` where it belongs.  It is the tree's from then on: its name is gone."""
        raise _kernel_only("a Tree")

    def first(self) -> _T | None:
        """Look at the least one, as long as the lock is held; None if there is none."""
        raise _kernel_only("a Tree")

    def popleft(self) -> _T | None:
        """Take the least one; None if there is none."""
        raise _kernel_only("a Tree")

    def remove(self, item: _T) -> _T | None:
        """Take one that ``first()`` gave."""
        raise _kernel_only("a Tree")


def kptr(struct: Any) -> Any:
    """A kept pointer as a field: ``task: Kptr = kptr(task_struct)``; a type of :mod:`beespace.kernel`, or a Struct."""
    if hasattr(struct, "layout"):
        return ResourceKind("Kptr", "", 8, 8, struct.layout.name, holds=struct)
    return ResourceKind("Kptr", "", 8, 8, str(struct.name))


def list_node() -> Any:
    """A place in a list as a field: ``link: ListNode = list_node()``."""
    return ResourceKind("ListNode", "bpf_list_node", 24, 8)


def tree_node() -> Any:
    """A place in a tree as a field: ``place: TreeNode = tree_node()``."""
    return ResourceKind("TreeNode", "bpf_rb_node", 32, 8)


def linked_list(holds: type[_T]) -> Any:
    """A list as a field: ``jobs: LinkedList[Job] = linked_list(Job)``."""
    return ResourceKind("LinkedList", "bpf_list_head", 16, 8, holds=holds, link=_link(holds, "ListNode", "list_node"))


def tree(holds: type[_T]) -> Any:
    """A tree as a field: ``jobs: Tree[Job] = tree(Job)``; ``Job`` has ``def __lt__(self, other: Job) -> bool``."""
    if "__lt__" not in vars(holds):
        raise TypeError(f"a tree has an order: {holds.__name__} needs `def __lt__(self, other) -> bool`")
    return ResourceKind("Tree", "bpf_rb_root", 16, 8, holds=holds, link=_link(holds, "TreeNode", "tree_node"))


_NODES = ("ListNode", "TreeNode")


def _link(holds: Any, kind: str, maker: str) -> str:
    """The field by which objects of ``holds`` are linked."""
    fields = getattr(getattr(holds, "layout", None), "fields", ())
    name = getattr(holds, "__name__", repr(holds))
    nodes = [field for field in fields if isinstance(field.kind, ResourceKind) and field.kind.name in _NODES]
    found = [field.name for field in nodes if field.kind.name == kind]
    if len(found) == 1 and len(nodes) > 1:  # btf_check_and_fixup_fields() in kernel/bpf/btf.c
        raise TypeError(f"{name} is linked twice, and its objects have one owner: give it one ListNode or TreeNode")
    if len(found) != 1:
        raise TypeError(f"{name} has {len(found)} fields that are a {kind}, and needs one: `link: {kind} = {maker}()`")
    return str(found[0])


def spin_lock() -> Any:
    """A lock as a field: ``lock: SpinLock = spin_lock()``."""
    return ResourceKind("SpinLock", "bpf_spin_lock", 4, 4)


def timer() -> Any:
    """A timer as a field: ``timer: Timer = timer()``."""
    return ResourceKind("Timer", "bpf_timer", 16, 8)


def work_queue() -> Any:
    """Work as a field: ``work: WorkQueue = work_queue()``."""
    return ResourceKind("WorkQueue", "bpf_wq", 16, 8)


def _kernel_only(what: str) -> UsageError:
    return UsageError(f"{what} is of the kernel side", help="use it inside a method with a hook decorator")


def _positive(size: int, what: str) -> int:
    if not isinstance(size, int) or isinstance(size, bool) or size <= 0:
        raise TypeError(f"{what}() takes a size of at least 1, not {size!r}")
    return size
