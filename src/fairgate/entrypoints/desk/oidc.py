"""Logging in by a provider of identities: OpenID Connect's code flow with PKCE."""

import asyncio
import base64
import hmac
import logging
import os
import re
import secrets
from typing import Annotated, Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from msgspec import Meta

from fairgate.domain.access import Role
from fairgate.domain.windows import MINUTE, SECOND
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.passwords import Sealing
from fairgate.ports.clock import Clock
from fairgate.secret_file import secrets_of
from fairgate.settings import OidcSettings, Settings

#: Where the provider sends people back to.
RETURN: Final = "/v1/session/oidc/callback"
#: Who begins must be back within this.
FLOW: Final = 10 * MINUTE
#: The environment has the client's secret; without one PKCE alone shows who asks.
SECRET_VARIABLE: Final = "FAIRGATE_OIDC_SECRET"  # noqa: S105 - the name of the variable
#: By public keys alone: with a symmetric one whoever can check could sign.
_ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519"]
_PATIENCE = 10.0
#: Characters of who somebody is, as OpenID Connect has it.
_LONGEST_SUBJECT: Final = 255
_MOST_BYTES = 1 << 20
#: Seconds by which the provider's clock may be off.
_LEEWAY = 60
_BOUND = b"oidc"
_T = TypeVar("_T", bound=msgspec.Struct)
_log = logging.getLogger(__name__)

_Url = Annotated[str, Meta(pattern=r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/])[!-~]+$", max_length=2_000)]


class _Provider(msgspec.Struct, frozen=True):
    """What a provider says of itself."""

    issuer: str
    authorization_endpoint: _Url
    token_endpoint: _Url
    jwks_uri: _Url


class _Tokens(msgspec.Struct, frozen=True):
    """What a code is changed for."""

    id_token: Annotated[str, Meta(max_length=100_000)]
    access_token: str = ""


class _Flow(msgspec.Struct, frozen=True, array_like=True):
    """What a browser keeps, sealed, until it is back."""

    state: str
    nonce: str
    verifier: str
    until: int


class Known(msgspec.Struct, frozen=True):
    """Whom the provider knows: who they are there, their name here, None for none, and the role that it gives them."""

    oidc: str
    name: str | None
    role: Role | None


