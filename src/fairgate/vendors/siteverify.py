"""Captchas of a vendor, by the request that Turnstile, hCaptcha and reCAPTCHA have in common: `siteverify`.

What the vendor's widget in the browser gave is posted to the vendor with the secret; it answers `success`, with
`error-codes` where there is none, and for which `hostname` and `action` it was solved.
"""

import hashlib
import hmac
import logging
import time
import uuid
from collections.abc import Mapping
from typing import Final, NamedTuple

import httpx
import msgspec

from fairgate.domain.challenge import Challenge
from fairgate.ports.challenger import Begun, Challenger, Found, Given

#: Characters of what a widget gives: vendors allow 2,048, and one of them more.
LONGEST: Final = 8_192
#: Bytes of an answer; a real one has a few hundred.
_LARGEST: Final = 64 * 1024
#: Codes that speak of us or of the vendor, and not of what was given. A code that whoever answers could bring about
#: (`bad-request`, `sitekey-secret-mismatch`) is not among them: it would be a way past where a vendor that is down
#: lets pass.
_NOT_THEIRS: Final = frozenset({"missing-input-secret", "invalid-input-secret", "internal-error"})
_log = logging.getLogger(__name__)


class Site(NamedTuple):
    """Where a vendor answers, the public key of the widget, and what a right answer was solved for.

    `action` is that of the widget, None for any. With `bound`, the widget was given the challenge's id as its `cdata`,
    as Turnstile allows: what was solved for one challenge is no answer to another.
    """

    url: str
    site_key: str
    hostnames: tuple[str, ...]
    action: str | None
    bound: bool
    seconds: float


class _Said(msgspec.Struct, frozen=True, rename={"error_codes": "error-codes"}):
    """What a vendor answers. Members beyond these, and codes that nobody knows, are nothing to mind."""

    success: bool
    error_codes: list[str] | None = None
    hostname: str | None = None
    action: str | None = None
    cdata: str | None = None


class _Unclear(Exception):
    """The vendor has given no answer that says anything."""


class Siteverify(Challenger):
    """Asks a vendor, at the address that the settings give and nowhere else, whatever it answers."""

    def __init__(self, site: Site, secret: str) -> None:
        self._site = site
        self._secret = secret

    @property
    def reported(self) -> bool:
        """See the port."""
        return False

    def begin(self, challenge_id: str) -> Begun:  # noqa: ARG002 - the port's
        """See the port."""
        return Begun("")

    def shows(self, challenge: Challenge) -> Mapping[str, str | int]:
        """See the port."""
        shown: dict[str, str | int] = {"site_key": self._site.site_key}
        if self._site.action is not None:
            shown["action"] = self._site.action
        return {**shown, "cdata": challenge.id} if self._site.bound else shown

    def check(self, challenge: Challenge, given: Given) -> Found:
        """See the port. Whatever goes wrong on the way is `UNAVAILABLE`."""
        if not given.text or len(given.text) > LONGEST:
            return Found.WRONG
        try:
            said = self._asked(challenge, given)
        except (httpx.HTTPError, msgspec.DecodeError, UnicodeError, _Unclear) as error:
            _log.warning("the vendor of the challenge %s can't say: %s", challenge.kind, type(error).__name__)
            return Found.UNAVAILABLE
        if said.success:
            return Found.RIGHT if self._was_ours(challenge, said) else Found.WRONG
        codes = _NOT_THEIRS.intersection(said.error_codes or ())
        if codes:
            _log.error("the vendor of the challenge %s refuses us: %s", challenge.kind, ", ".join(sorted(codes)))
        return Found.UNAVAILABLE if codes else Found.WRONG

    def _was_ours(self, challenge: Challenge, said: _Said) -> bool:
        """Whether it was solved on our own pages, for this purpose. What the vendor leaves out is not ours."""
        if said.hostname not in self._site.hostnames:
            return False
        if self._site.action is not None and said.action != self._site.action:
            return False
        return not self._site.bound or hmac.compare_digest((said.cdata or "").encode(), challenge.id.encode())

    def _asked(self, challenge: Challenge, given: Given) -> _Said:
        form = {"secret": self._secret, "response": given.text, "idempotency_key": _name(challenge, given)}
        if given.ip is not None:
            form["remoteip"] = given.ip
        until = time.monotonic() + self._site.seconds
        with (
            httpx.Client(timeout=self._site.seconds, follow_redirects=False, trust_env=False) as client,
            client.stream("POST", self._site.url, data=form, headers={"accept-encoding": "identity"}) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise _Unclear
            body = b""
            for piece in answer.iter_raw():  # as it came: nothing in it is blown up
                body += piece
                if len(body) > _LARGEST or time.monotonic() > until:
                    raise _Unclear
        return msgspec.json.decode(body, type=_Said)


def _name(challenge: Challenge, given: Given) -> str:
    """The same for the same answer to the same challenge: Turnstile then says again what it said before."""
    digest = hashlib.sha256(f"{challenge.id}.{given.text}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))
