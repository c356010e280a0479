"""Challenges that the operator's own service carries out and reports: a payment held for a moment, an identity checked.

Their vendors differ in everything, so nothing of one is here: whoever runs them says what came of it.
"""

from collections.abc import Mapping

from fairgate.domain.challenge import Challenge
from fairgate.ports.challenger import REPORTED_PASSED, Begun, Challenger, Found, Given


class Reported(Challenger):
    """Takes the operator's word."""

    @property
    def reported(self) -> bool:
        """See the port."""
        return True

    def begin(self, challenge_id: str) -> Begun:  # noqa: ARG002 - the port's
        """See the port."""
        return Begun("")

    def shows(self, challenge: Challenge) -> Mapping[str, str | int]:  # noqa: ARG002 - the port's
        """See the port."""
        return {}

    def check(self, challenge: Challenge, given: Given) -> Found:  # noqa: ARG002 - the port's
        """See the port."""
        return Found.RIGHT if given.text == REPORTED_PASSED else Found.WRONG
