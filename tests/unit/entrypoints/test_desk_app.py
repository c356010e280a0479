"""What stands before the desk's routes: keys and scopes, bounds, strangers, and errors in one shape."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from functools import partial, reduce
from pathlib import Path
from random import Random

import httpx
import pytest

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.domain.access import Scope
from fairgate.entrypoints.access import Access, new_key
from fairgate.entrypoints.desk import app as desk_app
from fairgate.entrypoints.desk.anchoring import Anchoring
from fairgate.entrypoints.desk.app import app_of
from fairgate.entrypoints.desk.at_the_door import AtTheDoor
from fairgate.entrypoints.desk.audit import DeskAudit
from fairgate.entrypoints.desk.backlog import Backlog
from fairgate.entrypoints.desk.bulk import BulkDesk
from fairgate.entrypoints.desk.bulk_drafts import Drafting
from fairgate.entrypoints.desk.bulk_runner import BulkRunner
from fairgate.entrypoints.desk.caseroom import Caseroom
from fairgate.entrypoints.desk.challenging import Challenging
from fairgate.entrypoints.desk.doubts import Doubts
from fairgate.entrypoints.desk.front import Front
from fairgate.entrypoints.desk.hearing import Hearing
from fairgate.entrypoints.desk.jobs import Jobs
from fairgate.entrypoints.desk.judging import Judging
from fairgate.entrypoints.desk.labelling import Labelling
from fairgate.entrypoints.desk.measuring import Measuring
from fairgate.entrypoints.desk.meters import Meters
from fairgate.entrypoints.desk.office import Office
from fairgate.entrypoints.desk.oidc import Oidc
from fairgate.entrypoints.desk.outcomes import Outcomes
from fairgate.entrypoints.desk.planning import Planning
from fairgate.entrypoints.desk.records import DeskRecords, case_is_open
from fairgate.entrypoints.desk.roster import Roster
from fairgate.entrypoints.desk.second_looks import SecondLooks
from fairgate.entrypoints.desk.sessions import Sessions
from fairgate.entrypoints.desk.tasks import Refused
from fairgate.entrypoints.desk.upkeep import Upkeep
from fairgate.entrypoints.desk.watch import Watch
from fairgate.entrypoints.desk.workers import Workers
from fairgate.entrypoints.passes import passes_of
from fairgate.secret_file import secrets_of
from fairgate.settings import (
    ChallengeSettings,
    DeskSettings,
    DoorSettings,
    PeopleSettings,
    Settings,
    WebhookSettings,
)
from fairgate.wiring import RECORDS, open_challengers
from tests.support import SetClock

QUERY = {"query": "select 1"}


class NoLot(Random):
    """Draws no case by lot, unless `falls` says where it falls."""

    falls = 0.99

    def random(self) -> float:
        return self.falls


class Desk:
    """The application around an office whose workers are never started: what gets to one is an error here."""

    def __init__(  # noqa: PLR0913, PLR0917 - what differs between desks
        self,
        folder: Path,
        stack: ExitStack,
        scopes: Mapping[str, frozenset[Scope]],
        door: DoorSettings | None = None,
        webhook: Mapping[str, WebhookSettings] | None = None,
        people: PeopleSettings | None = None,
        challenge: Mapping[str, ChallengeSettings] | None = None,
        *,
        second_looks: bool = False,
    ) -> None:
        clock = self.clock = SetClock()
        self.lot = NoLot()
        keys = stack.enter_context(open_api_keys(folder / "keys.db"))
        self.keys = {}
        for name, given in scopes.items():
            self.keys[name], stored = new_key(name, given, clock.now(), None)
            keys.add(stored)
        desk = DeskSettings(jobs_waiting=1, second_looks=second_looks)
        tables = {"webhook": dict(webhook or {}), "challenge": dict(challenge or {})}
        settings = Settings(
            data=folder,
            door=door or DoorSettings(),
            desk=desk,
            people=people or PeopleSettings(),
            **tables,  # type: ignore[arg-type]
        )
        meters = Meters()
        access = Access(keys, clock, "127.0.0.1")
        jobs = Jobs(settings, clock, folder / "desk" / "jobs", meters)
        upkeep, records = Upkeep(settings, meters), DeskRecords(settings, clock)
        self.audit = DeskAudit(records)
        secrets_of(folder)
        self.passes = passes_of(settings, clock)
        at_the_door = AtTheDoor(settings.door, self.passes)
        sessions, watch = Sessions(settings, records), Watch(records)
        outcomes = Outcomes(records, at_the_door, meters)
        challengers = open_challengers(settings)
        labelling = Labelling(settings.data, records, at_the_door)
        hearing = Hearing(settings, records, self.audit, at_the_door, labelling)
        runner = BulkRunner(settings, records, at_the_door, access, sessions)
        self.workers = Workers(settings)
        planning = Planning(settings, records, self.workers, Roster(settings, records))
        caseroom = Caseroom(settings, records, self.audit, planning, NoLot())
        measuring = Measuring(records, self.workers)
        judging = Judging(caseroom, records, at_the_door, labelling, Doubts(settings, measuring, self.lot))
        self.office = Office(
            settings=settings,
            access=access,
            audit=self.audit,
            workers=self.workers,
            jobs=jobs,
            upkeep=upkeep,
            meters=meters,
            records=records,
            door=at_the_door,
            hearing=hearing,
            keys=keys,
            sessions=sessions,
            watch=watch,
            front=Front(settings, records, sessions, watch),
            oidc=Oidc(settings, clock),
            caseroom=caseroom,
            outcomes=outcomes,
            challenging=Challenging(settings.challenges, challengers, records, at_the_door, outcomes, meters),
            anchoring=Anchoring(records, at_the_door, lambda: secrets_of(folder, make=False), 5),
            bulk=BulkDesk(records, self.audit, Drafting(settings, records, at_the_door, self.workers), runner.wake),
            bulk_runner=runner,
            planning=planning,
            backlog=Backlog(settings, records),
            open_case=partial(case_is_open, folder),
            judging=judging,
            second_looks=SecondLooks(records, caseroom, judging, measuring, self.lot),
            measuring=measuring,
        )
        self.application = app_of(self.office, lambda: None)

    def ask(
        self, method: str, path: str, by: str = "", headers: Mapping[str, str] | None = None, **body: object
    ) -> httpx.Response:
        """The answer to one request."""

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.application, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8081") as client:
                key = {"authorization": f"Bearer {self.keys[by]}"} if by else {}
                return await client.request(method, path, headers={**key, **(headers or {})}, **body)  # type: ignore[arg-type]

        return asyncio.run(asked())


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def open_desk(tmp_path: Path, stack: ExitStack) -> Desk:
    return Desk(tmp_path, stack, {})


@pytest.fixture
def desk(tmp_path: Path, stack: ExitStack) -> Desk:
    scopes = {
        "reader": frozenset({Scope.READ}),
        "other reader": frozenset({Scope.READ}),
        "analyst": frozenset({Scope.SQL}),
        "insider": frozenset({Scope.SQL, Scope.PERSONAL, Scope.READ}),
        "admin": frozenset({Scope.READ, Scope.ADMIN}),
    }
    return Desk(tmp_path, stack, scopes)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["reason"]
    return answer.status_code, error["code"]


ROUTES = [
    ("POST", "/v1/sql", Scope.SQL, QUERY),
    ("POST", "/v1/exports", Scope.SQL, QUERY),
    ("POST", "/v1/backtests", Scope.READ, {"new": "ai_api"}),
    ("GET", "/v1/jobs", Scope.READ, None),
    ("GET", "/v1/jobs/x", Scope.READ, None),
    ("DELETE", "/v1/jobs/x", Scope.READ, None),
    ("GET", "/v1/jobs/x/report.html", Scope.READ, None),
    ("GET", "/v1/jobs/x/file", Scope.SQL, None),
    ("GET", "/v1/webhooks", Scope.READ, None),
    ("GET", "/v1/webhooks/dead", Scope.READ, None),
    ("POST", "/v1/webhooks/dead/7/again", Scope.ENFORCE, None),
    ("GET", "/v1/accounts/a/actions", Scope.READ, None),
    ("POST", "/v1/appeals", Scope.REVIEW, {"action": 1, "words": "why?", "ref": "1"}),
    ("GET", "/v1/appeals", Scope.REVIEW, None),
    ("GET", "/v1/appeals/7", Scope.REVIEW, None),
    ("POST", "/v1/appeals/7/decision", Scope.REVIEW, {"granted": True, "why": "so"}),
    ("GET", "/v1/people", Scope.ADMIN, None),
    ("POST", "/v1/people", Scope.ADMIN, {"name": "Ann", "role": "reader"}),
    ("PATCH", "/v1/people/y", Scope.ADMIN, {}),
    ("POST", "/v1/challenges", Scope.DECIDE, {"account": "a", "kind": "captcha", "ref": "1"}),
    ("GET", "/v1/challenges/c?account=a", Scope.DECIDE, None),
    ("POST", "/v1/challenges/c/answer", Scope.DECIDE, {"account": "a", "response": "1"}),
    ("POST", "/v1/challenges/c/result", Scope.DECIDE, {"account": "a", "passed": True}),
    ("GET", "/v1/audit", Scope.AUDIT, None),
    ("GET", "/v1/audit/notices", Scope.AUDIT, None),
    ("POST", "/v1/cases", Scope.REVIEW, {"accounts": ["a"], "why": "so", "ref": "1"}),
    ("POST", "/v1/cases/next", Scope.REVIEW, None),
    ("GET", "/v1/cases/queue", Scope.REVIEW, None),
    ("GET", "/v1/cases", Scope.REVIEW, None),
    ("GET", "/v1/cases/7", Scope.REVIEW, None),
    ("POST", "/v1/cases/7/claim", Scope.REVIEW, None),
    ("POST", "/v1/cases/7/release", Scope.REVIEW, None),
    ("POST", "/v1/cases/7/notes", Scope.REVIEW, {"text": "so"}),
    ("POST", "/v1/cases/7/snooze", Scope.REVIEW, {"for": "4h", "why": "so"}),
    ("POST", "/v1/cases/7/escalate", Scope.REVIEW, {"why": "so"}),
    ("POST", "/v1/cases/7/reopen", Scope.REVIEW, {"why": "so"}),
    ("POST", "/v1/cases/7/merge", Scope.REVIEW, {"other": 8, "other_version": 1, "why": "so"}),
    ("POST", "/v1/cases/7/split", Scope.REVIEW, {"accounts": ["a"], "why": "so"}),
    ("POST", "/v1/cases/from-query", Scope.REVIEW, {"accounts": ["a"], "why": "so", "ref": "1"}),
    ("POST", "/v1/cases/7/decision", Scope.REVIEW, {"outcome": "bad", "why": "so"}),
    ("POST", "/v1/cases/7/gold", Scope.AUDIT, {"truth": "bad", "why": "so"}),
    ("POST", "/v1/cases/7/gold/undo", Scope.AUDIT, {"why": "so"}),
    ("GET", "/v1/quality", Scope.AUDIT, None),
    ("GET", "/v1/quality/me", Scope.REVIEW, None),
    ("POST", "/v1/bulk", Scope.ENFORCE, {"accounts": ["a"], "action": "hold", "why": "so", "ref": "1"}),
    ("GET", "/v1/bulk", Scope.ENFORCE, None),
    ("GET", "/v1/bulk/7", Scope.ENFORCE, None),
    ("POST", "/v1/bulk/7/confirm", Scope.ENFORCE, {"typed": "hold 1 account"}),
    ("POST", "/v1/bulk/7/approve", Scope.ENFORCE, None),
    ("POST", "/v1/bulk/7/reject", Scope.ENFORCE, {"why": "so"}),
    ("POST", "/v1/bulk/7/cancel", Scope.ENFORCE, {"why": "so"}),
    ("POST", "/v1/bulk/7/undo", Scope.ENFORCE, {"why": "so"}),
    ("GET", "/v1/reviewers", Scope.READ, None),
    ("PUT", "/v1/reviewers/y", Scope.AUDIT, {"zone": "UTC", "hours": []}),
    ("GET", "/v1/plan", Scope.REVIEW, None),
    ("GET", "/v1/backlog", Scope.READ, None),
]
#: Parts of paths that stand for any.
PARTS = {
    "/y": "/{person_id}",
    "/x": "/{job_id}",
    "/7": "/{number}",
    "/a/": "/{account}/",
    "/c?account=a": "/{challenge_id}",
    "/c/": "/{challenge_id}/",
}


@pytest.mark.parametrize(("method", "path", "scope", "body"), ROUTES)
def test_each_route_asks_for_a_key_and_its_scope(
    desk: Desk, method: str, path: str, scope: Scope, body: object
) -> None:
    nobody = desk.ask(method, path, json=body)
    assert refusal(nobody) == (401, "no_key")
    assert nobody.headers["www-authenticate"].startswith("Bearer")
    wrong = "reader" if scope == Scope.SQL else "analyst"
    denied = desk.ask(method, path, by=wrong, json=body)
    assert refusal(denied) == (403, "scope_missing")
    assert scope in denied.json()["error"]["reason"]


def test_every_other_route_is_for_operators_and_tells_nothing_of_events(desk: Desk) -> None:
    paths = {path: set(each) for path, each in desk.application.openapi()["paths"].items()}
    patterns = [
        (method, reduce(lambda found, part: found.replace(*part), PARTS.items(), path)) for method, path, *_ in ROUTES
    ]
    guarded = {(method.lower(), path) for method, path in patterns}
    open_to_all = {(method, path) for path, methods in paths.items() for method in methods} - guarded
    sessions = {(method, path) for method, path in open_to_all if path.startswith("/v1/session")}
    assert open_to_all - sessions == {("get", "/healthz"), ("get", "/readyz"), ("get", "/metrics")}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": 1}, "query"),
        ({"query": "x" * 100_001}, "query"),
        ({"query": "\ud800"}, "query"),
        ({"query": "q", "limit": 0}, "limit"),
        ({"query": "q", "format": "xml"}, "format"),
        ({"query": "q", "more": 1}, "more"),
    ],
)
def test_a_body_that_is_wrong_is_told_where_and_not_repeated(
    open_desk: Desk, body: Mapping[str, object], field: str
) -> None:
    answer = open_desk.ask(
        "POST", "/v1/sql", headers={"content-type": "application/json"}, content=json.dumps(body).encode()
    )
    assert refusal(answer) == (422, "malformed")
    assert answer.json()["error"]["field"] == field
    assert "xxx" not in answer.text


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"1", b"[" * 100_000, b'{"query": 1e999}'])
def test_what_is_no_json_object_is_a_refusal(open_desk: Desk, content: bytes) -> None:
    for kind in ("application/json", "text/plain"):
        answer = open_desk.ask("POST", "/v1/sql", headers={"content-type": kind}, content=content)
        assert refusal(answer) == (422, "malformed")


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(
    open_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_app, "MOST_BYTES", 1_000)
    assert refusal(open_desk.ask("POST", "/v1/sql", content=b"x" * 1_001)) == (413, "too_large")
    chunks = [b"x" * 600] * 2

    async def stream() -> AsyncIterator[bytes]:
        for each in chunks:
            yield each

    assert refusal(open_desk.ask("POST", "/v1/sql", content=stream())) == (413, "too_large")
    assert refusal(open_desk.ask("POST", "/v1/sql", content=b"x" * 1_000)) == (422, "malformed")


def test_a_body_that_does_not_arrive_in_time_is_told_so(tmp_path: Path, stack: ExitStack) -> None:
    desk = Desk(tmp_path, stack, {}, DoorSettings(body_seconds=0.05))
    never = asyncio.Event()

    async def stream() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    assert refusal(desk.ask("POST", "/v1/sql", content=stream())) == (408, "slow")


def test_too_many_requests_at_a_time_are_told_to_come_back(open_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_app, "MOST_REQUESTS", 0)
    answer = open_desk.ask("GET", "/v1/jobs")
    assert refusal(answer) == (429, "busy")
    assert int(answer.headers["retry-after"]) >= 1


def test_without_keys_a_page_from_elsewhere_gets_nothing(open_desk: Desk, desk: Desk) -> None:
    for name in ("evil.example.com", "evil.example.com:8081", "", "127.0.0.1.evil.example.com"):
        assert refusal(open_desk.ask("GET", "/v1/jobs", headers={"host": name})) == (421, "not_here")
    for name in ("localhost", "127.0.0.1:8081", "[::1]:8081", "LocalHost:1"):
        assert open_desk.ask("GET", "/v1/jobs", headers={"host": name}).status_code == 200
    assert desk.ask("GET", "/v1/jobs", by="reader", headers={"host": "fairgate.internal"}).status_code == 200


def test_unknown_paths_and_methods_are_told_in_the_same_shape(open_desk: Desk) -> None:
    assert refusal(open_desk.ask("GET", "/v1/nothing")) == (404, "not_found")
    answer = open_desk.ask("GET", "/v1/sql")
    assert refusal(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"
    for path in ("/docs", "/redoc"):
        assert "swagger" not in open_desk.ask("GET", path).text.lower(), "they are pages of the console, as any other"


@pytest.mark.parametrize(
    "name", ["..", "../../etc", ".", "", "/etc", "a/b", "ai_api/../ai_api", "none such", "x" * 200]
)
def test_a_packs_name_leads_nowhere_else(open_desk: Desk, name: str) -> None:
    answer = open_desk.ask("POST", "/v1/backtests", json={"new": name})
    assert refusal(answer) == (422, "no_such_pack")
    assert answer.json()["error"]["field"] == "new"


def test_jobs_beyond_those_that_may_wait_are_turned_away(open_desk: Desk) -> None:
    for _ in range(2):
        assert open_desk.ask("POST", "/v1/backtests", json={"new": "ai_api"}).status_code == 202
    answer = open_desk.ask("POST", "/v1/backtests", json={"new": "ai_api"})
    assert refusal(answer) == (429, "busy")
    assert 1 <= int(answer.headers["retry-after"]) <= 3


def test_a_job_is_ended_by_who_asked_for_it_or_an_admin(desk: Desk) -> None:
    ids = [desk.ask("POST", "/v1/backtests", by="reader", json={"new": "ai_api"}).json()["job"]["id"] for _ in range(2)]
    assert refusal(desk.ask("DELETE", f"/v1/jobs/{ids[0]}", by="other reader")) == (403, "not_yours")
    assert desk.ask("DELETE", f"/v1/jobs/{ids[0]}", by="reader").json()["job"]["state"] == "cancelled"
    assert desk.ask("DELETE", f"/v1/jobs/{ids[1]}", by="admin").json()["job"]["state"] == "cancelled"
    assert refusal(desk.ask("DELETE", f"/v1/jobs/{ids[1]}", by="admin")) == (409, "job_ended")
    assert refusal(desk.ask("GET", f"/v1/jobs/{ids[1]}/report.html", by="reader")) == (404, "not_found")


def test_a_file_with_personal_values_is_for_those_who_may_read_them(desk: Desk) -> None:
    why = {"Fairgate-Reason": "ticket 7"}
    job = desk.ask("POST", "/v1/exports", by="insider", headers=why, json=QUERY).json()["job"]
    assert job["personal"] is True
    folders = desk.office.jobs.folders
    kept = folders.get(job["id"])
    assert kept is not None
    (folders.folder(kept) / kept.file).write_bytes(b"PAR1")
    folders.put(type(kept)(**{name: getattr(kept, name) for name in kept.__slots__} | {"state": "done"}))
    assert refusal(desk.ask("GET", f"/v1/jobs/{job['id']}/file", by="analyst")) == (403, "scope_missing")
    answer = desk.ask("GET", f"/v1/jobs/{job['id']}/file", by="insider", headers=why)
    assert (answer.status_code, answer.content) == (200, b"PAR1")
    assert answer.headers["cache-control"] == "no-store"
    assert 'filename="export.parquet"' in answer.headers["content-disposition"]
    assert refusal(desk.ask("GET", f"/v1/jobs/{job['id']}/report.html", by="insider")) == (404, "not_found")


def test_a_query_that_cannot_be_noted_does_not_run(open_desk: Desk) -> None:
    (open_desk.office.settings.data / RECORDS).write_bytes(b"none" * 999)
    for path in ("/v1/sql", "/v1/exports"):
        assert refusal(open_desk.ask("POST", path, json=QUERY)) == (503, "records_unavailable")
    assert open_desk.office.jobs.folders.all() == []


def test_too_many_queries_are_told_when_to_come_back(open_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_: object) -> Refused:
        return Refused(429, "busy", "too many queries wait already")

    monkeypatch.setattr(open_desk.office.workers, "run", busy)
    answer = open_desk.ask("POST", "/v1/sql", json=QUERY)
    assert refusal(answer) == (429, "busy")
    assert int(answer.headers["retry-after"]) >= 1


def test_what_nobody_thought_of_is_a_named_error(open_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> Refused:
        raise ZeroDivisionError

    monkeypatch.setattr(open_desk.office.workers, "run", broken)
    assert refusal(open_desk.ask("POST", "/v1/sql", json=QUERY)) == (500, "failed")


def test_requests_are_counted_by_route_and_never_by_what_was_sent(open_desk: Desk) -> None:
    for path in ("/v1/jobs/a", "/v1/jobs/b", "/v1/secret-of-anna", "/healthz"):
        open_desk.ask("GET", path)
    found = open_desk.ask("GET", "/metrics").text
    assert 'fairgate_desk_requests_total{route="/v1/jobs/{job_id}",status="404"} 2.0' in found
    assert 'fairgate_desk_requests_total{route="other",status="404"} 1.0' in found
    assert "anna" not in found


def test_ready_only_when_the_lake_is_kept_up(open_desk: Desk) -> None:
    assert open_desk.ask("GET", "/healthz").json() == {"status": "ok"}
    answer = open_desk.ask("GET", "/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "the lake is being looked at"})
