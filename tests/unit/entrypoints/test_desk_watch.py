"""What the audit log has of people: who logs in and out, what changes about them, and who is refused; and no flood."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from fairgate.domain.audit import Doing, Kind, more_of
from fairgate.domain.errors import RecordsUnavailable
from fairgate.domain.ledger import Subject
from fairgate.domain.windows import HOUR
from fairgate.entrypoints.desk.watch import UNKNOWN, Watch
from fairgate.wiring import RECORDS
from tests.e2e.desks import audited
from tests.unit.entrypoints.test_desk_app import Desk, refusal
from tests.unit.entrypoints.test_desk_people import OTHER, PASSWORD, Browser, enrol, ids, logged_in, made


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with ExitStack() as stack:
        yield made(tmp_path, stack)


def written(desk: Desk) -> list[Doing]:
    """What the audit log has, once all of it is written down, but who was let in before."""
    asyncio.run(desk.office.watch.write())
    return [each for each in audited(desk.office.settings) if each.by != "test"]


def told(desk: Desk) -> list[tuple[str, str, Subject, str]]:
    return [(each.what, each.by, each.about, each.more) for each in written(desk)]


def person(desk: Desk, name: str) -> Subject:
    return Subject("person", ids(desk)[name])


def test_logging_in_and_out_stands_in_the_audit_log_with_the_session(desk: Desk) -> None:
    browser = logged_in(desk, "lead")
    browser.ask("DELETE", "/v1/session")
    began, ended = written(desk)
    assert (began.what, began.by, began.about, began.more) == (
        Kind.LOGGED_IN,
        "lead",
        person(desk, "lead"),
        more_of(by_oidc=False),
    )
    assert (ended.what, ended.by, ended.about, ended.key) == (Kind.LOGGED_OUT, "lead", began.about, began.key)
    assert began.key.startswith("session:")


def test_an_admin_s_changes_stand_there_in_their_name(desk: Desk) -> None:
    admin = logged_in(desk, "admin")
    reader, path = person(desk, "reader"), f"/v1/people/{ids(desk)['reader']}"
    added = admin.ask("POST", "/v1/people", json={"name": "Zoe", "role": "engineer", "password": OTHER})
    admin.ask("PATCH", path, json={"role": "reviewer", "password": OTHER})
    admin.ask("PATCH", path, json={"active": False, "reset_totp": True})
    admin.ask("PATCH", path, json={"active": True})
    admin.ask("PATCH", path, json={})
    rows = written(desk)[1:]
    assert [(each.what, each.about, each.more) for each in rows] == [
        (Kind.PERSON_ADDED, Subject("person", added.json()["id"]), more_of(role="engineer")),
        (Kind.ROLE, reader, more_of(before="reader", role="reviewer")),
        (Kind.REKEYED, reader, ""),
        (Kind.PERSON_OFF, reader, ""),
        (Kind.PERSON_ON, reader, ""),
    ]
    assert {(each.by, each.key[:8]) for each in rows} == {("admin", "session:")}


def test_what_people_change_about_their_log_in_stands_there(desk: Desk) -> None:
    browser, _ = enrol(desk, "reader")
    assert browser.ask("POST", "/v1/session/password", json={"old": PASSWORD, "new": OTHER}).status_code == 200
    admin = logged_in(desk, "admin")
    admin.ask("PATCH", f"/v1/people/{ids(desk)['reader']}", json={"reset_totp": True})
    kinds = [(what, by) for what, by, about, _ in told(desk) if about == person(desk, "reader")]
    assert kinds == [
        (Kind.LOGGED_IN, "reader"),
        (Kind.CODES_TAKEN, "reader"),
        (Kind.REKEYED, "reader"),
        (Kind.LOGGED_IN, "reader"),
        (Kind.CODES_GONE, "admin"),
    ]


def test_what_is_refused_changes_nothing_and_says_nothing_of_a_change(desk: Desk) -> None:
    answer = logged_in(desk, "admin").ask("PATCH", f"/v1/people/{ids(desk)['admin']}", json={"role": "reader"})
    assert refusal(answer) == (409, "last_admin")
    assert [each.what for each in written(desk)] == [Kind.LOGGED_IN]


def test_no_name_password_or_code_that_was_tried_is_kept(desk: Desk) -> None:
    words = ["my secret phrase", OTHER, "123456"]
    Browser(desk).log_in(words[0], words[1], words[2])
    Browser(desk).log_in("reader", words[1], words[2])
    logged_in(desk, "reader").ask("GET", "/v1/accounts/anna@example.com/actions")
    rows = msgspec.json.encode(written(desk))
    for each in (*words, PASSWORD, "anna"):
        assert each.encode() not in rows


def test_a_failed_log_in_stands_there_once_twice_four_times(desk: Desk) -> None:
    for number in range(9):
        desk.clock.time += HOUR // 10  # no throttle
        Browser(desk).log_in("reader", OTHER)
        Browser(desk).log_in(f"nobody {number}", OTHER)
    rows = [(about.value, more) for what, _, about, more in told(desk) if what == Kind.NOT_LET_IN]
    known = ids(desk)["reader"]
    assert rows == [(who, more_of(times=times)) for times in (1, 2, 4, 8) for who in (known, UNKNOWN)]
    desk.clock.time += HOUR
    Browser(desk).log_in("reader", OTHER)
    assert told(desk)[-1][2:] == (Subject("person", known), more_of(times=1))


def test_a_flood_of_names_writes_few_rows(desk: Desk) -> None:
    watch = Watch(desk.office.records)
    for _ in range(100_000):
        watch.not_let_in(None)
    asyncio.run(watch.write())
    assert len(written(desk)) == 17  # 1, 2, 4, ..., 65,536


def test_a_forged_token_and_a_role_that_lacks_the_right_are_refused_and_noted(desk: Desk) -> None:
    reader = logged_in(desk, "reader")
    for account in ("anna", "bert", "carl"):
        reader.ask("POST", "/v1/appeals", json={"action": 1, "words": account, "ref": "1"})
    assert refusal(reader.ask("GET", "/v1/appeals/7")) == (403, "scope_missing")
    reader.csrf = "forged"
    assert refusal(reader.ask("DELETE", "/v1/jobs/x")) == (403, "csrf")
    refused = [(by, about, more) for what, by, about, more in told(desk) if what == Kind.REFUSED]
    assert refused == [
        ("reader", Subject("route", "POST /v1/appeals"), more_of(code="scope_missing", times=1)),
        ("reader", Subject("route", "POST /v1/appeals"), more_of(code="scope_missing", times=2)),
        ("reader", Subject("route", "GET /v1/appeals/{number}"), more_of(code="scope_missing", times=4)),
        ("reader", Subject("route", "DELETE /v1/jobs/{job_id}"), more_of(code="csrf", times=1)),
    ]


def test_who_is_nobody_is_refused_and_not_noted(desk: Desk) -> None:
    assert refusal(desk.ask("GET", "/v1/jobs")) == (401, "no_key")
    assert refusal(desk.ask("GET", "/v1/jobs", headers={"cookie": f"fairgate={secrets.token_urlsafe(32)}"})) == (
        401,
        "session_over",
    )
    browser = logged_in(desk, "reader")
    desk.clock.time += 24 * HOUR
    assert refusal(browser.ask("GET", "/v1/jobs")) == (401, "session_over")
    assert [each.what for each in written(desk)] == [Kind.LOGGED_IN]


def test_an_api_key_with_which_more_is_tried_is_noted_too(desk: Desk) -> None:
    asked = {"name": "Zoe", "role": "admin", "password": OTHER}
    assert refusal(desk.ask("POST", "/v1/people", by="key", json=asked)) == (403, "beyond_you")
    [row] = written(desk)
    assert (row.what, row.by, row.about.value) == (Kind.REFUSED, "key", "POST /v1/people")


def test_what_can_t_be_written_down_waits(desk: Desk) -> None:
    watch, file = desk.office.watch, desk.office.settings.data / RECORDS
    Browser(desk).log_in("reader", OTHER)
    aside = file.with_name("aside")
    file.rename(aside)
    file.mkdir()
    with pytest.raises(RecordsUnavailable):
        asyncio.run(watch.write())
    file.rmdir()
    aside.rename(file)
    watch.not_let_in(None)
    assert [more for _, _, _, more in told(desk)] == [more_of(times=1), more_of(times=1)]


def test_it_writes_by_itself_and_once_more_at_the_end(desk: Desk) -> None:
    watch = desk.office.watch

    async def lived() -> None:
        task = asyncio.create_task(watch.run())
        await asyncio.sleep(0)
        watch.not_let_in(None)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(lived())
    assert [each.what for each in audited(desk.office.settings)][-1] == Kind.NOT_LET_IN
