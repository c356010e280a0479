"""A backtest as a job: two packs on what the log holds, the report left in the job's folder.

What the old pack decided live is taken from the lake; where it does not have all of it, the log is replayed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from fairgate.backends.embedded.lake import open_lake
from fairgate.backends.embedded.segments import open_log
from fairgate.domain.errors import LakeAhead, LakeError, NotAllInLake, NotInLake
from fairgate.domain.event import moment
from fairgate.entrypoints.backtest_page import page_of
from fairgate.entrypoints.desk.tasks import REPORT_JSON, REPORT_PAGE, Backtest, PackGiven, PackTexts
from fairgate.entrypoints.replay_command import batches, secret_for
from fairgate.ingest.decode import Taken
from fairgate.language.checked import CheckedPack
from fairgate.pipeline.backtest import Material, backtest
from fairgate.pipeline.lake_recording import lake_as_recording
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
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="backtest-")))
        material = Material(None, [log], scratch, secret_for([log]), _reader(told), since)
        told("Looking for the history in the lake")
        report = backtest(old, new, _with_lake(material, settings.data, old, stack), rules, told)
    folder = Path(task.folder)
    (folder / REPORT_PAGE).write_text(page_of(report), "utf-8")
    (folder / REPORT_JSON).write_bytes(msgspec.json.encode(report))


def _with_lake(material: Material, data: Path, old: CheckedPack, stack: ExitStack) -> Material:
    """The material with the lake as its recording, which is open as long as the stack; else with why it is not."""
    try:
        lake = stack.enter_context(open_lake(data / "lake", read_only=True))
        log = stack.enter_context(open_log(data / "log", read_only=True))
        recorded = lake_as_recording(log, lake, old, checked_from, log.refresh, material.since)
    except (LakeAhead, LakeError, NotAllInLake, NotInLake) as error:
        return replace(material, unrecorded=str(error))
    return replace(material, recording=recorded)


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
