"""The rules of the language, one class for each mistake, grouped by what they are about.

May import: :mod:`beespace.compiler.diagnostics`.  Invariant: words only; what breaks a rule is decided
where the code for it is made.
"""

from beespace.compiler.rules.flow import (
    DivisorMayBeZero,
    IndexOutOfRange,
    LoopTooLong,
    LoopUnbounded,
    MayBeNone,
    MissingReturn,
    NeverNone,
    NotAssigned,
    Recursion,
    ReturnMismatch,
    ShiftMayBeNegative,
    UncheckedField,
    Unreachable,
    VerdictRange,
)
from beespace.compiler.rules.helpers import (
    HelperMaySleep,
    HelperNeedsGpl,
    HelperNotHere,
    MemorySize,
    MustBeGivenBack,
    NotMemory,
    OtherSpelling,
    WrongMap,
)
from beespace.compiler.rules.kernel import (
    ContextOnly,
    ContextReadOnly,
    KernelReadOnly,
    MemberKind,
    NoContextField,
    NoKernelField,
    NoKernelName,
    NoRecord,
    NoSuchEvent,
    NoSuchMember,
    SharedRecord,
    TooManyArguments,
    UnreadableField,
    WrongPointer,
)
from beespace.compiler.rules.maps import (
    ArgumentRange,
    AtomicWidth,
    DeleteTarget,
    JumpTarget,
    MapNotAValue,
    NoIncrement,
    NoMapWord,
    NotAtomic,
    PlainSubscript,
    WrongEvent,
)
from beespace.compiler.rules.names import (
    BadConstant,
    NoAttribute,
    NoField,
    NotKernelSide,
    NoWord,
    UndefinedName,
    UnknownAnnotation,
)
from beespace.compiler.rules.syntax import (
    ArgumentCount,
    ArgumentNames,
    AssignTarget,
    NoEffect,
    NotCallable,
    NotSupported,
    ParameterShape,
    UncalledFunction,
    Unpacking,
)
from beespace.compiler.rules.typing import (
    AliasInLoop,
    BoolAsNumber,
    CallDisagrees,
    Comparison,
    EnumMismatch,
    LiteralOutOfRange,
    MixedSigns,
    Narrowing,
    NotANumber,
    NotConstant,
    NumberAsBool,
    ParameterUntyped,
    ReadOnly,
    StackEscapes,
    TextTooLong,
    TextUnsized,
    TypeMismatch,
    UnionFields,
    VariableType,
    WrongSign,
)

__all__ = [
    "AliasInLoop", "ArgumentCount", "ArgumentNames", "ArgumentRange", "AssignTarget", "AtomicWidth", "BadConstant",
    "BoolAsNumber", "CallDisagrees", "Comparison", "ContextOnly", "ContextReadOnly", "DeleteTarget",
    "DivisorMayBeZero", "EnumMismatch", "HelperMaySleep", "HelperNeedsGpl", "HelperNotHere", "IndexOutOfRange",
    "JumpTarget", "KernelReadOnly", "LiteralOutOfRange", "LoopTooLong", "LoopUnbounded", "MapNotAValue", "MayBeNone",
    "MemberKind", "MemorySize", "MissingReturn", "MixedSigns", "MustBeGivenBack", "Narrowing", "NeverNone",
    "NoAttribute", "NoContextField", "NoEffect", "NoField", "NoIncrement", "NoKernelField", "NoKernelName",
    "NoMapWord", "NoRecord", "NoSuchEvent", "NoSuchMember", "NoWord", "NotANumber", "NotAssigned", "NotAtomic",
    "NotCallable", "NotConstant", "NotKernelSide", "NotMemory", "NotSupported", "NumberAsBool", "OtherSpelling",
    "ParameterShape", "ParameterUntyped", "PlainSubscript", "ReadOnly", "Recursion", "ReturnMismatch", "SharedRecord",
    "ShiftMayBeNegative", "StackEscapes", "TextTooLong", "TextUnsized", "TooManyArguments", "TypeMismatch",
    "UncalledFunction", "UncheckedField", "UndefinedName", "UnionFields", "UnknownAnnotation", "Unpacking",
    "Unreachable", "UnreadableField", "VariableType", "VerdictRange", "WrongEvent", "WrongMap", "WrongPointer",
    "WrongSign",
]  # fmt: skip
