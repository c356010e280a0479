"""What the desk gives of the audit log, as its OpenAPI shows it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from fairgate.domain.audit import Row
from fairgate.domain.event import moment
from fairgate.monitor.unusual_reading import Unusual


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row of the audit log. `kind` and `value` say what it is about; `more` has further facts by what was done."""

    number: int
    time: datetime
    by: str
    key: str
    what: str
    kind: str
    value: str
    why: str
    case: int | None
    sequence: int | None
    more: dict[str, str | int | bool]
    hash: str


@dataclass(frozen=True, slots=True)
class AuditRows:
    """Rows, the newest first. `next`, where there are more, is the `before` of the next page."""

    rows: list[AuditRow]
    next: int | None


@dataclass(frozen=True, slots=True)
class UnusualReading:
    """Somebody read personal values `times` times within an hour or a day, where more than `most` is unusual.

    `own` is the median of their hours or days before, `others` that of everybody else's.
    """

    by: str
    within: Literal["hour", "day"]
    start: datetime
    times: int
    own: float
    others: float
    most: float


@dataclass(frozen=True, slots=True)
class Notices:
    """What those who lead should look at, the latest first. `next` is the `before` of the next page of `allowed`."""

    unusual: list[UnusualReading]
    allowed: list[AuditRow]
    next: int | None


def row_shown(row: Row) -> AuditRow:
    """A row as it is answered."""
    doing = row.doing
    return AuditRow(
        number=row.number,
        time=moment(doing.time),
        by=doing.by,
        key=doing.key,
        what=doing.what,
        kind=doing.about.kind,
        value=doing.about.value,
        why=doing.why,
        case=doing.case,
        sequence=doing.sequence,
        more=msgspec.json.decode(doing.more) if doing.more else {},
        hash=row.hash,
    )


def unusual_shown(each: Unusual, within: Literal["hour", "day"]) -> UnusualReading:
    """An unusual reading as it is answered."""
    return UnusualReading(each.by, within, moment(each.start), each.times, each.own, each.others, each.most)
