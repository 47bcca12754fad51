"""The kernel as the compiler knows it: types by name, fields, functions, helpers by number."""
