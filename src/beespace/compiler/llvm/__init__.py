"""IR to object: LLVM IR text, and the child process that makes machine code of it.

May import: ``compiler.ir``, ``schema``, ``errors``; llvmlite is imported by ``__main__`` alone, which only the
child runs.  Invariant: LLVM never runs in a process that matters, because its errors end the process.
"""
