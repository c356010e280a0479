"""Simulated worlds: events as another team would send them, and the truth about who sent them."""
