"""A captcha without a vendor: whoever is asked lets a computer work for a moment (hashcash, by SHA-256).

It tells no human from a program. It makes each try cost compute, which one person never notices and a farm pays for.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from fairgate.domain.challenge import Challenge
from fairgate.ports.challenger import Begun, Challenger, Found, Given

#: Characters of an answer: a counter in decimal, or anything else as short.
LONGEST: Final = 64
_BITS: Final = sha256().digest_size * 8


class ProofOfWork(Challenger):
    """Asks for a text that, behind the challenge's id and a dot, has a SHA-256 that begins with enough zero bits.

    The work is for one challenge alone, whose id nobody can know before. `difficulty` is the number of bits.
    """

    def __init__(self, difficulty: int) -> None:
        self._difficulty = difficulty

    @property
    def reported(self) -> bool:
        """See the port."""
        return False

    def begin(self, challenge_id: str) -> Begun:  # noqa: ARG002 - the port's
        """See the port. The difficulty is kept, so that other settings change no challenge that is open."""
        return Begun(str(self._difficulty))

    def shows(self, challenge: Challenge) -> Mapping[str, str | int]:
        """See the port."""
        return {"work": "sha256", "begins": f"{challenge.id}.", "zero_bits": int(challenge.kept)}

    def check(self, challenge: Challenge, given: Given) -> Found:
        """See the port."""
        if len(given.text) > LONGEST:
            return Found.WRONG
        digest = sha256(f"{challenge.id}.{given.text}".encode()).digest()
        zeros = _BITS - int.from_bytes(digest, "big").bit_length()
        return Found.RIGHT if zeros >= int(challenge.kept) else Found.WRONG
