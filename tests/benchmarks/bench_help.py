"""How long `fairgate --help` takes."""

import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.rows import Row, median_of

_TIMES = 20


def run() -> list[Row]:
    """The wall time of the installed command, as who types it sees it."""
    command = [str(Path(sys.executable).with_name("fairgate")), "--help"]

    def seconds() -> float:
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    return [Row(f"fairgate --help, median of {_TIMES}", median_of(_TIMES, seconds), "s", op="<=", target=0.3)]
