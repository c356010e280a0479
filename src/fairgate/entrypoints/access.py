"""Who may ask the door for what: API keys as callers send them, checked without a look at the disk."""

import logging
import re
import secrets
import string
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from ipaddress import ip_address
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from fairgate.domain.access import ApiKey, Granted, Scope
from fairgate.domain.errors import BadSettings, FairgateError
from fairgate.entrypoints.passes import PREFIX, Passes
from fairgate.ports.api_keys import ApiKeys
from fairgate.ports.clock import Clock

#: A change made by another process, such as a revocation, counts at most so long later.
REFRESH_SECONDS: Final = 1.0
#: Last uses are written down after so many refreshes, and at the end.
_REFRESHES_PER_SAVE = 60

_ID_LETTERS = string.ascii_lowercase + string.digits
_ID_LENGTH = 8
_SECRET_BYTES = 32
_BEARER = re.compile(rb"(?i:bearer) +fg_([a-z0-9]{8})_([A-Za-z0-9_-]{43})")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Denied:
    """The caller may not: what to answer. `headers` stand beside the content type."""

    status: int
    code: str
    reason: str
    headers: tuple[tuple[bytes, bytes], ...]


Verdict: TypeAlias = Granted | Denied


def new_key(
    name: str, scopes: frozenset[Scope], created: int, expires: int | None, rotated_from: str | None = None
) -> tuple[str, ApiKey]:
    """A new key's text, to be shown once, and what is stored of it.

    The text is `fg_`, a public id, `_`, and a secret of 256 random bits. What is stored is the plain SHA-256 of the
    secret: slow, salted hashes slow down the guessing of what people think up, and 256 random bits can't be guessed.
    """
    key_id = "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    stored = ApiKey(key_id, name, scopes, sha256(secret.encode()).digest(), created, expires, rotated_from)
    return f"fg_{key_id}_{secret}", stored


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens at `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def of_this_machine(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request may be of a program here, and not of a web page in a browser here, whoever made that page.

    A browser tells where a page came from, and names the host that the page asked for, even one that was made to point
    at this machine.
    """
    return b"origin" not in headers and _is_here(headers.get(b"host", b""))


@lru_cache(64)
def _is_here(host: bytes) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host.decode('latin-1')}").hostname or "")
    except ValueError:  # no host at all
        return False


def require_keys(host: str, keys: ApiKeys, now: int) -> None:
    """Raise `BadSettings` where `host` is open to other machines and no API key is active."""
    if not is_loopback(host) and all(key.state(now) != "active" for key in keys.all()):
        raise BadSettings(
            f"{host} is open to other machines, and there is no active API key. Make one with `fairgate keys create`,"
            " or listen at 127.0.0.1."
        )


@dataclass(frozen=True, slots=True)
class _Entry:
    key: ApiKey
    granted: Granted


def _denied(status: int, code: str, reason: str, challenge: str = "") -> Denied:
    header = b'Bearer realm="fairgate"' + challenge.encode()
    return Denied(status, code, reason, ((b"www-authenticate", header),))


_INVALID = ', error="invalid_token"'
_NO_KEY = _denied(401, "no_key", "this needs an API key: send it as `Authorization: Bearer fg_...`")
_UNKNOWN = _denied(401, "unknown_key", "there is no such API key", _INVALID)
_ENDED = {
    "expired": _denied(401, "expired_key", "this API key has expired", _INVALID),
    "revoked": _denied(401, "revoked_key", "this API key has been revoked", _INVALID),
}
_LACKS = {
    scope: _denied(
        403, "scope_missing", f"this needs the scope {scope}", f', error="insufficient_scope", scope="{scope}"'
    )
    for scope in Scope
}
_ENDED_PASS = _denied(401, "ended_pass", "this pass is not, or no longer, of this installation", _INVALID)
_ANYONE = Granted("", "", frozenset(Scope) - {Scope.PERSONAL})
#: Stands for every id that there is none of, so that such a key takes the same steps as one with a wrong secret.
_NOBODY = _Entry(
    ApiKey("", "", frozenset(), sha256(secrets.token_bytes(_SECRET_BYTES)).digest(), 0), Granted("", "", frozenset())
)


class Access:
    """Checks callers against the API keys, as they were at the last `refresh`.

    While no key was ever made and `host` is loopback, everyone on this machine is granted everything but personal data.
    With `passes`, who has one of those is let in by it.
    `check` is for one thread; `refresh` and `save_used` for one other.
    """

    def __init__(self, keys: ApiKeys, clock: Clock, host: str, passes: Passes | None = None) -> None:
        self._keys = keys
        self._passes = passes
        self._clock = clock
        self._loopback = is_loopback(host)
        self._known: dict[bytes, _Entry] = {}
        self._version: tuple[int, int] | None = None
        self._used: dict[str, int] = {}
        self._saved: dict[str, int] = {}
        #: Whether callers need no key.
        self.open = False
        self.refresh()

    def check(self, authorization: bytes | None, scope: Scope) -> Verdict:
        """Whether a caller with this `Authorization` header may do what needs `scope`. About 2 us, no disk.

        An unknown key and a wrong secret get the same answer after the same steps; that a key has expired or been
        revoked is told only to who has its secret.
        """
        if self._passes is not None and authorization is not None and authorization.startswith(PREFIX):
            granted = self._passes.check(authorization)
            return _ENDED_PASS if granted is None else _if_it_has(granted, scope)
        if self.open:
            return _ANYONE if scope in _ANYONE.scopes else _NO_KEY
        match = _BEARER.fullmatch(authorization or b"")
        if match is None:
            return _NO_KEY
        entry = self._known.get(match[1], _NOBODY)
        if not compare_digest(sha256(match[2]).digest(), entry.key.secret_hash):
            return _UNKNOWN
        now = self._clock.now()
        state = entry.key.state(now)
        if state != "active":
            return _ENDED[state]
        self._used[entry.key.id] = now
        return _if_it_has(entry.granted, scope)

    def still(self, granted: Granted) -> Granted | None:
        """What is left of what was granted earlier: the scopes that its key has even now; None where it has ended."""
        if not granted.key:
            return granted if self.open else None
        entry = self._known.get(granted.key.encode())
        if entry is None or entry.key.state(self._clock.now()) != "active":
            return None
        return Granted(granted.key, granted.by, granted.scopes & entry.granted.scopes)

    def refresh(self) -> None:
        """Take over what has changed in the store since the last time; 10 us where nothing has.

        Raises `KeysUnavailable`, and `BadSettings` where the secret can't be read; what was known before goes on to
        count.
        """
        if self._passes is not None:
            self._passes.refresh()
        version = self._keys.version()
        if version == self._version:
            return
        keys = self._keys.all()
        self._known = {key.id.encode(): _Entry(key, Granted(key.id, key.name, key.scopes)) for key in keys}
        was_open, self.open = self.open, self._loopback and not keys
        if self.open and self._version is None:
            _log.warning("no API key was made yet: everyone on this machine may use the door (`fairgate keys create`)")
        elif was_open and not self.open:
            _log.info("an API key was made: the door asks for keys from now on")
        self._version = version

    def save_used(self) -> None:
        """Write down when keys were last used. Raises `KeysUnavailable`; the next time tries again."""
        used = dict(self._used)  # one step for other threads
        fresh = {key: time for key, time in used.items() if self._saved.get(key) != time}
        if fresh:
            self._keys.used(fresh)
            self._saved |= fresh


def _if_it_has(granted: Granted, scope: Scope) -> Verdict:
    return granted if scope in granted.scopes else _LACKS[scope]


@contextmanager
def kept_fresh(access: Access) -> Iterator[None]:
    """Refresh `access` every second in a thread of its own, and write down last uses each minute and on leaving."""
    stop = threading.Event()
    thread = threading.Thread(target=_keep_fresh, args=(access, stop), name="api-keys", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        try:
            access.save_used()
        except FairgateError:
            _log.exception("when API keys were last used could not be written down")


def _keep_fresh(access: Access, stop: threading.Event) -> None:
    rounds, failing = 0, False
    while not stop.wait(REFRESH_SECONDS):
        rounds += 1
        try:
            access.refresh()
            if rounds % _REFRESHES_PER_SAVE == 0:
                access.save_used()
        except Exception:  # noqa: BLE001 - whatever it is, the thread must go on: revocations hang on it
            if not failing:
                _log.exception("the API keys can't be read: changes to them don't count until they can")
            failing = True
        else:
            if failing:
                _log.warning("the API keys can be read again")
            failing = False
