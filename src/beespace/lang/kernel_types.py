"""Types of the kernel by name, and what can be asked about them.

``from beespace.kernel import task_struct, sock`` gives :class:`KernelType` objects: names that the compiler looks up
in the kernel's own type information.  Importing one asks nothing and needs no kernel.

The functions here are questions that the running kernel answers when the object is loaded (CO-RE, kernel commit
ddc7c3042614 and libbpf's bpf_core_relo_kind); what they guard is left out of the program on kernels where the
answer is no.
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from beespace.errors import UsageError

__all__ = ["KernelStruct", "KernelType", "exists", "offsetof", "sizeof"]


class KernelType:
    """A struct, union, enum or typedef of the kernel, by name.

    As an annotation (``task: task_struct``, ``file: file | None``) it is a pointer to such a struct.  Attributes of an
    enum are its members: ``tcp_state.TCP_ESTABLISHED``.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<kernel type {self.name}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KernelType) and other.name == self.name

    def __hash__(self) -> int:
        return hash((KernelType, self.name))

    def __or__(self, other: object) -> KernelType:
        return self

    __ror__ = __or__

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{self.name}.{name} is known inside a method with a hook decorator only")


class KernelStruct:
    """The author's own view of a kernel struct: the fields that are needed, with the types that they have there.

    ::

        class task_struct___old(KernelStruct, name="task_struct"):
            state: i64

    Fields are found by name when the object is loaded, wherever they stand; so an object can be compiled where the
    kernel has no such field, and guarded by ``exists(task_struct___old, "state")``.  ``name`` is the kernel's; without
    it, it is the class's up to ``___``.  Fields are integers, ``bool``, enumerations, ``text(n)``, ``raw(n)``,
    ``array(u32, n)``, and pointers: to a kernel type or another such class.  ``union=True``: it is a union.
    """

    kernel_name: ClassVar[str]
    is_union: ClassVar[bool]

    def __init_subclass__(cls, *, name: str = "", union: bool = False, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.kernel_name = name or cls.__name__.partition("___")[0]
        cls.is_union = union

    def __init__(self) -> None:
        raise UsageError(
            f"{type(self).__name__} is memory of the kernel, which is read, not made",
            help="get one by bpf.cast(address, " + type(self).__name__ + ")",
        )


def _kernel_only(word: str) -> NoReturn:
    raise UsageError(
        f"{word}() is answered by the kernel that the program is loaded into",
        help="call it inside a method with a hook decorator; Python does not run it",
    )


def exists(what: Any, name: str = "") -> bool:
    """Whether the running kernel has a type, a field (``exists(task.field)``, ``exists(task_struct, "a.b")``) or a
    member of an enum (``exists(bpf_attach_type, "BPF_TCX_INGRESS")``).

    The branch of an ``if`` where the answer is no is left out of the loaded program, so what it reads may be missing.
    """
    _kernel_only("exists")


def sizeof(type: Any) -> int:
    """Bytes of a type: a type from :mod:`beespace.types`, a Struct, or a kernel type as the running kernel has it."""
    _kernel_only("sizeof")


def offsetof(type: Any, field: str) -> int:
    """Where a field (``"a.b"``) stands in a Struct, or in a kernel struct as the running kernel has it, in bytes."""
    _kernel_only("offsetof")
