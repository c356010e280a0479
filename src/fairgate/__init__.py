"""Fairgate: finds account abuse at AI APIs, decides within milliseconds, and shares compute fairly between people."""

__version__ = "0.1.0"
