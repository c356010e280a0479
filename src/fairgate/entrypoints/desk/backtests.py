"""A backtest as a job: two packs on what the log holds, the report left in the job's folder."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from fairgate.domain.event import moment
from fairgate.entrypoints.backtest_page import page_of
from fairgate.entrypoints.desk.tasks import REPORT_JSON, REPORT_PAGE, Backtest, PackGiven, PackTexts
from fairgate.entrypoints.replay_command import batches, secret_for
from fairgate.ingest.decode import Taken
from fairgate.language.checked import CheckedPack
from fairgate.pipeline.backtest import Material, backtest
from fairgate.pipeline.replay import Replay
from fairgate.settings import Settings
from fairgate.wiring import checked_from, load_checked

#: A replay says how far it is after so many events.
_EVERY = 100_000


def run_backtest(task: Backtest, settings: Settings, now: int, told: Callable[[str], None]) -> None:
    """Compare, and write the report as JSON and as a page. Raises `PackError` and what `backtest` raises."""
    old, new = _pack(task.old), _pack(task.new)
    log = settings.data / "log"
    since = None if task.days is None else moment(now) - timedelta(days=task.days)
    rules = () if task.rule is None else (task.rule,)
    with TemporaryDirectory(prefix="backtest-") as scratch:
        material = Material(None, [log], Path(scratch), secret_for([log]), _reader(told), since)
        report = backtest(old, new, material, rules, told)
    folder = Path(task.folder)
    (folder / REPORT_PAGE).write_text(page_of(report), "utf-8")
    (folder / REPORT_JSON).write_bytes(msgspec.json.encode(report))


def _pack(given: PackGiven) -> CheckedPack:
    return checked_from(given.files) if isinstance(given, PackTexts) else load_checked(given.path)


def _reader(
    told: Callable[[str], None],
) -> Callable[[Sequence[Path], Replay], AbstractContextManager[Iterable[Sequence[Taken]]]]:
    """Reads the log for a replay, and tells how far that is."""

    @contextmanager
    def read(inputs: Sequence[Path], replay: Replay) -> Iterator[Iterable[Sequence[Taken]]]:
        with batches(inputs, replay, lambda _: None) as events:
            yield _counted(events, told)

    return read


def _counted(events: Iterable[Sequence[Taken]], told: Callable[[str], None]) -> Iterator[Sequence[Taken]]:
    count, next_word = 0, _EVERY
    for batch in events:
        yield batch
        count += len(batch)
        if count >= next_word:
            told(f"Replayed {count:,} events")
            next_word = count + _EVERY
