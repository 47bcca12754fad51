"""The probes that beespace ships, each in a folder of its own, written in beespace's Python.

May import: ``lang``, ``schema``, ``types``, ``hooks``.  Invariant: a probe cannot reach the kernel,
a sink or the compiler; what it says is all that runs.

``objects/`` holds each probe compiled, so that a node needs no LLVM; ``make objects`` renews them
and ``make check`` fails when they are older than their source.
"""
