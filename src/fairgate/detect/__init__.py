"""Which rules fire on an event, and which lists it stands in."""
