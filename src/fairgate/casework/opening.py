"""From decisions to cases: which of them call for somebody to look, and what their accounts burn meanwhile."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from fairgate.decide.reasons import reasons_of
from fairgate.domain.action import Action
from fairgate.domain.case import Finding
from fairgate.domain.event import Decision
from fairgate.domain.pack import CaseTerms, Pack
from fairgate.domain.windows import HOUR, SECOND
from fairgate.domain.worth import Stake
from fairgate.enforce.subjects import ACCOUNT
from fairgate.pipeline.projection import Watcher
from fairgate.pipeline.recorded import ReadValue, read_by
from fairgate.pipeline.records import EventRecord, PackRecord, Record
from fairgate.ports.cases import CaseFeed

#: What brings nothing new is told again so long after it was told.
_AGAIN: Final = HOUR
#: How long what accounts have used may wait to be told, where nothing else is.
_WAITS: Final = SECOND


@dataclass(frozen=True, slots=True)
class _Told:
    """What was told last of an account."""

    action: Action
    evidence: frozenset[str]
    at: int


class Opening(Watcher):
    """Feeds cases with what decisions find, and with what accounts that have an open case use.

    A decision calls for somebody to look where the pack's `[cases]` says so. One that brings nothing new of an account
    is told once an hour: so a case that was judged is opened anew by then if nothing has changed.
    """

    events = True

    def __init__(self, feed: CaseFeed) -> None:
        self._feed = feed
        self._newest = 0
        #: What was used below was told before.
        self._fed = feed.fed()
        self._stakes: dict[str, Stake] = {}
        self._told: dict[str, _Told] = {}
        self._used: dict[str, Stake] = {}
        self._findings: list[Finding] = []
        self._kept_at = 0
        self._readers: Mapping[str, Reader] = {}
        self._know_new()

    def live(self, record: PackRecord, pack: Pack) -> None:
        """A pack is live from here on."""
        terms = pack.cases
        self._readers = {}
        if terms is not None:
            self._readers = {name: Reader(record, pack, terms, name) for name in record.public}

    def see(self, number: int, record: Record) -> None:
        """A record: what is no event is passed over."""
        if not isinstance(record, EventRecord):
            return
        reader = self._readers.get(record.type)
        if reader is None:
            return
        opens = record.decision.action >= reader.opens_from
        if not opens and not self._stakes:
            return
        account = reader.account(record)
        known = self._stakes.get(account) if account is not None else None
        if account is None or (known is None and not opens):
            return
        cost = reader.cost(record)
        if known is not None and cost > 0 and number >= self._fed:
            before = self._used.get(account) or replace(known, burn=0.0, at=record.received)
            self._used[account] = before.used(cost, record.received)
        if opens and self._is_new(account, record):
            self._findings.append(reader.finding(number, record, account, cost))

    def due(self, now: int) -> bool:
        """Whether there is something that must not wait any longer."""
        return bool(self._findings) or (bool(self._used) and now - self._kept_at >= _WAITS)

    def keep(self, upto: int, now: int) -> None:
        """Tell what was found below a number of the log."""
        self._feed.feed(upto, self._findings, self._used, now)
        self._findings, self._used, self._kept_at = [], {}, now
        self._told = {account: told for account, told in self._told.items() if now - told.at < _AGAIN}
        self._know_new()

    def _is_new(self, account: str, record: EventRecord) -> bool:
        """Whether a decision brings something that was not told of late; it counts as told then."""
        decision, told = record.decision, self._told.get(account)
        evidence = frozenset(_evidence(decision))
        fresh = told is not None and record.received - told.at < _AGAIN
        if fresh and told is not None and decision.action <= told.action and evidence <= told.evidence:
            return False
        before = told if fresh and told is not None else _Told(Action.ALLOW, frozenset(), 0)
        self._told[account] = _Told(
            max(before.action, decision.action), before.evidence | evidence, before.at or record.received
        )
        return True

    def _know_new(self) -> None:
        """Learn of the cases that were opened since, by whomever."""
        self._newest, stakes = self._feed.burning(self._newest)
        self._stakes |= stakes


class Reader:
    """Reads what cases need of the records of one event type."""

    def __init__(self, live: PackRecord, pack: Pack, terms: CaseTerms, event_type: str) -> None:
        self.terms = terms
        self.opens_from = terms.opens_from
        self._pack = pack
        self._type = event_type
        attribute = next((each for each in pack.event_types[event_type].attributes if each.entity == ACCOUNT), None)
        #: The account of an event, as the ledger has it; None where it has none.
        self.account: ReadValue = _nobody if attribute is None else read_by(live, event_type, attribute)
        names = live.public[event_type]
        self._cost_at = names.index(self.terms.cost) if self.terms.cost in names else None
        self._segments = {each.name: each.costs for each in pack.segments}

    def cost(self, record: EventRecord) -> float:
        """What an event used, in dollars."""
        found = None if self._cost_at is None else record.public[self._cost_at]
        return max(0.0, float(found or 0))

    def finding(self, number: int, record: EventRecord, account: str, cost: float) -> Finding:
        """What a decision finds, with what is at stake by the costs of its segment."""
        decision = record.decision
        costs = self._segments.get(decision.segment, {})
        return Finding(
            account=account,
            event=number,
            at=record.received,
            action=decision.action,
            stake=Stake(
                probability=decision.probability,
                burn=cost,
                hours=self.terms.hours,
                at_risk=max((bad for bad, _ in costs.values()), default=0.0),
                worth=max((good for _, good in costs.values()), default=0.0),
                stands=decision.action if decision.action in self._pack.actions else Action.ALLOW,
                minutes=self.terms.minutes,
                at=record.received,
            ),
            reasons=tuple(dict.fromkeys(each.reason.code for each in reasons_of(self._pack, self._type, decision))),
            evidence=tuple(_evidence(decision)),
        )


def _evidence(decision: Decision) -> list[str]:
    """The rules that counted, and the lists."""
    return [*(rule for rule in decision.rules if rule not in decision.silent), *decision.lists]


def _nobody(_: EventRecord) -> None:
    """The account of events that have none."""
