"""One round of the lake's upkeep, in a worker process."""

from contextlib import ExitStack, closing
from datetime import date

from fairgate.backends.embedded.lake import FolderLake, open_lake
from fairgate.backends.embedded.segment_reader import SegmentReader
from fairgate.domain.event import moment
from fairgate.entrypoints.desk.tasks import Compact, Done
from fairgate.pipeline.compaction import Compaction, retain
from fairgate.settings import DEFAULT, Retention, Settings
from fairgate.wiring import checked_from

#: Steps of one round: a round that ends now and then can be told about.
_STEPS = 4


class Compacting:
    """The lake opened for writing, and the log that it is made of. Raises what opening them raises."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self._retention = settings.retention
        self._lake: FolderLake = stack.enter_context(open_lake(settings.data / "lake"))
        self._log = stack.enter_context(closing(SegmentReader.open(settings.data / "log")))
        self._compaction = Compaction(self._log, self._lake, checked_from)

    def round(self, task: Compact, now: int) -> Done:
        """Take in what the log has, up to a limit, and tidy where that is asked; `now` as the clock port gives it."""
        self._log.refresh()
        for _ in range(_STEPS):
            if not self._compaction.step():
                break
        if task.tidy:
            self._tidy(moment(now).date())
        return Done(end=self._log.end(), covered=self._lake.covered().sequence)

    def _tidy(self, today: date) -> None:
        for event_type in sorted({each.event_type for each in self._lake.files()}):
            kept = self._retention.get(event_type) or self._retention.get(DEFAULT) or Retention()
            retain(self._lake, event_type, today, kept.days, kept.megabytes)
        self._lake.merge(today)
