"""From the log to the records: whoever is erased there has left no words in these."""

from fairgate.domain.ledger import Subject
from fairgate.domain.pack import Pack
from fairgate.pipeline.projection import Watcher
from fairgate.pipeline.records import EraseRecord, PackRecord, Record
from fairgate.ports.appeals import Appeals


class Erasing(Watcher):
    """Erases the words of the appeals of whoever is erased by the log. Seen twice, it does so twice."""

    events = False

    def __init__(self, appeals: Appeals) -> None:
        self._appeals = appeals

    def live(self, record: PackRecord, pack: Pack) -> None:
        """See `Watcher`."""

    def see(self, _: int, record: Record) -> None:
        """See `Watcher`."""
        match record:
            case EraseRecord(subject=Subject() as subject):
                self._appeals.erase(subject)
            case _:
                pass  # nobody is erased by it

    def due(self, _: int) -> bool:
        """See `Watcher`."""
        return False

    def keep(self, upto: int, now: int) -> None:
        """See `Watcher`."""
