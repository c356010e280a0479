"""Passwords and one-time codes: how they are made, kept and checked."""

import base64
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import quote

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.low_level import Type
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fairgate.domain.errors import BadRequest
from fairgate.domain.secret import Secrets, derived
from fairgate.domain.windows import SECOND

#: Characters of a password. The most is bounded so that nobody is made to hash a megabyte.
SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 256
#: Seconds of a step of one-time codes, and how many steps a clock may be off.
STEP_SECONDS: Final = 30
_STEPS_OFF = 1
#: Hashes that are made at a time, each of which takes 19 MiB.
_AT_ONCE = 2
#: As OWASP's Password Storage Cheat Sheet has it for argon2id.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
_NONCE_BYTES = 12


def hashed(password: str) -> str:
    """What is kept of a password. Takes about 30 ms."""
    return _HASHER.hash(_normal(password))


#: Stands for the hash of those who have none, so that they take the same work.
_NOBODYS: Final = _HASHER.hash(secrets.token_hex())


def is_password(kept: str | None, password: str) -> bool:
    """Whether a password is the one that `kept` is of. Takes one hash's time whatever the answer, also for None."""
    try:
        return _HASHER.verify(kept or _NOBODYS, _normal(password)) and kept is not None
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return False


def check_password(password: str, name: str) -> None:
    """Raise `BadRequest` where somebody must not have this password."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadRequest(f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
    if len(set(password)) < SHORTEST_PASSWORD // 2 or name.casefold() in password.casefold():
        raise BadRequest("Others would guess this password: take one of more different characters, without your name.")


def _normal(password: str) -> bytes:
    """A password's bytes, which are the same however a keyboard puts its letters together."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def hashing_threads() -> ThreadPoolExecutor:
    """Threads to hash in: few, as each takes memory."""
    return ThreadPoolExecutor(_AT_ONCE, "passwords")


# ------------------------------------------------------------------------------------------------------ one-time codes


def new_totp() -> str:
    """The secret of somebody's one-time codes, in base 32: 160 random bits."""
    return base64.b32encode(secrets.token_bytes(20)).decode("ascii")


def totp_uri(secret: str, name: str) -> str:
    """What an authenticator app reads, such as from a QR code."""
    return f"otpauth://totp/{quote(f'Fairgate:{name}')}?secret={secret}&issuer=Fairgate"


def step_of(secret: str, code: str, now: int) -> int | None:
    """The step whose code this is, of those that a clock may be off by; None where it is none of theirs."""
    codes = pyotp.TOTP(secret, interval=STEP_SECONDS)
    at = now // SECOND // STEP_SECONDS
    steps = range(at - _STEPS_OFF, at + _STEPS_OFF + 1)
    found = [step for step in steps if secrets.compare_digest(codes.generate_otp(step).encode(), code.encode())]
    return found[-1] if found else None


# -------------------------------------------------------------------------------------------------------------- sealing


class Sealing:
    """Seals what is kept for a purpose under the newest version of the secret, and opens what is sealed under any."""

    def __init__(self, known: Secrets, purpose: str) -> None:
        self._known = known
        self._purpose = purpose

    def seal(self, plain: bytes, bound: bytes) -> bytes:
        """Seal something; it opens only for who says the same `bound`."""
        version, nonce = self._known.newest, secrets.token_bytes(_NONCE_BYTES)
        return bytes([version]) + nonce + self._cipher(version).encrypt(nonce, plain, bound)

    def open(self, sealed: bytes, bound: bytes) -> bytes | None:
        """What was sealed; None where it was not, or under a secret that is gone, or something else is `bound`."""
        if len(sealed) <= 1 + _NONCE_BYTES or sealed[0] not in self._known.versions:
            return None
        nonce = sealed[1 : 1 + _NONCE_BYTES]
        try:
            return self._cipher(sealed[0]).decrypt(nonce, sealed[1 + _NONCE_BYTES :], bound)
        except InvalidTag:
            return None

    def _cipher(self, version: int) -> AESGCM:
        return AESGCM(derived(self._known.versions[version], self._purpose))
