"""`fairgate log verify --decisions`."""

from collections.abc import Callable
from pathlib import Path

from fairgate.backends.embedded.segments import open_log
from fairgate.backends.embedded.snapshots import FolderSnapshots
from fairgate.entrypoints.log_command import log_folder
from fairgate.kernel.rows import Rows
from fairgate.pipeline.rerun import rerun
from fairgate.secret_file import secrets_of
from fairgate.wiring import checked_from, open_seals


def run(directory: Path, echo: Callable[[str], object]) -> int:
    """Decide again on every event of a log and tell the first that comes out otherwise; 0 where none does."""
    folder = log_folder(directory)
    secrets = secrets_of(folder.parent, make=False)
    with open_log(folder, read_only=True) as log, open_seals(folder.parent) as seals:
        snapshots = FolderSnapshots(folder.parent / "snapshots")
        report = rerun(log, checked_from, secrets, Rows, seals, snapshots)
    if report.start:
        echo(f"the log's beginning was dropped: from the oldest snapshot on, at record {report.start:,}")
    echo(f"{report.events:,} events decided again, under {report.packs} packs going live")
    if report.erased:
        echo(f"{report.erased:,} events were erased: they were counted, and their decisions stand")
    if report.first is None:
        echo("every decision and feature comes out as recorded")
        return 0
    first = report.first
    echo(f"{report.differing:,} differ; the first is record {first.sequence}, event {first.id} of {first.source}:")
    echo(f"  its {first.field} is recorded as {first.recorded}")
    echo(f"  and comes out as {first.again}")
    echo("Was another secret, another version of Fairgate or another machine in use when it was written?")
    return 1
