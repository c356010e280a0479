"""Logging in, and what people change about how they do."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec
from fastapi import Request

from fairgate.domain.audit import Doer
from fairgate.domain.errors import BadRequest
from fairgate.domain.people import Person
from fairgate.domain.windows import SECOND
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.entrypoints.desk.sessions import Sessions, SignedIn
from fairgate.entrypoints.desk.throttle import Throttle
from fairgate.entrypoints.desk.watch import Watch
from fairgate.entrypoints.passwords import (
    Sealing,
    check_password,
    hashed,
    hashing_threads,
    is_password,
    new_totp,
    step_of,
    totp_uri,
)
from fairgate.secret_file import secrets_of
from fairgate.settings import Settings

_T = TypeVar("_T")
#: Passwords that may wait to be hashed.
_MOST_WAITING: Final = 32
#: Stands for the codes of those who have none, so that they take the same steps.
_NO_CODES: Final = new_totp()
_log = logging.getLogger(__name__)


class Front:
    """Lets people in by password and one-time code. Raises `Refusal`, and what `DeskRecords.do` raises.

    Nobody learns who there is: an unknown name, a wrong password, a wrong or used code and somebody who is switched off
    get the same answer after the same work.
    """

    def __init__(self, settings: Settings, records: DeskRecords, sessions: Sessions, watch: Watch) -> None:
        self._data = settings.data
        self._records = records
        self._sessions = sessions
        self._watch = watch
        self._throttle = Throttle()
        self._threads = hashing_threads()
        self._hashing = 0

    async def log_in(self, name: str, password: str, code: str, request: Request) -> tuple[str, SignedIn]:
        """Begin a session; returns what its cookie holds."""
        self._sessions.check_origin(request)
        address = _address(request)
        self._try(name, address)
        person = await self._records.do(lambda records: records.people.named(name))
        if not await self._is_right(person, password, code) or person is None:
            self._watch.not_let_in(person)
            _log.info("a log-in was refused")
            raise _wrong()
        self._throttle.succeeded(name, address)
        _log.info("logged in", extra={"person": person.id})
        return await self._sessions.begin(person, request, by_oidc=False)

    async def change_password(self, signed: SignedIn, old: str, new: str, request: Request) -> tuple[str, SignedIn]:
        """Change one's own password. All sessions end, and a new one begins."""
        await self._check_own(signed, old, request)
        kept = await self.hash_of(new, signed.person.name)
        changed = await self._change(signed, lambda person: msgspec.structs.replace(person, password=kept))
        return await self._sessions.begin(changed, request, by_oidc=False)

    async def begin_totp(self, signed: SignedIn, password: str, request: Request) -> tuple[str, str]:
        """A new secret for one's own codes, and the same as an app reads it. It counts once a code was confirmed."""
        await self._check_own(signed, password, request)
        _check_no_codes(signed.person)
        secret, person = new_totp(), signed.person
        sealed = (await self._sealing()).seal(secret.encode(), person.id.encode())
        await self._change(signed, lambda now: msgspec.structs.replace(now, totp_new=sealed))
        return secret, totp_uri(secret, person.name)

    async def confirm_totp(self, signed: SignedIn, code: str, request: Request) -> None:
        """Let codes count from now on. All sessions but this end."""
        person, address = signed.person, _address(request)
        _check_no_codes(person)
        self._try(person.name, address)
        secret = await self._opened(person, person.totp_new)
        step = None if secret is None else step_of(secret, code, self._records.clock.now())
        if step is None:
            raise Refusal(422, "wrong_code", "this is not a code of the secret that was begun with", "code")
        self._throttle.succeeded(person.name, address)

        def enrol(now: Person) -> Person:
            _check_no_codes(now)
            return msgspec.structs.replace(now, totp=person.totp_new, totp_new=None, step=step)

        await self._change(signed, enrol, keep=signed.session.id)

    async def hash_of(self, password: str, name: str) -> str:
        """What is kept of somebody's new password."""
        try:
            check_password(password, name)
        except BadRequest as error:
            raise Refusal(422, "bad_password", str(error), "password") from error
        return await self._hashed(lambda: hashed(password))

    async def _is_right(self, person: Person | None, password: str, code: str) -> bool:
        """Whether this is the person's password, and code where they have codes. Nobody takes the same work."""
        active = person if person is not None and person.off is None else None
        kept = active.password if active is not None else None
        right = await self._hashed(lambda: is_password(kept, password))
        secret = None if active is None else await self._opened(active, active.totp)
        step = step_of(secret or _NO_CODES, code, self._records.clock.now())
        if active is None or not right:
            return False
        if active.totp is None:
            return True
        if secret is None or step is None:
            return False
        return await self._records.do(lambda records: records.people.use_step(active.id, step))

    async def _check_own(self, signed: SignedIn, password: str, request: Request) -> None:
        """Refuse who does not know the password of their session: it may be one that somebody left open."""
        kept, name, address = signed.person.password, signed.person.name, _address(request)
        if kept is None:
            raise Refusal(409, "no_password", "you log in by your provider of identities alone: change it there")
        self._try(name, address)
        if not await self._hashed(lambda: is_password(kept, password)):
            raise Refusal(403, "wrong_password", "this is not your password")
        self._throttle.succeeded(name, address)

    def _try(self, name: str, address: str) -> None:
        wait = self._throttle.tries(name, address, self._records.clock.now())
        if wait:
            seconds = str(-(-wait // SECOND)).encode()
            what = "too many tries: wait as long as the header Retry-After says"
            raise Refusal(429, "slow_down", what, headers=((b"retry-after", seconds),))

    async def _hashed(self, call: Callable[[], _T]) -> _T:
        if self._hashing >= _MOST_WAITING:
            raise Refusal(429, "busy", "too many log in just now", headers=((b"retry-after", b"2"),))
        self._hashing += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        finally:
            self._hashing -= 1

    async def _change(self, signed: SignedIn, how: Callable[[Person], Person], keep: str = "") -> Person:
        person, granted = signed.person, signed.granted
        doer = Doer(self._records.clock.now(), granted.by, granted.key)
        return await self._records.do(lambda records: records.people.change(person.id, how, doer, keep))

    async def _opened(self, person: Person, sealed: bytes | None) -> str | None:
        if sealed is None:
            return None
        found = (await self._sealing()).open(sealed, person.id.encode())
        return None if found is None else found.decode()

    async def _sealing(self) -> Sealing:
        return Sealing(await asyncio.to_thread(secrets_of, self._data, make=False), "one-time codes")


def _check_no_codes(person: Person) -> None:
    if person.totp is not None:
        raise Refusal(409, "has_codes", "you have one-time codes: let an admin take them away before you begin anew")


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _wrong() -> Refusal:
    headers = ((b"www-authenticate", b'Bearer realm="fairgate"'),)
    return Refusal(401, "not_you", "name, password or code is wrong", headers=headers)
