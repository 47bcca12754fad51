"""Helper functions: each takes the run and as many registers as it has other parameters, and gives r0.

A number below zero is the error of that number; ``None`` leaves r0 unwritten, as helpers do that return nothing.
"""

from beespace.vm.helpers.table import HELPERS, Helper

__all__ = ["HELPERS", "Helper"]
