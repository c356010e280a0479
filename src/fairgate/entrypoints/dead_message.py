"""A message that was put aside, as the desk and the command line show it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from fairgate.domain.event import moment
from fairgate.ports.outbox import Letter


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """A message that was put aside. `message` is its id, which it keeps however often it is sent.

    `why` the last attempt failed is told in full, and `body` at all, to keys with the scope `personal`.
    """

    number: int
    receiver: str
    message: str
    made: datetime
    attempts: int
    why: str
    body: Any


def dead_message(letter: Letter, *, personal: bool) -> DeadMessage:
    """A letter that was given up, as it is shown. Its body is JSON already."""
    return DeadMessage(
        number=letter.number,
        receiver=letter.receiver,
        message=letter.message,
        made=moment(letter.made),
        attempts=letter.attempts,
        why=letter.why if personal else letter.why.partition(":")[0],  # after it stands what the receiver answered
        body=msgspec.Raw(letter.body if personal else b"null"),
    )
