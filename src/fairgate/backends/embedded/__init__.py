"""Everything on one machine, in the process itself: the default."""
