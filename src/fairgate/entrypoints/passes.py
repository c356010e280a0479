"""Passes: with them the desk asks the door in the name of a person or of a key, for a minute each.

Nobody else makes them: they are signed by the secret of the data folder, which both processes read. So the desk needs
no API key of its own that could do everything, and keeps nobody's.
"""

import base64
import hmac
import re
from collections.abc import Callable
from typing import Final

import msgspec

from fairgate.domain.access import Granted, Scope
from fairgate.domain.secret import Secrets, derived
from fairgate.domain.windows import SECOND
from fairgate.ports.clock import Clock
from fairgate.secret_file import secrets_of
from fairgate.settings import Settings

#: How long a pass counts: long enough for a request that waits, and for two clocks of one machine.
LIFETIME: Final = 60 * SECOND
#: Before a pass, in the `Authorization` header.
PREFIX: Final = b"Bearer fp_"
_PURPOSE = "passes"
_PASS = re.compile(rb"([1-9][0-9]{0,2})\.([A-Za-z0-9_=-]{1,4096})\.([A-Za-z0-9_=-]{44})")


class _Said(msgspec.Struct, frozen=True, array_like=True):
    """What a pass says."""

    key: str
    by: str
    scopes: list[Scope]
    until: int


class Passes:
    """Makes and checks passes under the newest version of the secret, as `read` gives it. Raises what that raises."""

    def __init__(self, read: Callable[[], Secrets], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._newest: tuple[int, bytes] | None = None

    def refresh(self) -> None:
        """Read the secret again where it is known: once it is rotated, the old one opens nothing more."""
        if self._newest is not None:
            self._known_now()

    def issue(self, granted: Granted) -> str:
        """An `Authorization` header by which the door grants what was granted here."""
        version, key = self._known_now()
        said = _Said(granted.key, granted.by, sorted(granted.scopes), self._clock.now() + LIFETIME)
        payload = base64.urlsafe_b64encode(msgspec.msgpack.encode(said))
        return f"{PREFIX.decode()}{version}.{payload.decode()}.{_mac(key, payload).decode()}"

    def check(self, authorization: bytes) -> Granted | None:
        """What a pass grants now; None where it is none, is over, or is signed by another secret."""
        match = _PASS.fullmatch(authorization.removeprefix(PREFIX))
        version, key = self._newest or self._known_now()
        if match is None or int(match[1]) != version or not hmac.compare_digest(match[3], _mac(key, match[2])):
            return None
        said = msgspec.msgpack.decode(base64.urlsafe_b64decode(match[2]), type=_Said)
        return Granted(said.key, said.by, frozenset(said.scopes)) if self._clock.now() < said.until else None

    def _known_now(self) -> tuple[int, bytes]:
        secrets = self._read()
        self._newest = secrets.newest, derived(secrets.current, _PURPOSE)
        return self._newest


def passes_of(settings: Settings, clock: Clock) -> Passes:
    """The passes of an installation."""
    return Passes(lambda: secrets_of(settings.data, make=False), clock)


def _mac(key: bytes, payload: bytes) -> bytes:
    return base64.urlsafe_b64encode(hmac.digest(key, payload, "sha256"))
