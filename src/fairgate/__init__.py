"""Fairgate: finds account abuse at AI APIs, decides within milliseconds, and shares compute fairly between people."""

from pathlib import Path
from typing import Any

__version__ = "0.1.0"


def lake(data: str | Path = "fairgate-data") -> Any:  # noqa: ANN401 - a NotebookLake, whose module is only imported here
    """The events, features, decisions and labels of a service's data folder, for a notebook; see `NotebookLake`."""
    from fairgate.entrypoints.notebook import NotebookLake

    return NotebookLake(Path(data))
