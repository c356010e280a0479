"""Sessions: who a request's cookie says is asking, and whether they themselves, and no other page, made it ask."""

import base64
import hmac
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response

from fairgate.domain.access import SESSION, Granted
from fairgate.domain.people import Person, Session
from fairgate.domain.windows import HOUR, MINUTE
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.entrypoints.staff import new_id
from fairgate.ports.people import Visit
from fairgate.settings import Settings
from fairgate.wiring import Records

#: The header that must say the session's token against forgery, wherever something may be changed.
CSRF_HEADER: Final = "fairgate-csrf"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_TOKEN_BYTES = 32
#: A use is noted when the last noted one is so old.
_NOTED_EVERY = MINUTE
_OVER = ((b"www-authenticate", b'Bearer realm="fairgate"'),)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody whose session counts. `csrf` is what their pages must send; `must_enrol` that they need codes first."""

    session: Session
    person: Person
    csrf: str
    must_enrol: bool

    @property
    def granted(self) -> Granted:
        """What they may do."""
        scopes = frozenset() if self.must_enrol else self.person.role.scopes
        return Granted(f"{SESSION}{self.session.id}", self.person.name, scopes)


class Sessions:
    """Begins, checks and ends the sessions of the settings' people. What a cookie holds is kept nowhere, but its hash.

    Raises `Refusal`, and what `DeskRecords.do` raises.
    """

    def __init__(self, settings: Settings, records: DeskRecords) -> None:
        people = self._people = settings.people
        self._records = records
        self._idle, self._longest = people.idle_minutes * MINUTE, people.session_hours * HOUR
        self.secure = people.url.startswith("https:") if people.url else settings.door.tls_cert is not None
        #: With this prefix browsers take it from this host alone, and by TLS.
        self.cookie = "__Host-fairgate" if self.secure else "fairgate"

    def has_one(self, request: Request) -> bool:
        """Whether a request has a session's cookie, whatever is in it."""
        return self.cookie in request.cookies

    async def begin(self, person: Person, request: Request, *, by_oidc: bool) -> tuple[str, SignedIn]:
        """Begin a new session, and end the one that the request had: a cookie from before never lets anybody in."""
        now, token = self._records.clock.now(), secrets.token_urlsafe(_TOKEN_BYTES)
        session = Session(id=new_id(), token=_hash(token), person=person.id, began=now, seen=now, by_oidc=by_oidc)
        before = request.cookies.get(self.cookie, "")

        def anew(records: Records) -> None:
            records.people.end(_hash(before), now)
            records.people.sweep(now - self._idle, now - self._longest)
            records.people.begin(session)

        await self._records.do(anew)
        return token, self._signed_in(token, Visit(session, person))

    async def signed_in(self, request: Request) -> SignedIn:
        """Who is asking. 401 where their session is over, 403 where another page may have made their browser ask."""
        token, now = request.cookies.get(self.cookie, ""), self._records.clock.now()
        visit = None
        if _TOKEN.fullmatch(token):
            visit = await self._records.do(lambda records: records.people.visit(_hash(token)))
        if visit is None or visit.person.off is not None or self._is_over(visit.session, now):
            raise Refusal(401, "session_over", "this session is over: log in again", headers=_OVER)
        signed = self._signed_in(token, visit)
        request.state.granted = signed.granted  # for whoever notes a refusal
        if request.method not in _SAFE:
            self.check_origin(request)
            sent = request.headers.get(CSRF_HEADER, "")
            if not hmac.compare_digest(sent.encode("latin-1"), signed.csrf.encode()):
                what = f"the header {CSRF_HEADER} must say what GET /v1/session says as `csrf`"
                raise Refusal(403, "csrf", what)
        if now - visit.session.seen >= _NOTED_EVERY:
            await self._records.do(lambda records: records.people.seen(visit.session.token, now))
        return signed

    def check_origin(self, request: Request) -> None:
        """Refuse what the page of another site made a browser ask for. Who is no browser says nothing of it."""
        origin = request.headers.get("origin")
        own = self._people.url or f"{request.url.scheme}://{request.headers.get('host', '')}"
        elsewhere = origin is not None and _site(origin) != _site(own)
        if elsewhere or request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            raise Refusal(403, "csrf", "this was asked for by the page of another site")

    async def still(self, granted: Granted) -> Granted | None:
        """What is left of what a person was granted: the scopes that their role has now; None for who is switched off.

        It hangs on them, and not on the session in which they asked: that may be long over.
        """
        person = await self._records.do(lambda records: records.people.named(granted.by))
        if person is None or person.off is not None:
            return None
        return Granted(granted.key, granted.by, granted.scopes & person.role.scopes)

    async def end(self, signed: SignedIn) -> None:
        """Log somebody out."""
        now = self._records.clock.now()
        await self._records.do(lambda records: records.people.end(signed.session.token, now))

    def give(self, answer: Response, token: str) -> None:
        """Give a browser its session's cookie."""
        answer.set_cookie(
            self.cookie, token, max_age=self._longest // 1_000_000, httponly=True, secure=self.secure, samesite="strict"
        )

    def take(self, answer: Response) -> None:
        """Take it from a browser."""
        answer.delete_cookie(self.cookie, httponly=True, secure=self.secure, samesite="strict")

    def _is_over(self, session: Session, now: int) -> bool:
        return now - session.seen >= self._idle or now - session.began >= self._longest

    def _signed_in(self, token: str, visit: Visit) -> SignedIn:
        session, person = visit
        must_enrol = not session.by_oidc and person.totp is None and person.role not in self._people.without_totp
        return SignedIn(session, person, _csrf(token), must_enrol)


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def _csrf(token: str) -> str:
    """What only the page of who has the session can know: it can't be made without what its cookie holds."""
    return base64.urlsafe_b64encode(hmac.digest(token.encode(), b"csrf", "sha256")).decode().rstrip("=")


def _site(url: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port; None where there are none, which is no site's."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None
