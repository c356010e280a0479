"""Every route of desk and door, with every role and with nobody, against one table."""

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.domain.access import Granted, Role, Scope
from fairgate.entrypoints.access import Access, new_key
from fairgate.entrypoints.openapi import ALL_ROUTES
from fairgate.entrypoints.passes import passes_of
from fairgate.entrypoints.serve_command import application_of
from fairgate.secret_file import secrets_of
from fairgate.settings import DoorSettings, Settings
from tests.e2e.doors import Once, serving
from tests.support import PACK, open_pipeline
from tests.unit.entrypoints.test_desk_app import Desk
from tests.unit.entrypoints.test_desk_people import Browser, logged_in, made

READER, REVIEWER, LEAD, INVESTIGATOR, ENGINEER, ADMIN = Role
ALL = frozenset(Role)
JUDGES = frozenset({REVIEWER, LEAD, INVESTIGATOR, ADMIN})
ACTS = frozenset({LEAD, INVESTIGATOR, ADMIN})
ASKS_SQL = frozenset({INVESTIGATOR, ENGINEER, ADMIN})
LEADS = frozenset({LEAD, ADMIN})
RUNS = frozenset({ADMIN})
SENDS = frozenset({ENGINEER, ADMIN})
#: Whoever is logged in, and nobody else; and everybody, also who is not.
SIGNED_IN, EVERYBODY = ALL, None
#: Who may use each route of the desk. A new route stands here, or this fails.
DESK = {
    ("POST", "/v1/sql"): ASKS_SQL,
    ("POST", "/v1/exports"): ASKS_SQL,
    ("POST", "/v1/backtests"): ALL,
    ("GET", "/v1/jobs"): ALL,
    ("GET", "/v1/jobs/{job_id}"): ALL,
    ("DELETE", "/v1/jobs/{job_id}"): ALL,
    ("GET", "/v1/jobs/{job_id}/report.html"): ALL,
    ("GET", "/v1/jobs/{job_id}/file"): ASKS_SQL,
    ("GET", "/v1/webhooks"): ALL,
    ("GET", "/v1/webhooks/dead"): ALL,
    ("POST", "/v1/webhooks/dead/{number}/again"): ACTS,
    ("GET", "/v1/accounts/{account}/actions"): ALL,
    ("POST", "/v1/appeals"): JUDGES,
    ("GET", "/v1/appeals"): JUDGES,
    ("GET", "/v1/appeals/{number}"): JUDGES,
    ("POST", "/v1/appeals/{number}/decision"): JUDGES,
    ("POST", "/v1/bulk"): ACTS,
    ("GET", "/v1/bulk"): ACTS,
    ("GET", "/v1/bulk/{number}"): ACTS,
    ("POST", "/v1/bulk/{number}/confirm"): ACTS,
    ("POST", "/v1/bulk/{number}/approve"): ACTS,
    ("POST", "/v1/bulk/{number}/reject"): ACTS,
    ("POST", "/v1/bulk/{number}/cancel"): ACTS,
    ("POST", "/v1/bulk/{number}/undo"): ACTS,
    ("POST", "/v1/cases"): JUDGES,
    ("POST", "/v1/cases/next"): JUDGES,
    ("GET", "/v1/cases/queue"): JUDGES,
    ("GET", "/v1/cases"): JUDGES,
    ("GET", "/v1/cases/{number}"): JUDGES,
    ("POST", "/v1/cases/{number}/claim"): JUDGES,
    ("POST", "/v1/cases/{number}/release"): JUDGES,
    ("POST", "/v1/cases/{number}/notes"): JUDGES,
    ("POST", "/v1/cases/{number}/snooze"): JUDGES,
    ("POST", "/v1/cases/{number}/escalate"): JUDGES,
    ("POST", "/v1/cases/{number}/reopen"): JUDGES,
    ("POST", "/v1/cases/{number}/merge"): JUDGES,
    ("POST", "/v1/cases/{number}/split"): JUDGES,
    ("POST", "/v1/cases/from-query"): JUDGES,
    ("POST", "/v1/cases/{number}/decision"): JUDGES,
    ("POST", "/v1/cases/{number}/gold"): LEADS,
    ("POST", "/v1/cases/{number}/gold/undo"): LEADS,
    ("GET", "/v1/quality"): LEADS,
    ("GET", "/v1/quality/me"): JUDGES,
    ("GET", "/v1/reviewers"): ALL,
    ("PUT", "/v1/reviewers/{person_id}"): LEADS,
    ("GET", "/v1/plan"): JUDGES,
    ("GET", "/v1/backlog"): ALL,
    ("POST", "/v1/challenges"): SENDS,
    ("GET", "/v1/challenges/{challenge_id}"): SENDS,
    ("POST", "/v1/challenges/{challenge_id}/answer"): SENDS,
    ("POST", "/v1/challenges/{challenge_id}/result"): SENDS,
    ("GET", "/v1/audit"): LEADS,
    ("GET", "/v1/audit/notices"): LEADS,
    ("GET", "/v1/people"): RUNS,
    ("POST", "/v1/people"): RUNS,
    ("PATCH", "/v1/people/{person_id}"): RUNS,
    ("GET", "/v1/session"): SIGNED_IN,
    ("DELETE", "/v1/session"): SIGNED_IN,
    ("POST", "/v1/session/password"): SIGNED_IN,
    ("POST", "/v1/session/totp"): SIGNED_IN,
    ("POST", "/v1/session/totp/confirm"): SIGNED_IN,
    ("POST", "/v1/session"): EVERYBODY,
    ("GET", "/v1/session/oidc"): EVERYBODY,
    ("GET", "/v1/session/oidc/callback"): EVERYBODY,
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/readyz"): EVERYBODY,
    ("GET", "/metrics"): EVERYBODY,
    ("GET", "/openapi.json"): EVERYBODY,
}
#: What the console's pages are made of, and the door behind the desk, which lets nobody do more there than they may.
PAGES = {
    ("GET", "/{page}"): EVERYBODY,
    ("GET", "/assets/{name}"): EVERYBODY,
    ("GET", "/icon.svg"): EVERYBODY,
    **{(method, "/v1/door/{path}"): ALL for method in ("GET", "POST", "PUT", "DELETE")},
}
DESK |= PAGES
DOOR = {
    ("POST", "/v1/decide"): SENDS,
    ("POST", "/v1/events"): SENDS,
    ("GET", "/v1/decisions/{id}"): ALL,
    ("GET", "/v1/entities/{kind}/{value}"): ALL,
    ("GET", "/v1/lists"): ALL,
    ("GET", "/v1/lists/{name}"): ALL,
    ("PUT", "/v1/lists/{name}/{value}"): ACTS,
    ("DELETE", "/v1/lists/{name}/{value}"): ACTS,
    ("GET", "/v1/accounts/{account}/standing"): ALL,
    ("GET", "/v1/actions"): ALL,
    ("POST", "/v1/actions"): ACTS,
    ("POST", "/v1/actions/batch"): ACTS,
    ("POST", "/v1/actions/batch/undo"): ACTS,
    ("GET", "/v1/actions/{number}"): ALL,
    ("GET", "/v1/actions/{number}/statement"): ALL,
    ("POST", "/v1/actions/{number}/undo"): ACTS,
    ("GET", "/v1/switches"): ALL,
    ("PUT", "/v1/switches/{rule}"): ACTS,
    ("GET", "/v1/memory"): ACTS,
    ("POST", "/v1/memory"): ACTS,
    ("POST", "/v1/audit/anchors"): RUNS,
    ("POST", "/v1/labels"): JUDGES | SENDS,
    ("POST", "/v1/erasures"): RUNS,
    ("POST", "/v1/reload"): RUNS,
    ("GET", "/metrics"): ALL,
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/readyz"): EVERYBODY,
    ("GET", "/openapi.json"): EVERYBODY,
}


