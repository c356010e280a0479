"""Fairgate inside of other programs: gateways that ask for a share of the compute."""
