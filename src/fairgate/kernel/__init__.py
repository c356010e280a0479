"""Packed feature rows and the compiled functions that advance and read them. Knows nothing of events or rules."""
