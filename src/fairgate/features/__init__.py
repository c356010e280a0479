"""Windowed aggregates per entity: how a pack's aggregates are laid out in rows, fed and read."""
