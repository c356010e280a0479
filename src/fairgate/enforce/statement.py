"""The statement of reasons for an action: what whoever it is on is owed, in plain words, no detection in it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from fairgate.domain.action import Action
from fairgate.domain.event import moment
from fairgate.domain.ledger import FOREVER, Entry
from fairgate.domain.pack import Pack

#: What was done, to whoever reads it.
_DONE: Final = {
    Action.ALLOW: "We decided to leave your account as it is",
    Action.WATCH: "We decided to look at your account more closely",
    Action.THROTTLE: "We slowed your account down",
    Action.CHALLENGE: "We asked you for a check",
    Action.HOLD: "We put your account on hold",
    Action.SUSPEND: "We suspended your account",
    Action.BAN: "We closed your account",
}
#: Categories of facts, by the rules' kinds of evidence.
_FACTS: Final = {
    "network": "where it was used from",
    "device": "the devices it was used with",
    "payment": "payments",
    "identity": "what was said at sign-up",
    "behaviour": "how it was used",
}
#: What is looked at where the evidence is a list's or a person's own.
_BY_HAND: Final = "what we know of it from elsewhere"


class Statement(msgspec.Struct):
    """The parts of a statement, and all of them as one `text`.

    Without `until` the action stands until it is undone. `clauses` are of the terms that it rests on, `facts` the
    categories of what was looked at, `automated` whether no person had a part in it. Without `appeal` the pack says of
    no way to have it looked at again; `appeal_until` is the last day for that.
    """

    action: str
    since: datetime
    until: datetime | None
    reasons: list[str]
    clauses: list[str]
    facts: list[str]
    automated: bool
    appeal: str
    appeal_until: datetime | None
    text: str


def statement_of(entry: Entry, pack: Pack) -> Statement:
    """The statement of reasons for an entry of the ledger, in the words of a pack."""
    known = [pack.reasons[code] for code in entry.reasons if code in pack.reasons]
    reasons = list(dict.fromkeys(each.user for each in known))
    clauses = list(dict.fromkeys(each.clause for each in known if each.clause))
    facts = list(_facts(entry, pack))
    since, until = moment(entry.starts), None if entry.ends == FOREVER else moment(entry.ends)
    appeal = pack.appeal
    appeal_until = None if appeal is None else since + timedelta(days=appeal.days)
    parts = [f"{_DONE[entry.action]} on {_day(since)}{'' if until is None else f', until {_day(until)}'}.", *reasons]
    parts += [f"This rests on our terms: {'; '.join(clauses)}."] if clauses else []
    parts += [f"We looked at {_listed(facts)}."] if facts else []
    parts.append("A person decided this." if entry.by_person else "This was decided by our systems, without a person.")
    if appeal is not None and appeal_until is not None:
        parts.append(f"{appeal.text} You can do so until {_day(appeal_until)}.")
    return Statement(
        action=entry.action.word,
        since=since,
        until=until,
        reasons=reasons,
        clauses=clauses,
        facts=facts,
        automated=not entry.by_person,
        appeal="" if appeal is None else appeal.text,
        appeal_until=appeal_until,
        text=" ".join(parts),
    )


def _facts(entry: Entry, pack: Pack) -> Iterable[str]:
    """The categories of facts that an entry rests on."""
    groups = {rule.group for rule in pack.rules if rule.name in entry.evidence}
    found = [words for group, words in _FACTS.items() if group in groups]
    by_hand = entry.by_person or any(name in pack.lists for name in entry.evidence)
    return [*found, _BY_HAND] if by_hand else found


def _day(time: datetime) -> str:
    return f"{time.day} {time:%B %Y}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
