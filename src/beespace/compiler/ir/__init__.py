"""The typed IR: what the front half hands to the back half.

Invariant: a closed set of frozen values.  A module that :func:`beespace.compiler.ir.verify.verify`
accepts means one thing, machine arithmetic included, and every part of it can be translated.

The IR is a tree with structured control flow: no SSA, no basic blocks.  Expressions have a
``type``; statements have none.  ``span`` is where a node came from; ``None`` takes the span of the
enclosing node.  A tree is written as tuples, so equal trees compare equal.

Values
    Integers wrap; nothing is undefined.  Shift counts are taken modulo the width, ``x / 0`` is 0
    and ``x % 0`` is ``x`` (as the machine has it).  Integers never change type by themselves:
    both sides of a :class:`Binary` or :class:`Compare` have the same type, see :class:`Convert`.
Locals
    :class:`Declare` makes a local in the rest of its block and the blocks inside; names are
    unique in their function (a front-end that shadows renames: ``x``, ``x.1``).  A local
    declared without a value is zero.  Parameters are locals.  Locals hold integers, booleans
    and pointers; whatever has more bytes lives in a :class:`Slot` of the function.
Memory
    A pointer's :class:`Region` decides how it is read.  ``Load`` from ``KERNEL_UNTRUSTED`` and ``USER``
    becomes bpf_probe_read_kernel() or bpf_probe_read_user() (a fault reads as zero); every other
    region is read directly.  Whether a pointer may be null is the front-end's knowledge.
Kernel types
    :class:`KernelField` and its kin become CO-RE relocations; the front-end names members and the
    kinds of members as it found them in BTF, and leaves anonymous structs and unions out of the path.
"""

from __future__ import annotations

from beespace.compiler.ir.definitions import PASSING as PASSING
from beespace.compiler.ir.definitions import Function as Function
from beespace.compiler.ir.definitions import GlobalDefinition as GlobalDefinition
from beespace.compiler.ir.definitions import InterfaceMember as InterfaceMember
from beespace.compiler.ir.definitions import MapDefinition as MapDefinition
from beespace.compiler.ir.definitions import Module as Module
from beespace.compiler.ir.definitions import Section as Section
from beespace.compiler.ir.definitions import Slot as Slot
from beespace.compiler.ir.definitions import Source as Source
from beespace.compiler.ir.definitions import StructOpsDefinition as StructOpsDefinition
from beespace.compiler.ir.expressions import And as And
from beespace.compiler.ir.expressions import ArenaAddress as ArenaAddress
from beespace.compiler.ir.expressions import Atomic as Atomic
from beespace.compiler.ir.expressions import Binary as Binary
from beespace.compiler.ir.expressions import ByteSwap as ByteSwap
from beespace.compiler.ir.expressions import Call as Call
from beespace.compiler.ir.expressions import Compare as Compare
from beespace.compiler.ir.expressions import Const as Const
from beespace.compiler.ir.expressions import ContextField as ContextField
from beespace.compiler.ir.expressions import Convert as Convert
from beespace.compiler.ir.expressions import CoreEnumValue as CoreEnumValue
from beespace.compiler.ir.expressions import CoreInfo as CoreInfo
from beespace.compiler.ir.expressions import Expression as Expression
from beespace.compiler.ir.expressions import FunctionAddress as FunctionAddress
from beespace.compiler.ir.expressions import GlobalAddress as GlobalAddress
from beespace.compiler.ir.expressions import Helper as Helper
from beespace.compiler.ir.expressions import KernelBitfield as KernelBitfield
from beespace.compiler.ir.expressions import KernelField as KernelField
from beespace.compiler.ir.expressions import KernelFunction as KernelFunction
from beespace.compiler.ir.expressions import KernelFunctionExists as KernelFunctionExists
from beespace.compiler.ir.expressions import Load as Load
from beespace.compiler.ir.expressions import Local as Local
from beespace.compiler.ir.expressions import LocalTypeId as LocalTypeId
from beespace.compiler.ir.expressions import MapAddress as MapAddress
from beespace.compiler.ir.expressions import Not as Not
from beespace.compiler.ir.expressions import Offset as Offset
from beespace.compiler.ir.expressions import Or as Or
from beespace.compiler.ir.expressions import Select as Select
from beespace.compiler.ir.expressions import Sequence as Sequence
from beespace.compiler.ir.expressions import StackSlot as StackSlot
from beespace.compiler.ir.statements import Assign as Assign
from beespace.compiler.ir.statements import AtomicAdd as AtomicAdd
from beespace.compiler.ir.statements import Block as Block
from beespace.compiler.ir.statements import Break as Break
from beespace.compiler.ir.statements import Continue as Continue
from beespace.compiler.ir.statements import Copy as Copy
from beespace.compiler.ir.statements import Declare as Declare
from beespace.compiler.ir.statements import Each as Each
from beespace.compiler.ir.statements import Evaluate as Evaluate
from beespace.compiler.ir.statements import Guard as Guard
from beespace.compiler.ir.statements import If as If
from beespace.compiler.ir.statements import Loop as Loop
from beespace.compiler.ir.statements import Return as Return
from beespace.compiler.ir.statements import Statement as Statement
from beespace.compiler.ir.statements import Store as Store
from beespace.compiler.ir.statements import Zero as Zero
from beespace.compiler.ir.types import BOOL as BOOL
from beespace.compiler.ir.types import I8 as I8
from beespace.compiler.ir.types import I16 as I16
from beespace.compiler.ir.types import I32 as I32
from beespace.compiler.ir.types import I64 as I64
from beespace.compiler.ir.types import U8 as U8
from beespace.compiler.ir.types import U16 as U16
from beespace.compiler.ir.types import U32 as U32
from beespace.compiler.ir.types import U64 as U64
from beespace.compiler.ir.types import VOID as VOID
from beespace.compiler.ir.types import AtomicOp as AtomicOp
from beespace.compiler.ir.types import BinaryOp as BinaryOp
from beespace.compiler.ir.types import BoolType as BoolType
from beespace.compiler.ir.types import CompareOp as CompareOp
from beespace.compiler.ir.types import CoreAccess as CoreAccess
from beespace.compiler.ir.types import CoreArray as CoreArray
from beespace.compiler.ir.types import CoreElement as CoreElement
from beespace.compiler.ir.types import CoreEnum as CoreEnum
from beespace.compiler.ir.types import CoreInt as CoreInt
from beespace.compiler.ir.types import CoreKind as CoreKind
from beespace.compiler.ir.types import CoreMember as CoreMember
from beespace.compiler.ir.types import CorePointer as CorePointer
from beespace.compiler.ir.types import CorePrototype as CorePrototype
from beespace.compiler.ir.types import CoreQuestion as CoreQuestion
from beespace.compiler.ir.types import CoreStruct as CoreStruct
from beespace.compiler.ir.types import IntType as IntType
from beespace.compiler.ir.types import Parameter as Parameter
from beespace.compiler.ir.types import PointerType as PointerType
from beespace.compiler.ir.types import Region as Region
from beespace.compiler.ir.types import Span as Span
from beespace.compiler.ir.types import Type as Type
from beespace.compiler.ir.types import VoidType as VoidType
