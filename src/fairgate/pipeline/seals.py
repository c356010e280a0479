"""Personal values sealed under a key per subject: erasing a subject is forgetting its key.

A subject is known by a 64-bit key of its token and has a number, which records carry. The numbers are state: they are
learnt from the log again, and kept in snapshots. What is sealed is AES-256-GCM with a random nonce, under a key that is
made of the subject's slot (see the port) and the secret, so that neither file opens anything alone.
"""

import os
from collections.abc import Iterator
from hashlib import blake2b

import msgspec
import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from fairgate.domain.errors import SealBroken
from fairgate.domain.secret import Secrets, Tokens, derived
from fairgate.kernel.rows import Memory
from fairgate.ports.subject_keys import SubjectKeys

#: The number of no subject: nothing was sealed.
NOBODY = -1
_NONCE = 12
_MOST_READY = 1 << 15
_NONCES_AHEAD = 4_096


class SealsState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What `Seals` keeps beside the numbers: the next one to be given."""

    following: int


class Seals:
    """Seals what is personal, and opens it as long as its subject has not been erased. One caller at a time.

    `following` is the number that the next new subject gets. `open` needs no state, so a reader of records may have its
    own beside the writer's.
    """

    def __init__(self, keys: SubjectKeys, secrets: Secrets) -> None:
        self._keys = keys
        self._secrets = secrets
        self._derived = {version: derived(secret, "seals") for version, secret in secrets.versions.items()}
        self._version = secrets.newest
        self._numbers = Memory()
        self.following = 0
        self._ready: dict[int, tuple[int, AESGCM]] = {}
        self._nonces = _nonces()

    def seal(self, subject: int, plain: bytes) -> tuple[int, bytes]:
        """Seal for the subject of a key, which gets a number where it has none; returns the number and what is sealed.

        Raises `KeysUnusable`.
        """
        ready = self._ready.get(subject)
        if ready is None:
            ready = self._get_ready(subject)
        number, cipher = ready
        nonce = next(self._nonces)
        return number, b"%c%b%b" % (self._version, nonce, cipher.encrypt(nonce, plain, None))

    def open(self, number: int, sealed: bytes) -> bytes | None:
        """What was sealed under a number; None where its subject is erased, or the secret's version is gone.

        Raises `SealBroken` where it was not sealed so, and `KeysUnusable`.
        """
        slot, secret = self._keys.get(number), self._derived.get(sealed_under(sealed))
        if slot is None or secret is None:
            return None
        try:
            return _cipher(slot, secret).decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], None)
        except InvalidTag as error:
            raise SealBroken(number) from error

    def learn(self, subject: int, number: int) -> None:
        """Take in whose number this is, from records in the order of the log: numbers were given in that order."""
        if number >= self.following:
            self._numbers.remember(np.array([subject], np.uint64), number)
            self.following = number + 1

    def forget(self, number: int) -> None:
        """Overwrite the key of a number, durably: nothing sealed under it can be opened any more.

        Its subject has no number from here on; what comes of it later gets another. Raises `KeysUnusable`.
        """
        self._ready.clear()
        pairs = self._numbers.array()
        self._numbers.load(pairs[pairs[:, 1] != number])
        if self._keys.get(number) is not None:
            self._keys.erase([number])

    def numbers_of(self, subject: str) -> list[int]:
        """The numbers of a subject: one for each version of the secret under which something of it was recorded."""
        keys = (Tokens(secret, version).key[subject] for version, secret in self._secrets.versions.items())
        return [number for number in map(self._numbers.position, keys) if number != NOBODY]

    def subjects(self) -> NDArray[np.uint64]:
        """The key of each number's subject, in order; 0 where it is erased."""
        keys: NDArray[np.uint64] = np.zeros(self.following, np.uint64)
        pairs = self._numbers.array()
        keys[pairs[:, 1]] = pairs[:, 0].view(np.uint64)
        return keys

    def restore(self, first: int, subjects: NDArray[np.uint64]) -> None:
        """Take in whose the numbers from `first` on are, as `subjects` gave it; those that are known stay."""
        numbers = np.arange(first, first + len(subjects))
        new = (numbers >= self.following) & (subjects != 0)
        pairs = np.column_stack([subjects.view(np.int64), numbers])[new]
        self._numbers.load(np.concatenate([self._numbers.array(), pairs]))
        self.following = max(self.following, first + len(subjects))

    def state(self) -> tuple[NDArray[np.int64], SealsState]:
        """Copies of all there is to keep, for a snapshot."""
        return self._numbers.array(), SealsState(self.following)

    def load(self, numbers: NDArray[np.int64], state: SealsState) -> None:
        """Take over what `state` gave."""
        self._numbers.load(numbers)
        self.following = state.following
        self._ready.clear()

    def _get_ready(self, subject: int) -> tuple[int, AESGCM]:
        known = int(self._numbers.remember(np.array([subject], np.uint64), self.following)[0])
        number = known if known >= 0 else self.following
        self.following += known < 0
        slot = self._keys.get(number)
        if slot is None:  # a number is given once: only an erased subject has none, and that was forgotten
            raise SealBroken(number)
        if len(self._ready) >= _MOST_READY:
            self._ready.clear()
        ready = self._ready[subject] = number, _cipher(slot, self._derived[self._version])
        return ready


def sealed_under(sealed: bytes) -> int:
    """The version of the secret that something was sealed under, and its tokens were made with."""
    return sealed[0]


def _cipher(slot: bytes, secret: bytes) -> AESGCM:
    return AESGCM(blake2b(slot, digest_size=32, key=secret).digest())


def _nonces() -> Iterator[bytes]:
    """Random nonces, drawn many at a time: a system call for each would take longer than the sealing."""
    while True:
        drawn = os.urandom(_NONCE * _NONCES_AHEAD)
        for start in range(0, len(drawn), _NONCE):
            yield drawn[start : start + _NONCE]
