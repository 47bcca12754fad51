"""Functions of the kernel that programs call by name (kfuncs), as in :mod:`beespace.vm.helpers`."""

from beespace.vm.kfuncs.table import KFUNCS, NUMBERS

__all__ = ["KFUNCS", "NUMBERS"]
