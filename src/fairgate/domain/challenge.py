"""Challenges: that somebody was asked to do something before they go on, and what came of it.

What came of it is evidence about whoever was asked, and nothing more: solving can be bought.
"""

from enum import StrEnum
from typing import Final

import msgspec

#: Random bytes of an id: 192 bits, so that nobody guesses another's.
ID_BYTES: Final = 24
#: Who is behind the events of challenges, as their `source`.
SOURCE: Final = "fairgate/challenges"


class ChallengeState(StrEnum):
    """What has become of a challenge. It ends once."""

    OPEN = "open"
    PASSED = "passed"
    FAILED = "failed"
    EXPIRED = "expired"


class Challenge(msgspec.Struct, frozen=True, gc=False):
    """A challenge to an account, of a kind such as `captcha`. Times are microseconds since 1970 UTC.

    `action` is the number of the ledger's entry that asked for it, None where nobody said. `asked_by` asked for it,
    under their own name for it, `ref`. It can be answered before `expires`, and `most` times at most; `attempts` are
    those that there were. `kept` is what whoever checks the answers needs to know again, and nothing by which they
    could be given. `about` is JSON of what is known of whoever is asked, such as their address; empty once it is over.
    `ended` is when it was passed, failed or expired, 0 while it is open.
    """

    id: str
    kind: str
    account: str
    action: int | None
    asked_by: str
    ref: str
    made: int
    expires: int
    most: int
    kept: str
    about: str
    attempts: int = 0
    state: ChallengeState = ChallengeState.OPEN
    ended: int = 0

    def over(self, now: int) -> bool:
        """Whether its time has passed and nothing came of it: it is to end as expired."""
        return self.state == ChallengeState.OPEN and self.expires <= now

    @property
    def left(self) -> int:
        """How many answers it takes yet."""
        return self.most - self.attempts if self.state == ChallengeState.OPEN else 0
