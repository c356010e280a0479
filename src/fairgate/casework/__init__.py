"""Casework: what people judge, in which order, and how well."""
