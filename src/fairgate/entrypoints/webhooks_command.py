"""`fairgate webhooks`: what waits for other services, and what was put aside, whether or not a clerk is running."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from fairgate.domain.errors import BadRequest
from fairgate.domain.event import moment
from fairgate.domain.windows import SECOND
from fairgate.entrypoints.dead_message import dead_message
from fairgate.ports.outbox import Letter, Outbox

#: Messages that are shown at most; `--json` has as many.
MOST_SHOWN: Final = 1_000
_BACKLOG = ("service", "waiting", "oldest", "put aside")
_DEAD = ("number", "service", "about", "made", "attempts", "why")


class _Backlog(msgspec.Struct):
    """A service's backlog as JSON shows it."""

    receiver: str
    waiting: int
    oldest: datetime | None
    dead: int


def backlogs(outbox: Outbox, now: int, *, as_json: bool) -> str:
    """How it stands for every service that has messages."""
    found = outbox.backlogs()
    if as_json:
        shown = [_Backlog(each.receiver, each.waiting, _moment(each.oldest), each.dead) for each in found]
        return _json(shown)
    ages = [f"{(now - each.oldest) // SECOND:,} s ago" if each.oldest else "-" for each in found]
    rows = [(each.receiver, str(each.waiting), age, str(each.dead)) for each, age in zip(found, ages, strict=True)]
    return _table([_BACKLOG, *rows]) if rows else "nothing waits, and nothing was put aside"


def put_aside(outbox: Outbox, receiver: str | None) -> Sequence[Letter]:
    """What was put aside, of one service or all, by number."""
    return outbox.dead(receiver, -1, MOST_SHOWN)


def dead(found: Sequence[Letter], *, personal: bool, as_json: bool) -> str:
    """Messages that were put aside; their bodies, and what the service answered, where `personal`."""
    shown = [dead_message(each, personal=personal) for each in found]
    if as_json:
        return _json(shown)
    rows = [
        (str(each.number), each.receiver, each.subject.value, _minute(each.made), str(each.attempts), told.why)
        for each, told in zip(found, shown, strict=True)
    ]
    return _table([_DEAD, *rows]) if rows else "nothing was put aside"


def again(outbox: Outbox, numbers: Sequence[int], now: int) -> str:
    """Let messages that were put aside be sent again. Raises `BadRequest` where one of them is none."""
    missing = [each for each in numbers if [one.number for one in outbox.dead(None, each - 1, 1)] != [each]]
    if missing:
        words = ", ".join(str(number) for number in missing)
        raise BadRequest(f"These were not put aside: {words}. `fairgate webhooks dead` shows what was.")
    return f"{sum(outbox.again(each, now) for each in numbers)} will be sent again"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def _json(shown: object) -> str:
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()


def _moment(time: int) -> datetime | None:
    return moment(time) if time else None


def _minute(time: int) -> str:
    return f"{moment(time):%Y-%m-%d %H:%M}"
