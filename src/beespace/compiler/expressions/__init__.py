"""Expressions: each kind in a file of its own; :mod:`expressions.expressions` is the table of all."""
