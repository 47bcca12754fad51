"""The command line: it parses, calls the session, and shows; no logic of its own.

May import: everything below.  Invariant: ``beespace --help`` imports neither numpy nor the kernel
rooms; each command imports what it needs when it runs.
"""