class Oidc:
    """Sends people to the provider of the settings, and checks who comes back. Raises `Refusal`."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._people = settings.people
        self._data = settings.data
        self._clock = clock

    async def begin(self) -> tuple[str, str]:
        """Where to send a browser, and what it is to keep in a cookie meanwhile."""
        asked, provider = self._asked(), await self._provider()
        flow = _Flow(
            secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), self._clock.now() + FLOW
        )
        url: str = prepare_grant_uri(
            provider.authorization_endpoint,
            client_id=asked.client_id,
            response_type="code",
            redirect_uri=self._back,
            scope="openid profile email",
            state=flow.state,
            nonce=flow.nonce,
            code_challenge=create_s256_code_challenge(flow.verifier),
            code_challenge_method="S256",
        )
        sealed = (await self._sealing()).seal(msgspec.json.encode(flow), _BOUND)
        return url, base64.urlsafe_b64encode(sealed).decode()

    async def finish(self, cookie: str, state: str, code: str, issuer: str | None) -> Known:
        """Who has come back, with what the browser kept and what the provider gave it."""
        asked, flow = self._asked(), await self._flow(cookie)
        if flow is None or not hmac.compare_digest(flow.state.encode(), state.encode("utf-8", "replace")):
            raise _refused("this was not begun in this browser, or too long ago: begin again")
        if issuer is not None and issuer != asked.issuer:
            raise _refused("another provider has answered")
        provider = await self._provider()
        tokens = await self._changed(provider, code, flow.verifier)
        keys = await _fetched("GET", provider.jwks_uri)
        try:
            token = jwt.decode(tokens.id_token, KeySet.import_key_set(msgspec.json.decode(keys)), _ALGORITHMS)
            must = {
                "iss": {"essential": True, "value": asked.issuer},
                "aud": {"essential": True, "value": asked.client_id},
            }
            known = {"nonce": flow.nonce, "client_id": asked.client_id, "access_token": tokens.access_token}
            claims = CodeIDToken(token.claims, token.header, must, known)
            claims.validate(self._clock.now() // SECOND, _LEEWAY)
        except (JoseError, msgspec.DecodeError, ValueError, TypeError, KeyError) as error:
            _log.warning("a token of the provider of identities was refused", exc_info=error)
            raise _refused("the provider's token can't be trusted") from error
        return self._known(asked, dict(claims))

    def _known(self, asked: OidcSettings, claims: dict[str, object]) -> Known:
        subject, name = claims.get("sub"), claims.get(asked.name_claim)
        if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
            raise _refused("the provider does not say who this is")
        if asked.name_claim == "email" and claims.get("email_verified") is not True:
            name = None
        said = claims.get(asked.role_claim)
        given = {each for each in (said if isinstance(said, list) else [said]) if isinstance(each, str)}
        role = next((role for value, role in asked.roles.items() if value in given), None)
        return Known(f"{asked.issuer} {subject}", name if isinstance(name, str) else None, role)

    async def _flow(self, cookie: str) -> _Flow | None:
        if re.fullmatch(r"[A-Za-z0-9_=-]{40,2000}", cookie) is None:
            return None
        try:
            sealed = base64.urlsafe_b64decode(cookie)
        except ValueError:
            return None
        plain = (await self._sealing()).open(sealed, _BOUND)
        flow = None if plain is None else msgspec.json.decode(plain, type=_Flow)
        return flow if flow is not None and self._clock.now() < flow.until else None

    async def _provider(self) -> _Provider:
        issuer = self._asked().issuer
        provider = _as(_Provider, await _fetched("GET", f"{issuer.removesuffix('/')}/.well-known/openid-configuration"))
        if provider.issuer != issuer:
            _log.error("the provider of identities calls itself %s", provider.issuer)
            raise _unavailable()
        return provider

    async def _changed(self, provider: _Provider, code: str, verifier: str) -> _Tokens:
        """The tokens that a code is changed for."""
        client, secret = self._asked().client_id, os.environ.get(SECRET_VARIABLE, "")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "code_verifier": verifier,
            **({} if secret else {"client_id": client}),
        }
        auth = httpx.BasicAuth(quote(client, safe=""), quote(secret, safe="")) if secret else None
        return _as(_Tokens, await _fetched("POST", provider.token_endpoint, form, auth))

    async def _sealing(self) -> Sealing:
        return Sealing(await asyncio.to_thread(secrets_of, self._data, make=False), "oidc")

    @property
    def _back(self) -> str:
        return f"{self._people.url}{RETURN}"

    def _asked(self) -> OidcSettings:
        if not self._people.oidc.issuer:
            raise Refusal(404, "not_found", "no provider of identities is set: log in by a password")
        return self._people.oidc


async def _fetched(
    method: str, url: str, form: dict[str, str] | None = None, auth: httpx.BasicAuth | None = None
) -> bytes:
    """The body of a provider's answer."""
    try:
        async with httpx.AsyncClient(timeout=_PATIENCE, follow_redirects=False, trust_env=False) as client:
            answer = await client.request(method, url, data=form, auth=auth, headers={"accept": "application/json"})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        _log.warning("the provider of identities can't be reached", exc_info=error)
        raise _unavailable() from error
    if method == "POST" and answer.is_client_error:  # it speaks of the code
        raise _refused("the provider does not take the code: begin again")
    if answer.status_code != httpx.codes.OK or len(answer.content) > _MOST_BYTES:
        _log.warning("the provider of identities answered with status %d", answer.status_code)
        raise _unavailable()
    return answer.content


def _as(kind: type[_T], body: bytes) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        _log.warning("the provider of identities answered with something else", exc_info=error)
        raise _unavailable() from error


def _refused(reason: str) -> Refusal:
    return Refusal(403, "not_trusted", reason)


def _unavailable() -> Refusal:
    return Refusal(503, "provider_unavailable", "the provider of identities can't be asked: the service's log says why")
