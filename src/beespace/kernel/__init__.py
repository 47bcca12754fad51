"""Live objects in Linux: maps, programs, links, ring buffers, and what makes them from a spec.

May import: ``spec``, ``elf``, ``reloc`` and rows below; the standard library.  Invariant: whatever is
made here has one owner that closes it, and nothing outlives the process: an error leaves no map, program or
attachment behind, and so does ``kill -9``.
"""
