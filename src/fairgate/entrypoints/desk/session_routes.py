"""Logging in and out over HTTP, by password or by a provider of identities."""

from html import escape
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from fairgate.domain.access import Scope
from fairgate.domain.errors import LastAdmin
from fairgate.entrypoints.desk.admission import admitted
from fairgate.entrypoints.desk.office import Desk, Office, Signed
from fairgate.entrypoints.desk.oidc import FLOW, RETURN
from fairgate.entrypoints.desk.people_answers import (
    CodeAsked,
    LogIn,
    PasswordAsked,
    PasswordChange,
    SessionAnswer,
    TotpAnswer,
)
from fairgate.entrypoints.desk.problems import Refusal, documented
from fairgate.entrypoints.desk.sessions import SignedIn
from fairgate.entrypoints.door.bodies import ANYONE

routes = APIRouter(tags=["Sessions"])
_NO_STORE: Final = {"Cache-Control": "no-store"}
_OIDC_COOKIE: Final = "fairgate-oidc"
_PLACE: Final = "/v1/session/oidc"
_SHORT = 4_000


@routes.post(
    "/v1/session", status_code=201, response_model=SessionAnswer, responses=documented(401, 403, 413, 422, 429, 503)
)
async def log_in(asked: LogIn, request: Request, desk: Desk) -> Response:
    """Log in. For everybody, and the answer is the same whoever there is. A browser gets a cookie."""
    token, signed = await desk.front.log_in(asked.name, asked.password, asked.code, request)
    return _welcome(desk, token, signed, 201)


@routes.get("/v1/session", response_model=SessionAnswer, responses=documented(401, 403, 503))
async def who_am_i(request: Request, desk: Desk) -> Response:
    """Who is logged in, and what their pages must send. For whoever is logged in.

    While a desk is open to everyone on its machine that is anyone, who may all and has no role.
    """
    if desk.access.open:
        shown = SessionAnswer(ANYONE, None, sorted(Scope), "", must_enrol=False)
    else:
        shown = _shown(await desk.sessions.signed_in(request))
    return Response(msgspec.json.encode(shown), 200, _NO_STORE, "application/json")


@routes.delete("/v1/session", status_code=204, responses=documented(401, 403, 503))
async def log_out(signed: Signed, desk: Desk) -> Response:
    """Log out. For whoever is logged in."""
    await desk.sessions.end(signed)
    answer = Response(status_code=204, headers={"Clear-Site-Data": '"cache"', **_NO_STORE})
    desk.sessions.take(answer)
    return answer


@routes.post(
    "/v1/session/password",
    response_model=SessionAnswer,
    responses=documented(401, 403, 409, 413, 422, 429, 503),
)
async def change_password(asked: PasswordChange, request: Request, signed: Signed, desk: Desk) -> Response:
    """Change one's own password: all one's sessions end, and a new one begins. For whoever is logged in."""
    token, anew = await desk.front.change_password(signed, asked.old, asked.new, request)
    return _welcome(desk, token, anew, 200)


@routes.post("/v1/session/totp", response_model=TotpAnswer, responses=documented(401, 403, 409, 413, 422, 429, 503))
async def begin_totp(asked: PasswordAsked, request: Request, signed: Signed, desk: Desk) -> Response:
    """Begin to take one-time codes: a secret for an app, which counts once confirmed. For whoever is logged in."""
    secret, uri = await desk.front.begin_totp(signed, asked.password, request)
    return Response(msgspec.json.encode(TotpAnswer(secret, uri)), 200, _NO_STORE, "application/json")


@routes.post("/v1/session/totp/confirm", status_code=204, responses=documented(401, 403, 409, 413, 422, 429, 503))
async def confirm_totp(asked: CodeAsked, request: Request, signed: Signed, desk: Desk) -> Response:
    """Confirm by a code that the app has the secret: codes are needed from then on. For whoever is logged in."""
    await desk.front.confirm_totp(signed, asked.code, request)
    return Response(status_code=204, headers=_NO_STORE)


@routes.get(_PLACE, status_code=303, response_class=Response, responses=documented(404, 503))
async def begin_oidc(desk: Desk) -> Response:
    """Go to the provider of identities to log in. For everybody."""
    url, cookie = await desk.oidc.begin()
    answer = RedirectResponse(url, 303, _NO_STORE)
    answer.set_cookie(
        _OIDC_COOKIE,
        cookie,
        max_age=FLOW // 1_000_000,
        path=_PLACE,
        httponly=True,
        secure=desk.sessions.secure,
        samesite="lax",  # it is the provider's page that sends the browser back
    )
    return answer


@routes.get(RETURN, response_class=HTMLResponse, responses=documented(403, 404, 409, 422, 503))
async def finish_oidc(
    request: Request,
    desk: Desk,
    state: Annotated[str, Query(max_length=_SHORT, description="What the provider was sent.")] = "",
    code: Annotated[str, Query(max_length=_SHORT, description="What the provider's tokens are got for.")] = "",
    iss: Annotated[str | None, Query(max_length=_SHORT, description="The provider, where it says so.")] = None,
) -> Response:
    """Come back from the provider of identities, and be logged in. For everybody."""
    try:
        known = await desk.oidc.finish(request.cookies.get(_OIDC_COOKIE, ""), state, code, iss)
        now = desk.records.clock.now()
        person = await desk.records.do(lambda records: admitted(records.people, desk.keys, known, now))
    except LastAdmin as error:
        raise Refusal(409, "last_admin", str(error)) from error
    except Refusal as refusal:
        if refusal.status == HTTPStatus.FORBIDDEN:
            desk.watch.not_let_in(None)
        raise
    token, signed = await desk.sessions.begin(person, request, by_oidc=True)
    # A page, and no redirect: a browser would not send a strict cookie along on the provider's way back.
    words = f"You are logged in as {escape(signed.person.name)}."
    page = f'<!doctype html><meta charset="utf-8"><title>Fairgate</title><p>{words} <a href="/v1/session">Go on</a>'
    safe = {"Content-Security-Policy": "default-src 'none'", "Referrer-Policy": "no-referrer", **_NO_STORE}
    answer = HTMLResponse(page, headers=safe)
    answer.delete_cookie(_OIDC_COOKIE, path=_PLACE, httponly=True, secure=desk.sessions.secure, samesite="lax")
    desk.sessions.give(answer, token)
    return answer


def _welcome(desk: Office, token: str, signed: SignedIn, status: int) -> Response:
    answer = Response(msgspec.json.encode(_shown(signed)), status, _NO_STORE, "application/json")
    desk.sessions.give(answer, token)
    return answer


def _shown(signed: SignedIn) -> SessionAnswer:
    person = signed.person
    return SessionAnswer(person.name, person.role, sorted(signed.granted.scopes), signed.csrf, signed.must_enrol)
