"""What the platform asks of the world outside, as protocols: one file each. Their docstrings are the contract."""
