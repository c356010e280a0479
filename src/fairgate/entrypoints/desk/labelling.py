"""What people judged, given to the door as labels: so the log has them, and the lake for whoever learns from them."""

import asyncio
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

from fairgate.backends.embedded.segments import open_log
from fairgate.domain.access import Granted
from fairgate.domain.case import Case, Outcome
from fairgate.domain.errors import FairgateError
from fairgate.domain.event import Decision
from fairgate.domain.ledger import Entry, Subject
from fairgate.domain.pack import EventType, Pack
from fairgate.domain.secret import token_text
from fairgate.enforce.subjects import ACCOUNT
from fairgate.entrypoints.desk.at_the_door import AtTheDoor
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.entrypoints.door.changes import PostLabel, SpokenOf
from fairgate.language.pack_file import pack_from_texts
from fairgate.pipeline.lookup import first_since, live_pack
from fairgate.pipeline.personal import SUBJECT
from fairgate.pipeline.records import EventRecord, decode
from fairgate.ports.event_log import EventLog

#: What a granted appeal says of an event: somebody was moved to let them go, which is less than to know it.
APPEAL_CONFIDENCE: Final = 0.7
_CASE, _APPEAL = "case", "appeal"
#: By these a label type shows that it is for what people judge, and no bank's or partner's.
_OURS: Final = frozenset({"of", "bad", "source", "confidence", "selected_by", "propensity"})
#: Events that are looked through for the one that an action followed from.
_FAR: Final = 20_000
_BATCH: Final = re.compile(r"case-(?P<number>[0-9]{1,18})(-[0-9]{1,9})?(-held)?/.*", re.DOTALL)
#: By these the door says that this event can't have such a label, now or later.
_NEVER: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY})


class Spoken(NamedTuple):
    """An event that a label can speak of: its number, the label type, its account, and what picked it."""

    sequence: int
    type: str
    account: str
    selected_by: str


class Labelled(NamedTuple):
    """How many labels were given, and the accounts that none could be given of: no event of theirs is known."""

    given: int
    without: tuple[str, ...]


class Labelling:
    """Gives labels in the name of whoever judged. The same again is given once.

    Raises `Refusal` where the log can't be read or the door does not take labels now; what was given until then stays.
    """

    def __init__(self, data: Path, records: DeskRecords, door: AtTheDoor) -> None:
        self._log = data / "log"
        self._records = records
        self._door = door

    async def of_case(self, case: Case, outcome: Outcome, confidence: float, granted: Granted) -> Labelled:
        """Label the newest decision by which each account came into a case."""
        spoken = await self._in_log(lambda log: _spoken(log, case.facts.events))
        mine = {each.account: each for each in reversed(spoken) if each.account in case.accounts}
        bad = {Outcome.BAD: True, Outcome.BENIGN: False, Outcome.UNKNOWN: None}[outcome]
        given = 0
        for each in mine.values():
            label = _label(each, bad=bad, source=_CASE, confidence=confidence, propensity=case.propensity)
            given += await self._give(label, granted)
        return Labelled(given, tuple(account for account in case.accounts if account not in mine))

    async def of_appeal(self, entry: Entry, granted: Granted) -> bool:
        """Label the event that an action followed from, or the case by which it was taken, which an appeal undid.

        Nobody knows how likely it was that somebody would appeal, so no propensity is told.
        """
        number = case_of(entry)
        if entry.by and number is None:
            return False
        if number is None:
            spoken = await self._in_log(lambda log: _spoken(log, _origin(log, entry)))
        else:
            case = await self._records.do(lambda records: records.cases.get(number))
            events = () if case is None else case.facts.events
            spoken = await self._in_log(lambda log: _spoken(log, events))
        mine = [each for each in spoken if Subject(ACCOUNT, each.account) == entry.subject]
        if not mine:
            return False
        label = _label(mine[0], bad=False, source=_APPEAL, confidence=APPEAL_CONFIDENCE, propensity=None)
        return await self._give(label, granted)

    async def _give(self, label: PostLabel, granted: Granted) -> bool:
        """Give one; False where the event can't have it."""
        try:
            await self._door.post("/v1/labels", label, granted)
        except Refusal as refusal:
            if refusal.status in _NEVER:
                return False
            raise
        return True

    async def _in_log(self, look: Callable[[EventLog], list[Spoken]]) -> list[Spoken]:
        def looked() -> list[Spoken]:
            with open_log(self._log, read_only=True) as log:
                return look(log)

        try:
            return await asyncio.to_thread(looked)
        except FairgateError as error:
            what = "the log, which has the events that are to be labelled, can't be read: `fairgate doctor` says why"
            raise Refusal(503, "unavailable", what) from error


def case_of(entry: Entry) -> int | None:
    """The number of the case by which an action was taken; None for another."""
    found = _BATCH.fullmatch(entry.ref)
    return None if found is None else int(found["number"])


def _label(spoken: Spoken, *, bad: bool | None, source: str, confidence: float, propensity: float | None) -> PostLabel:
    return PostLabel(
        SpokenOf(sequence=spoken.sequence),
        bad,
        source=source,
        confidence=confidence,
        selected_by=spoken.selected_by or None,
        propensity=propensity,
        type=spoken.type,
    )


def _spoken(log: EventLog, numbers: Iterable[int]) -> list[Spoken]:
    """The events of these numbers that labels of the live pack can speak of, in this order."""
    pack = pack_from_texts(live_pack(log, log.end() - 1).files)
    found = []
    for number in numbers:
        record = decode(number, log.get(number)) if log.begin() <= number < log.end() else None
        if not isinstance(record, EventRecord):
            continue
        label, account = _label_type(pack, record.type), _account(log, number, record)
        if label is not None and account is not None:
            found.append(Spoken(number, label.name, account, " ".join(selectors(record.decision))))
    return found


def selectors(decision: Decision) -> tuple[str, ...]:
    """What made a decision what it was: lists, and the rules that were not silent."""
    return (*decision.lists, *(each for each in decision.rules if each not in decision.silent))


def _label_type(pack: Pack, event_type: str) -> EventType | None:
    for each in pack.event_types.values():
        if event_type in each.label_of and {attribute.name for attribute in each.attributes} >= _OURS:
            return each
    return None


def _account(log: EventLog, number: int, record: EventRecord) -> str | None:
    """The account of an event, as the ledger has it: its token where it is personal."""
    pack = live_pack(log, number)
    names, tokens = pack.public[record.type], pack.tokens.get(record.type, ())
    if SUBJECT in names:
        value = record.public[names.index(SUBJECT)]
        return None if value is None else str(value)
    token = record.tokens[tokens.index(SUBJECT)] if SUBJECT in tokens else None
    return None if token is None else token_text(pack.secret, token)


def _origin(log: EventLog, entry: Entry) -> list[int]:
    """The number of the event that an entry followed from; none where it is not found, such as in a log cut short."""
    start = max(log.begin(), first_since(log, entry.starts))
    for number, data in log.read(start, min(log.end(), start + _FAR)):
        record = decode(number, data)
        if isinstance(record, EventRecord) and any(each.number == entry.number for each in record.entries):
            return [number]
    return []
