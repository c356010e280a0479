"""Where the data sets and workloads are that are too large, or not ours, for the repository."""

import os
from pathlib import Path

_SHARED = Path(__file__).parents[2] / "shared"


def shared_data() -> Path | None:
    """The folder of data sets: $FAIRGATE_DATA, or shared/data beside the checkout; None where it is missing."""
    folder = Path(os.environ.get("FAIRGATE_DATA") or _SHARED / "data")
    return folder if folder.is_dir() else None


def shared_bench() -> Path | None:
    """The folder of published workloads, shared/bench beside the checkout; None where it is missing."""
    folder = _SHARED / "bench"
    return folder if folder.is_dir() else None
