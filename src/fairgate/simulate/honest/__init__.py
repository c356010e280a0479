"""Honest people and companies: who they are, how they live, and what ties them to each other."""
