"""What the verifier's complaints mean, in plain words: one table.

Pure.  Each row is a pattern over the decisive line of any kernel since 5.10, what it means, and what to change in
Python, and in C where that is something else.  ``{1}``, ``{2}`` are groups of the pattern; ``{name}`` is what the
register holds, ``{code}`` its source, ``{none}`` what the language calls a null pointer.
The messages are those of kernel/bpf/verifier.c.
"""

from __future__ import annotations

import re

from beespace.record import dataclass

__all__ = ["Meaning", "meaning_of"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """``title`` completes "the kernel refused f():"; ``note`` is the rule; ``help`` what to change."""

    title: str
    note: str
    help: str


_GENERATED = "the compiler makes these checks itself; please report this program"

_TABLE: tuple[tuple[str, ...], ...] = (
    # --- how much it looks at
    (r"BPF program is too large\. Processed (\d+) insn",
     "it takes more than a million steps to check",
     "the kernel follows every path through the program, each round of a loop, and gives up after 1,000,000 "
     "instructions",
     "shorten the loop, or make it a range() of more than 4096 rounds: bpf_loop() runs that, and it is checked once",
     "shorten the loop, or run its body by bpf_loop() (Linux 5.17), which is checked once"),
    (r"[Tt]he sequence of (\d+) jumps is too complex",
     "it has too many branches to follow",
     "the kernel remembers at most 8192 branches that it has still to look at",
     "have fewer `if`s inside of loops, or let the loop end earlier"),
    (r"infinite loop detected|back-edge from insn",
     "a loop may never end",
     "the kernel came back to the same instruction with the same values, so nothing makes the loop end",
     "write it as `for _ in range(n):` and leave it with `break`",
     "count in the loop: `for (int i = 0; i < MAX; i++)`, and leave it with `break`"),
    # --- stack and calls
    (r"combined stack size of (\d+) calls is (\d+)\. Too large",
     "{1} functions that call each other need {2} bytes of stack; there are 512",
     "the frames of a whole chain of calls share 512 bytes",
     "call fewer functions inside of each other, or keep large structs in a PerCpuArray",
     "call fewer functions inside of each other, or keep large arrays in a per-CPU array map"),
    (r"the call stack of (\d+) frames is too deep",
     "{1} functions call each other; the kernel allows 8",
     "a chain of calls may have 8 frames, the program's own included",
     "write some of the functions into their callers"),
    (r"tail_calls are not allowed when call stack of previous frames is (\d+) bytes",
     "a function that makes a tail call was called with {1} bytes of stack in use; 256 are allowed",
     "what a tail call leaves behind stays on the stack, so its callers may use 256 bytes",
     "make the tail call in the program itself, or keep large structs in a PerCpuArray",
     "make the tail call in the program itself, or keep large arrays in a per-CPU array map"),
    (r"tail_call abusing map|tail_calls are not allowed in non-JITed programs with bpf-to-bpf calls",
     "a tail call is not possible here", "this kernel cannot combine tail calls with calls of functions",
     "write the functions into the program that makes the tail call"),
    # --- memory
    (r"R(\d+) invalid mem access '\w+_or_null_?'",
     "{name} may be {none} here",
     "this kernel knows that the pointer can be null at this point, and lets nobody look behind it before a check",
     "check it first: `if {code} is None: return`",
     "check it first: `if (!{code}) return 0;`"),
    (r"R(\d+) invalid mem access '(?:scalar|inv)'",
     "{name} is no address here",
     "the kernel does not know it as a pointer: arithmetic or a call has made a plain number of it (what points into a "
     "packet is lost when a helper changes the packet)",
     "look the value up again after the call",
     "use the pointer that a helper or the context gave; what a number points to is read by bpf_probe_read_kernel()"),
    (r"Possibly NULL pointer passed to (?:trusted )?(?:helper )?arg#?(\d+)",
     "{name} may be {none} here",
     "the function that is called takes no null pointer",
     "check it first: `if {code} is None: return`",
     "check it first: `if (!{code}) return 0;`"),
    (r"R(\d+) (?:unbounded memory access|unbounded indirect variable offset)",
     "{name} has no upper bound here",
     "the number says how much memory is read or written, and the kernel does not see a limit to it",
     "bound it right before its use: `min({code}, LIMIT)` or `& (LIMIT - 1)`, with LIMIT the size of the memory",
     "bound it right before its use: `if ({code} > LIMIT) return 0;` or `{code} &= LIMIT - 1;`"),
    (r"R(\d+) min value is negative",
     "{name} may be negative here",
     "the number says how much memory is used, or where, and must not be less than zero",
     "use an unsigned type for it, or check it: `if {code} < 0: return`",
     "make it unsigned, or check it: `if ({code} < 0) return 0;`"),
    (r"invalid access to packet|R(\d+) offset is outside of the packet",
     "this part of the packet may not be there",
     "what is read must have been compared with the packet's end on the way here",
     "ask for it again with bpf.packet(ctx, Header, offset), and check the result for None",
     "compare first: `if (data + offset + size > data_end) return ...;`"),
    (r"(?:invalid access to (?:map value|memory|ring)|R(\d+) (?:max|min) value is outside)",
     "{name} may be outside of the memory that it belongs to",
     "for some values that the kernel thinks possible the access would be past the end",
     "bound it right before its use, with `min()`, `%` or `&`",
     "compare it with the size right before its use, or cut it with `&`"),
    (r"invalid (?:indirect )?(?:read from|access to) stack",
     "memory is read that nothing was written to",
     "the kernel lets programs read only what they wrote before, padding included",
     _GENERATED,
     "give the variable a value where it is declared: `= {{}}`; padding of structs by memset()"),
    (r"R(\d+) !read_ok", "a value is used that was never set",
     "each register must have been written on every path here", _GENERATED,
     "give the variable a value on every path; a program returns one, too"),
    (r"R(\d+) cannot write into|only read is supported|write into map forbidden|cannot write into",
     "{name} cannot be written", "this memory belongs to the kernel, or is constant",
     "copy it into a local, and change that"),
    (r"access beyond struct (\w+)|cannot access ptr member (\w+)",
     "a field is read that the kernel does not hand out", "the access does not lie within one field that may be read",
     "read the field through bpf.cast() or another way to the object",
     "read the field with bpf_core_read() or BPF_CORE_READ()"),
    (r"invalid bpf_context access off=(\d+) size=(\d+)",
     "this field of the context is not for programs of this kind",
     "each kind of program may read some fields of its context, and write fewer; kernels add to them",
     "leave it out, use another hook, or ask for it with a word of bpf",
     "leave it out, use another section, or ask for it with a helper"),
    (r"pointer arithmetic (?:with \S+ operator )?(?:on \w+ )?prohibited|math between \w+ pointer and"
     r"|pointer \S+ pointer prohibited|on pointer prohibited"
     r"|has pointer with unsupported alu operation",
     "a pointer is used as a number",
     "of pointers the kernel allows constants added, and numbers that it knows the limits of; nothing else",
     "take a number for it: a key, an index, or `u64(pointer)` of a kernel object",
     "keep the number beside the pointer: a key, or an index"),
    (r"dereference of modified (\w+) ptr|variable (\w+) access var_off",
     "a pointer was moved before it was used",
     "pointers to kernel objects and contexts may only be used where they point", _GENERATED,
     "use the pointer as it was given, with constant offsets"),
    # --- what may be called
    (r"(?:program of this type cannot use helper|unknown func) (\w+)#(\d+)",
     "{1}() cannot be called from a program of this kind",
     "each kind of program has helpers of its own, and kernels add to them",
     "use a hook whose programs may call it"),
    (r"cannot call GPL-restricted function|cannot call GPL only function",
     "a function is called that is for GPL programs only",
     "some helpers can only be used by programs whose license is compatible with the GPL",
     'set `license = "GPL"` in the class, if that is what you want',
     'write `char LICENSE[] SEC("license") = "GPL";`, if that is what you want'),
    (r"sleepable (?:helper|kfunc) (\w+).* in .*(?:region|section)|(\w+) is sleepable within"
     r"|might sleep (?:with)?in .*(?:region|section|rcu)",
     "{1}{2}() may sleep, and is called where nothing may",
     "while preemption or interrupts are off, or an RCU section lasts, the CPU must not go on to another task",
     "call it before or after the `with` block",
     "call it before the section begins, or after its end"),
    (r"kernel func (\w+) requires RCU critical section",
     "{1}() must be called inside of an RCU section",
     "what it gives stays valid only as long as the section lasts, and a program that may sleep has none of its own",
     "write `with bpf.rcu():` around it",
     "call bpf_rcu_read_lock() before, and bpf_rcu_read_unlock() after it"),
    (r"nested rcu read lock",
     "an RCU section begins inside of another",
     "this kernel takes one at a time",
     "leave the inner `with bpf.rcu():` out: the outer one covers it",
     "leave the inner bpf_rcu_read_lock() out: the outer one covers it"),
    (r"helper call might sleep|sleepable helper|must be sleepable to call|cannot be called from non-sleepable"
     r"|sleepable .*in (?:a )?non-sleepable",
     "what is called may sleep, but the program may not",
     "only a program that was declared so may wait, for a page of memory or a lock",
     "declare the hook with sleepable=True, where it can be had",
     'use a section whose programs may sleep, as SEC("fentry.s/...")'),
    (r"[Ss]leepable programs can only use|Sleepable (?:map|progs)",
     "this map cannot be used by a program that may sleep",
     "a program that may sleep can use arrays, hashes, rings and storages only, and on old kernels fewer",
     "use another map, or another hook without sleepable=True"),
    (r"calling kernel function (\w+) is not allowed",
     "{1}() cannot be called from a program of this kind",
     "each kernel function says which kinds of programs may call it",
     "use a hook whose programs may call it"),
    (r"R(\d+) type=\w+_or_null_? expected=",
     "{name} may be {none} here",
     "the function that is called takes no null pointer",
     "check it first: `if {code} is None: return`",
     "check it first: `if (!{code}) return 0;`"),
    (r"R(\d+) must be (?:referenced|trusted|a rcu pointer)|arg#?(\d+) (?:pointer type|expected pointer)"
     r"|R(\d+) type=(\S+) expected=(\S+)|R(\d+) is of type",
     "{name} is not what the function takes",
     "the kernel follows where each pointer came from; this one is of another kind than the function asks for",
     "pass what the hook or a lookup gave, not what was read through another pointer"),
    (r"cannot pass map_type (\d+) into func (\w+)",
     "{2}() does not work on this map", "each helper works on maps of some types only", "use another map"),
    (r"function calls are not allowed while holding a lock|calling (?:\w+ )?.*lock held|cannot call .* while holding",
     "a function is called while a lock is held",
     "until the lock is given back nothing may be called",
     "make the calls before or after the `with` block",
     "make the calls before bpf_spin_lock() or after bpf_spin_unlock()"),
    (r"bpf_spin_unlock is missing|inside bpf_spin_lock|without taking a lock|inside bpf_(?:spin|res_spin)_lock",
     "a lock is not given back on every path", "the program must release each lock before it ends", _GENERATED,
     "call bpf_spin_unlock() before each return"),
    (r"Unreleased reference|reference (?:leak|has not been)",
     "what was acquired is not given back on every path",
     "sockets, tasks and records that a function gave to keep must be released before the program ends",
     "release it before each `return`"),
    # --- what a program attaches to
    (r"(\w+)\(\) is not modifiable",
     "{1}() lets no program change its result",
     "only functions that the kernel marks for it (error injection, security hooks) can be overridden",
     "use @fexit to see the result, or override another function"),
    (r"points to disabled hook bpf_lsm_(\w+)",
     "the security hook {1} is kept from programs",
     "its result, or when it is called, would let a program break what the kernel relies on",
    "use another security hook, or @fentry of the function that asks it"),
    (r"(\w+) is not sleepable|programs can be sleepable",
     "it cannot sleep where it runs",
     "the kernel calls the program where it holds a lock or counts on not being put off",
     "leave sleepable=True out",
     "use the section without .s"),
    (r"write access at off (\d+) with size (\d+)|no write support to (\w+)",
     "this field cannot be written on this kernel",
     "each kernel says which fields of its objects an implementation may write, and newer ones allow more",
     "leave the assignment out where the kernel does not take it"),
    # --- results
    (r"At program exit the register R0 (.*should have been in .*)",
     "it returns what this hook does not take: {1}",
     "a hook says which numbers a program may return", "return one of them, in every case"),
    (r"R0 leaks addr as return value|leaks addr",
     "an address of the kernel would become visible",
     "without the right to read kernel memory no address may leave the program",
     "store what is behind the pointer, not the pointer"),
)  # fmt: skip

_COMPILED = tuple((re.compile(row[0]), row[1:]) for row in _TABLE)
_REPORT = re.compile(r"R(\d+)\b")


def meaning_of(text: str, value: str = "", *, c: bool = False) -> Meaning | None:
    """What a complaint means; ``value`` is the source of what the register holds, of Python or of C.

    ``None``: no row has it.
    """
    name, code = (f"`{value}`", value) if value else ("a value", "value")
    for pattern, (title, note, help, *in_c) in _COMPILED:
        found = pattern.search(text)
        if found:
            words = [found[0], *(group or "" for group in found.groups())]
            parts = (title, note, in_c[0] if in_c and c else help)
            none = "NULL" if c else "None"
            return Meaning(*(part.format(*words, name=name, code=code, none=none) for part in parts))
    return None


def register_in(text: str) -> int | None:
    """The register that a complaint is about."""
    found = _REPORT.search(text)
    return int(found[1]) if found else None
