"""Codes of six digits that the operator's own service brings to a mailbox or a telephone.

The code is told once, to the service that asked for the challenge. What is kept is a hash under a key made from the
installation's secret: a million codes are tried in a second, so a plain hash would hide nothing from who reads it.
"""

import hmac
import secrets
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Final

from fairgate.domain.challenge import Challenge
from fairgate.domain.secret import Secrets, derived
from fairgate.ports.challenger import Begun, Challenger, Found, Given

DIGITS: Final = 6
_PURPOSE: Final = "challenge codes"
#: What people put between digits.
_GAPS: Final = str.maketrans("", "", " -")


class Code(Challenger):
    """Makes codes and compares them, under the secret as `read` gives it. Raises what that raises."""

    def __init__(self, read: Callable[[], Secrets]) -> None:
        self._read = read

    @property
    def reported(self) -> bool:
        """See the port."""
        return False

    def begin(self, challenge_id: str) -> Begun:
        """See the port. With the hash the version of the secret is kept: it may be rotated meanwhile."""
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        secret = self._read()
        return Begun(f"{secret.newest}:{_mac(secret.current, challenge_id, code)}", code)

    def shows(self, challenge: Challenge) -> Mapping[str, str | int]:  # noqa: ARG002 - the port's
        """See the port."""
        return {"digits": DIGITS}

    def check(self, challenge: Challenge, given: Given) -> Found:
        """See the port. Nobody can tell where the secret's version is gone."""
        version, _, kept = challenge.kept.partition(":")
        secret = self._read().versions.get(int(version))
        if secret is None:
            return Found.UNAVAILABLE
        right = hmac.compare_digest(kept, _mac(secret, challenge.id, given.text.translate(_GAPS)))
        return Found.RIGHT if right else Found.WRONG


def _mac(secret: int, challenge_id: str, code: str) -> str:
    return blake2b(f"{challenge_id}.{code}".encode(), key=derived(secret, _PURPOSE), digest_size=32).hexdigest()
