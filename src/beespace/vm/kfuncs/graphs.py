"""Lists (Linux 6.2) and trees (Linux 6.3) of objects.  What is in one is known by the address of its head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.errno import Errno
from beespace.vm.kfuncs.objects import obj_drop_impl, owned

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = [
    "list_back", "list_front", "list_pop_back", "list_pop_front", "list_push_back_impl", "list_push_front_impl",
    "rbtree_add_impl", "rbtree_first", "rbtree_remove",
]  # fmt: skip

_HEAD = 16  # struct bpf_list_head, struct bpf_rb_root


class Graphs:
    """The lists and trees of a machine: for each head its nodes in order, and for each node its head."""

    def __init__(self) -> None:
        self._nodes: dict[int, list[int]] = {}
        self._heads: dict[int, int] = {}

    def of(self, run: Run, head: int) -> list[int]:
        """The nodes behind a head, which must be memory of the program's."""
        run.memory.read(head, _HEAD)
        return self._nodes.setdefault(head, [])

    def put(self, run: Run, head: int, node: int, offset: int, index: int) -> int:
        """``EINVAL``, and the object is dropped, if the node is in a list or tree already."""
        region, _ = owned(run, node)
        if node in self._heads:
            obj_drop_impl(run, region.base)
            return -Errno.EINVAL
        self.of(run, head).insert(index, node)
        self._heads[node] = head
        return 0

    def take(self, run: Run, head: int, node: int) -> int:
        """The node, out of its list or tree; 0 if it is not in this one."""
        if self._heads.get(node) != head:
            return 0
        self.of(run, head).remove(node)
        del self._heads[node]
        return node


def list_push_front_impl(run: Run, head: int, node: int, meta: int = 0, offset: int = 0) -> int:
    """Put an object first."""
    return run.machine.graphs.put(run, head, node, offset, 0)


def list_push_back_impl(run: Run, head: int, node: int, meta: int = 0, offset: int = 0) -> int:
    """Put an object last."""
    return run.machine.graphs.put(run, head, node, offset, len(run.machine.graphs.of(run, head)))


def list_pop_front(run: Run, head: int) -> int:
    """Take the first node, or 0."""
    nodes = run.machine.graphs.of(run, head)
    return run.machine.graphs.take(run, head, nodes[0]) if nodes else 0


def list_pop_back(run: Run, head: int) -> int:
    """Take the last node, or 0."""
    nodes = run.machine.graphs.of(run, head)
    return run.machine.graphs.take(run, head, nodes[-1]) if nodes else 0


def list_front(run: Run, head: int) -> int:
    """The first node, which stays, or 0.  Linux 6.16."""
    nodes = run.machine.graphs.of(run, head)
    return nodes[0] if nodes else 0


def list_back(run: Run, head: int) -> int:
    """The last node, which stays, or 0.  Linux 6.16."""
    nodes = run.machine.graphs.of(run, head)
    return nodes[-1] if nodes else 0


def rbtree_add_impl(run: Run, root: int, node: int, less: int, meta: int = 0, offset: int = 0) -> int:
    """Put an object behind all that it is not less than."""
    nodes = list(run.machine.graphs.of(run, root))
    low, high = 0, len(nodes)
    owned(run, node)
    while low < high:  # as many questions as a balanced tree asks
        middle = (low + high) // 2
        if run.callback(less, node, nodes[middle]) & 0xFF:
            high = middle
        else:
            low = middle + 1
    return run.machine.graphs.put(run, root, node, offset, low)


def rbtree_remove(run: Run, root: int, node: int) -> int:
    """Take a node out; 0 if it is not in this tree."""
    run.machine.graphs.of(run, root)
    return run.machine.graphs.take(run, root, node)


rbtree_first = list_front
