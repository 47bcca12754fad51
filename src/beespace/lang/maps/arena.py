"""``Arena``: memory that programs and user space share."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, overload

from beespace.lang.maps.declaration import Map, kernel_only
from beespace.lang.maps.ring import ring_bytes
from beespace.schema import Struct
from beespace.schema.kinds import kind_size
from beespace.schema.view import Shared, View, address_of, copy_of, view_plain

__all__ = ["Arena"]

_MMAPABLE = 1 << 10  # BPF_F_MMAPABLE
_PAGE = 4096
_POOL = 16  # where the pool begins and ends

V = TypeVar("V", bound=Struct)
S = TypeVar("S", bound=Struct)


class Arena(Map, Generic[V]):
    """Memory that programs and this process share, in which structs may point to each other.  Linux 6.9.

    ``Arena(Table)`` holds one struct, :attr:`value`, in which both sides read and write.  A field ``next: Node | None``
    is a pointer to a struct in the arena.  ``pool`` is memory for :meth:`new`; ``size`` is all of the arena, with the
    pages that :meth:`allocate` adds.  Both are a text as ``"1 MiB"`` or a number of bytes, rounded up to a power of two
    pages of 4096 bytes.  ``Arena("1 MiB")`` is memory without a struct, for user space and programs of others.  A
    program has one arena.
    """

    map_type = 33  # BPF_MAP_TYPE_ARENA
    flags = _MMAPABLE
    #: What follows the arena's name in the names of its variables in the object.
    variable = "_value"
    pool_variable = "_pool"

    @overload
    def __init__(self, value: type[V], size: str | int | None = ..., *, pool: str | int = ...) -> None: ...
    @overload
    def __init__(self: Arena[Any], value: str | int = ...) -> None: ...
    def __init__(self, value: Any = "1 MiB", size: str | int | None = None, *, pool: str | int = 0) -> None:
        self.pool = ring_bytes(pool) if pool else 0
        if not isinstance(value, type):
            if size is not None or pool:
                raise TypeError("an arena that is given a size alone has no pool: name the Struct that it holds first")
            super().__init__(None, None, ring_bytes(value) // _PAGE)
            return
        if not issubclass(value, Struct):
            raise TypeError(f"an Arena holds a Struct, or has a size alone; got {value!r}")
        # One page more than there must be: what stands at the very beginning could be taken for a null pointer.
        least = _pages(kind_size(value) + _POOL) + _pages(self.pool) + 1
        pages = ring_bytes(size) // _PAGE if size is not None else least
        if pages < least:
            raise TypeError(
                f"an Arena of {value.__name__} and its pool takes {least * _PAGE} bytes at least, not {size!r}"
            )
        super().__init__(None, value, pages)

    def memory(self) -> memoryview:
        """All of it; valid while the program runs."""
        view: memoryview = self.backend.container.memory()
        return view

    @property
    def value(self) -> V:
        """The struct that the arena holds, read and written in place; ``None`` ends a chain of pointers.

        What an arena without a struct is asked for raises :class:`TypeError`.
        """
        if not isinstance(self.value_kind, type):
            raise TypeError(f"the arena {self.name} holds no struct: declare it as Arena(Struct)")
        found: Any = View(self.value_kind, self._shared(), self.backend.start)
        return found  # type: ignore[no-any-return]

    def at(self, struct: type[S], address: int) -> S:
        """The struct at an address that a program has given."""
        shared = self._shared()
        found: Any = View(struct, shared, shared.offset(address))
        return found  # type: ignore[no-any-return]

    def address(self, view: Struct) -> int:
        """The address of a struct in the arena, as pointers of programs have it."""
        found: Any = view
        return address_of(found)

    def copy(self, view: S) -> S:
        """A struct of the arena as it is now; pointers in it are addresses."""
        found: Any = view
        return copy_of(found)  # type: ignore[no-any-return]

    def _shared(self) -> Shared:
        container = self.backend.container
        return Shared(container.memory(), container.address, container.offset)

    @property
    def lost(self) -> int:
        """How often :meth:`new` and :meth:`allocate` found no room."""
        return int(self.backend.lost())

    def new(self, struct: type[S]) -> S | None:
        """Kernel only: a struct of zeroes from the pool, which stays as long as the program; None if that is used up.

        Linux 6.10.
        """
        raise kernel_only("new")

    def allocate(self, struct: type[S]) -> S | None:
        """Kernel only: a struct of zeroes in pages of its own, or None.  Programs that may sleep.

        bpf_arena_alloc_pages.
        """
        raise kernel_only("allocate")

    def free(self, pointer: Struct) -> None:
        """Kernel only: give the pages that :meth:`allocate` took back.  bpf_arena_free_pages."""
        raise kernel_only("free")

    def plain(self) -> Any:
        return view_plain(self.value) if self.value_kind is not None else None


def _pages(size: int) -> int:
    return -(-size // _PAGE)