def code_of(answer: httpx.Response) -> str:
    """The refusal's code; empty where it is none of whoever asks."""
    if answer.status_code not in {401, 403}:
        return ""
    return str(answer.json()["error"]["code"])


def filled(path: str) -> str:
    """A path with its parts; where a worker process would be asked, what it is asked for can't be."""
    impossible = "?days=0" if path.startswith("/v1/quality") else ""
    return re.sub(r"\{[a-z_]+\}", "7", path) + impossible


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with ExitStack() as stack:
        yield made(tmp_path, stack)


def routes_in(routes: Iterable[object]) -> Iterator[tuple[str, str]]:
    """Method and path of all routes, also of routers within; what is neither fails."""
    for route in routes:
        within = getattr(route, "original_router", None)
        if within is not None:
            yield from routes_in(within.routes)
            continue
        path, methods = getattr(route, "path", None), getattr(route, "methods", None)
        assert path, f"{route} is none whose permission is known"
        assert methods, f"{path} is none whose permission is known"
        yield from ((method, re.sub(r":[a-z_]+}", "}", path)) for method in methods - {"HEAD"})


def test_the_table_has_every_route_of_the_desk(desk: Desk) -> None:
    assert sorted(routes_in(desk.application.routes)) == sorted(DESK)
    documented = desk.application.openapi()["paths"]
    told = {(method.upper(), path) for path, methods in documented.items() for method in methods}
    assert told == set(DESK) - set(PAGES) - {("GET", "/openapi.json")}


