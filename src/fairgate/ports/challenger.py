"""Who asks for something and checks the answer, by kind of challenge: a captcha's vendor, a code, a proof of work."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from fairgate.domain.challenge import Challenge

#: What an answer is where the operator's own service reports that a challenge was passed; all else says it was not.
REPORTED_PASSED: Final = "passed"


class Begun(NamedTuple):
    """What is kept of a new challenge, and the code that is to be brought to whoever is asked, None where none is.

    A code is known here alone: it can't be made again of what is kept.
    """

    kept: str
    code: str | None = None


class Given(NamedTuple):
    """An answer to a challenge, and the address that it came from, where that is known."""

    text: str
    ip: str | None = None


class Found(StrEnum):
    """What an answer is. `UNAVAILABLE` says that nobody can tell now: neither that it is right nor that it is wrong."""

    RIGHT = "right"
    WRONG = "wrong"
    UNAVAILABLE = "unavailable"


class Challenger(Protocol):
    """Begins challenges and checks answers. Any thread may call."""

    @property
    def reported(self) -> bool:
        """Whether the operator's own service says what came of it, and no answer of whoever is asked is checked."""
        ...

    def begin(self, challenge_id: str) -> Begun:
        """Begin a challenge."""
        ...

    def shows(self, challenge: Challenge) -> Mapping[str, str | int]:
        """What is needed to show a challenge to whoever is asked. Nothing in it helps to pass without doing it."""
        ...

    def check(self, challenge: Challenge, given: Given) -> Found:
        """What an answer is. May take as long as the settings let a vendor take, and never raises for what one does.

        The same answer again is found the same, however often it is asked about, where the vendor can do that.
        """
        ...
