"""What is remembered of somebody who was banned: tokens of what they used, and until when each counts."""

import msgspec

from fairgate.domain.ledger import Subject
from fairgate.domain.windows import DAY

#: For how long what belonged to somebody who was banned may be remembered.
LONGEST_MEMORY = 730 * DAY
#: Identifiers of one account that one list remembers. Who has used more of a kind, such as cards, has used other
#: people's.
MOST_EACH = 8
#: Who puts in lists what is remembered.
REMEMBERS = "fairgate"


class Remembered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An identifier that stands in a list until a time: its token, never the identifier."""

    list: str
    token: str
    until: int


class Memory(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All that an action of the ledger against somebody is remembered by; there may be nothing.

    It takes the place of what was remembered of that action before. After `until` there is nothing more to remember.
    """

    action: int
    subject: Subject
    items: tuple[Remembered, ...]
    until: int
