"""Statements: each kind in a file of its own; :mod:`statements.statements` is the table of all."""
