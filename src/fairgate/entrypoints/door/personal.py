"""Personal values at the door: who is shown them, and the record that they were, which is on disk before."""

from typing import Final

from fairgate.domain.access import Scope
from fairgate.domain.ledger import Subject
from fairgate.domain.reading import PERSONAL, REASON, Sight, sight_of
from fairgate.entrypoints.door.door import Door
from fairgate.entrypoints.door.http import Request
from fairgate.pipeline.noted import ReadRecord

_REASON: Final = REASON.encode()
_PERSONAL: Final = PERSONAL.encode()


def sight(door: Door, request: Request) -> Sight:
    """Whether a caller is shown personal values by this request."""
    may = Scope.PERSONAL in request.scopes
    return sight_of(may=may, reason=request.headers.get(_REASON), open_case=door.open_case)


def headers_of(seen: Sight) -> tuple[tuple[bytes, bytes], ...]:
    """What an answer tells of it."""
    return ((_PERSONAL, seen.told.encode()), (b"cache-control", b"no-store")) if seen.told else ()


async def note_read(door: Door, request: Request, about: Subject, seen: Sight) -> None:
    """Note that somebody reads something; what they asked for may be answered when this returns."""
    record = ReadRecord(door.clock.now(), request.by, request.key, about, seen.why, seen.case)
    door.pipeline.note(record)
    await door.durable()
