"""IR to object: LLVM IR text, and the child process that makes machine code of it.

May import: ``compiler.ir``, ``schema``, ``errors``; llvmlite is imported by ``codegen`` alone, and only in the child.
Invariant: LLVM never runs in a process that matters, because its errors end the process.
"""
