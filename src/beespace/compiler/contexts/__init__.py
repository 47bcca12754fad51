"""What a program is handed: the type of its context, its fields, a function's own arguments, what it may return."""
