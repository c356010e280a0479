"""`fairgate log verify`."""

from collections.abc import Callable
from pathlib import Path

from fairgate.backends.embedded.segments import verify as verify_segments


def verify(directory: Path, echo: Callable[[str], object]) -> int:
    """Check a log and tell what is wrong; 0 where nothing is.

    `directory` is where log and snapshots are kept, or the log's own. A door may be writing to it meanwhile.
    """
    folder = log_folder(directory)
    report = verify_segments(folder)
    last = f"{report.first} to {report.last}" if report.records else "none"
    echo(f"{folder}: {report.segments} segments, {report.records:,} records ({last}), {report.bytes:,} bytes")
    for problem in report.problems:
        echo(f"  {problem.file}, byte {problem.offset}: {problem.what}. {problem.remedy}")
    echo("sound" if not report.problems else f"problems: {len(report.problems)}")
    return 1 if report.problems else 0


def log_folder(directory: Path) -> Path:
    """The log's own folder."""
    return directory / "log" if (directory / "log").is_dir() else directory
