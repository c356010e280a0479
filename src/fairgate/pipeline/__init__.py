"""The stages put together: one path for a live request, a batch, recovery and replay."""
