"""The log looked up: an event's record by number or by name, and the pack that a record was written under."""

from bisect import bisect_left

from fairgate.domain.errors import NoSuchRecord, RecordUnreadable
from fairgate.pipeline.records import EventRecord, PackRecord, Record, decode
from fairgate.pipeline.repeats import Repeats
from fairgate.ports.event_log import EventLog


class Lookup:
    """Finds records. `find` is for the thread that takes events; the others may be called from any."""

    def __init__(self, log: EventLog, repeats: Repeats) -> None:
        self._log = log
        self._repeats = repeats

    def find(self, source: str, name: str) -> int | None:
        """The number of the event with this source and id, if it came within the last thirty days."""
        for number in self._repeats.known(source, name):
            record = self._decoded(number)
            if isinstance(record, EventRecord) and (record.source, record.id) == (source, name):
                return number
        return None

    def record(self, sequence: int) -> EventRecord:
        """The event and decision with this number. Raises `NoSuchRecord`, also where something else has it."""
        record = self._decoded(sequence)
        if not isinstance(record, EventRecord):
            raise NoSuchRecord(sequence, self._log.end(), self._log.begin())
        return record

    def pack_of(self, sequence: int) -> PackRecord:
        """The pack that was live at a number. Raises as `live_pack`."""
        return live_pack(self._log, sequence)

    def _decoded(self, sequence: int) -> Record:
        return _decoded(self._log, sequence)


def live_pack(log: EventLog, sequence: int) -> PackRecord:
    """The pack that was live at a number, looked for in as many steps as the log's length has binary digits.

    Raises `RecordUnreadable` where no pack stands before it.
    """
    begin = log.begin()
    mine, after, step = _live_at(log, sequence), sequence, 1
    while after - step >= begin and _live_at(log, after - step) == mine:
        after, step = after - step, 2 * step
    before = max(begin - 1, after - step)
    while after - before > 1:  # at `after` it is live, at `before` another was
        middle = (before + after) // 2
        before, after = (before, middle) if _live_at(log, middle) == mine else (middle, after)
    record = _decoded(log, after)
    if not isinstance(record, PackRecord):
        raise RecordUnreadable(sequence, "no pack stands before it")
    return record


def first_since(log: EventLog, moment: int) -> int:
    """The number of the first event that was received since a time, in microseconds, or of a record before it.

    It is looked for in as many steps as the log's length has binary digits.
    """

    def received(at: int) -> int:
        """When the next event came; what stands in lists and is said again keeps the time when it was first said."""
        records = (decode(number, data) for number, data in log.read(at))
        return next((each.received for each in records if isinstance(each, EventRecord)), moment)

    begin = log.begin()
    return begin + bisect_left(range(begin, log.end()), moment, key=received)


def _live_at(log: EventLog, sequence: int) -> str:
    """How decisions cite the pack that was live at a number: the beginning of its digest."""
    for at in range(sequence, log.begin() - 1, -1):
        match _decoded(log, at):
            case EventRecord(decision=decision):
                return decision.pack[-9:-1]
            case PackRecord(digest=digest):
                return digest[:8]
            case _:
                continue
    return ""


def _decoded(log: EventLog, sequence: int) -> Record:
    return decode(sequence, log.get(sequence))
