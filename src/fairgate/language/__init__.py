"""The rule language: load a pack's files, parse and check its expressions, compile them to Python and to columns."""