def test_nobody_gets_beyond_what_is_everybodys_at_the_desk(desk: Desk) -> None:
    for (method, path), who in DESK.items():
        answer = desk.ask(method, filled(path), json={})
        told = "" if who is EVERYBODY else "session_over" if path.startswith("/v1/session") else "no_key"
        if path.endswith("/callback"):
            told = "" if answer.status_code == 404 else "set"  # there is no provider
        assert code_of(answer) == told, (method, path)


@pytest.mark.parametrize("role", Role)
def test_each_role_may_do_at_the_desk_what_the_table_says(desk: Desk, role: Role) -> None:
    browser = logged_in(desk, role.value)
    for (method, path), who in DESK.items():
        answer = browser.ask(method, filled(path), json={})
        assert code_of(answer) == ("" if who is EVERYBODY or role in who else "scope_missing"), (method, path)
        if (method, path) == ("DELETE", "/v1/session"):
            browser = logged_in(desk, role.value)
        forged = Browser(desk)
        forged.cookie = browser.cookie
        if method not in {"GET", "HEAD"} and who is not EVERYBODY:
            assert code_of(forged.ask(method, filled(path), json={})) == "csrf", (method, path)


def test_the_table_has_every_route_of_the_door() -> None:
    assert {(route.method, route.path) for route in ALL_ROUTES} == set(DOOR)


def test_each_role_may_do_at_the_door_what_the_table_says(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", door=DoorSettings(port=0))
    settings.data.mkdir()
    secrets_of(settings.data)
    with open_pipeline(tmp_path, PACK) as pipeline, open_api_keys(tmp_path / "keys.db") as keys:
        keys.add(new_key("first", frozenset({Scope.READ}), 0, None)[1])
        passes = passes_of(settings, pipeline.clock)
        access = Access(keys, pipeline.clock, "127.0.0.1", passes)
        with serving(application_of(Once(pipeline), settings, access)) as client:
            for role in (None, *Role):
                granted = None if role is None else Granted(f"session:{role}", role.value, role.scopes)
                headers = {} if granted is None else {"authorization": passes.issue(granted)}
                for (method, path), who in DOOR.items():
                    answer = client.request(method, filled(path), headers=headers)
                    lacks = "no_key" if role is None else "scope_missing"
                    expected = "" if who is EVERYBODY or (role is not None and role in who) else lacks
                    assert code_of(answer) == expected, (role, method, path)


def test_a_role_is_more_than_the_one_before_but_the_engineer_who_sees_nobody() -> None:
    for chain in ((READER, REVIEWER, LEAD, ADMIN), (REVIEWER, INVESTIGATOR, ADMIN)):
        for less, more in pairwise(chain):
            assert less.scopes < more.scopes
    assert INVESTIGATOR.scopes ^ LEAD.scopes == {Scope.SQL, Scope.AUDIT}
    assert ADMIN.scopes == set(Scope)
    assert not ENGINEER.scopes & {Scope.PERSONAL, Scope.REVIEW, Scope.ENFORCE, Scope.ADMIN}
