"""What comes in: events decoded and validated, identifiers normalised."""
