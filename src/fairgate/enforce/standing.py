"""How somebody stands, in words that may be shown to whoever it is: no rule, no evidence."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from fairgate.domain.event import moment
from fairgate.domain.ledger import FOREVER, Subject
from fairgate.domain.pack import Reason
from fairgate.enforce.entitlements import Entitlements


class May(msgspec.Struct):
    """What an account may do. `models` is null where it may use all of them."""

    use: bool
    spend: bool
    rate: float
    models: list[str] | None


class Standing(msgspec.Struct):
    """How somebody stands, in words that may be shown to whoever it is.

    `until` is when that changes by itself at the earliest; null where it does not. `challenges` are the kinds that are
    to be passed.
    """

    kind: str
    value: str
    action: str
    until: datetime | None
    may: May
    challenges: list[str]
    reasons: list[str]


def standing_of(subject: Subject, found: Entitlements, reasons: Mapping[str, Reason]) -> Standing:
    """Somebody's entitlements in words."""
    codes = dict.fromkeys(code for each in found.entries if each.action == found.action for code in each.reasons)
    return Standing(
        kind=subject.kind,
        value=subject.value,
        action=found.action.word,
        until=None if found.until == FOREVER else moment(found.until),
        may=May(found.use, found.spend, found.rate, None if found.models is None else list(found.models)),
        challenges=list(found.challenges),
        reasons=[reasons[code].user for code in codes if code in reasons],
    )
