"""The ports, kept by real engines: one package each, knowing nothing of the others."""
