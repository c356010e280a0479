"""`fairgate backtest`: what another pack would have done with the same history, as a table, JSON or a page."""

import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from fairgate.domain.errors import ReportUnwritable
from fairgate.entrypoints.backtest_page import page_of
from fairgate.entrypoints.backtest_table import show
from fairgate.entrypoints.replay_command import batches, files_of, progress, secret_for
from fairgate.ingest.decode import Taken
from fairgate.pipeline.backtest import Material, backtest
from fairgate.pipeline.replay import Replay
from fairgate.wiring import load_checked

#: Columns of the table where it is not read on a terminal.
_PLAIN_WIDTH = 100


def run(  # noqa: PLR0913 - one for each option
    old: Path,
    new: Path,
    *,
    recording: Path | None = None,
    inputs: Sequence[Path] = (),
    rule: str | None = None,
    as_json: bool = False,
    html: Path | None = None,
) -> int:
    """Compare two packs and print what would have been different; always 0.

    `rule` reports that one alone. With `html` the report is written there as a page, too. Raises `PackError`,
    `ReportUnwritable`, and what `backtest` raises.
    """
    was, now = load_checked(str(old)), load_checked(str(new))
    inputs = files_of(inputs, was)
    errors = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="fairgate-backtest-") as scratch:
        material = Material(recording, inputs, Path(scratch), secret_for(inputs), _read)
        report = backtest(was, now, material, () if rule is None else (rule,), lambda words: errors.print(Text(words)))
    if html is not None:
        try:
            html.write_text(page_of(report), "utf-8")
        except OSError as error:
            raise ReportUnwritable(html, error.strerror or str(error)) from error
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report)).decode() + "\n")
    else:
        show(report, Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH))
    return 0


@contextmanager
def _read(inputs: Sequence[Path], replay: Replay) -> Iterator[Iterable[Sequence[Taken]]]:
    """Files or an event log, with a bar on stderr where that is a terminal."""
    with progress(inputs, replay) as told, batches(inputs, replay, told) as events:
        yield events
