"""People at the desk: logging in and out, what sessions hold against, and who may change whom."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import argon2
import httpx
import pyotp
import pytest

from fairgate.domain.access import Role, Scope
from fairgate.domain.audit import Doer
from fairgate.domain.windows import HOUR, MINUTE, SECOND
from fairgate.entrypoints import passwords, staff
from fairgate.entrypoints.desk.throttle import FREE_BY_ADDRESS, FREE_BY_NAME, Throttle
from fairgate.settings import DoorSettings, PeopleSettings
from fairgate.wiring import RECORDS, open_records
from tests.unit.entrypoints.test_desk_app import Desk, refusal
from tests.unit.entrypoints.test_doctor import certificate

PASSWORD, OTHER = "seven grey herons", "eight black storks"
#: Each person's name is their role.
ROLES = tuple(Role)
DOER = Doer(1, "test")
EASY = PeopleSettings(without_totp=list(Role))


class Browser:
    """Keeps a cookie, and sends what its page was told."""

    def __init__(self, desk: Desk, name: str = "fairgate") -> None:
        self.desk, self.name = desk, name
        self.cookie, self.csrf = "", ""

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:  # noqa: ANN401 - JSON
        sent = {"fairgate-csrf": self.csrf} if self.csrf else {}
        cookie = {"cookie": f"{self.name}={self.cookie}"} if self.cookie else {}
        answer = self.desk.ask(method, path, headers={**sent, **cookie, **(headers or {})}, **body)
        if self.name in answer.cookies:
            self.cookie = answer.cookies[self.name]
        if answer.is_success and path.startswith("/v1/session") and "csrf" in answer.text:
            self.csrf = answer.json()["csrf"]
        return answer

    def log_in(self, name: str, password: str = PASSWORD, code: str = "") -> httpx.Response:
        return self.ask("POST", "/v1/session", json={"name": name, "password": password, "code": code})


def let_in(desk: Desk, *people: tuple[str, Role]) -> None:
    """Let people in, as `fairgate people add` does."""
    kept = passwords.hashed(PASSWORD)
    with open_records(desk.office.settings.data) as records:
        for name, role in people:
            person = staff.new_person(name, role, desk.clock.now(), "test", kept)
            staff.add(records.people, desk.office.keys, person, DOER)
    desk.office.access.refresh()


def made(folder: Path, stack: ExitStack, people: PeopleSettings = EASY) -> Desk:
    desk = Desk(folder, stack, {"key": frozenset({Scope.READ, Scope.ADMIN})}, people=people)
    let_in(desk, *((role.value, role) for role in ROLES))
    return desk


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def desk(tmp_path: Path, stack: ExitStack) -> Desk:
    return made(tmp_path, stack)


def logged_in(desk: Desk, name: str = "reader") -> Browser:
    browser = Browser(desk)
    assert browser.log_in(name).status_code == 201
    return browser


def ids(desk: Desk) -> dict[str, str]:
    found = desk.ask("GET", "/v1/people", by="key").json()["people"]
    return {each["name"]: each["id"] for each in found}


# --------------------------------------------------------------------------------------------------- logging in and out


def test_who_logs_in_is_known_by_a_cookie_that_scripts_can_t_read(desk: Desk) -> None:
    browser = Browser(desk)
    answer = browser.log_in("lead")
    told = answer.json()
    assert (answer.status_code, told["name"], told["role"]) == (201, "lead", "lead")
    assert told["scopes"] == sorted(Role.LEAD.scopes)
    said = answer.headers["set-cookie"]
    assert said.startswith("fairgate=")
    assert {each.strip().lower() for each in said.split(";")[1:]} >= {"httponly", "samesite=strict", "path=/"}
    assert "secure" not in said.lower()
    assert answer.headers["cache-control"] == "no-store"
    assert browser.ask("GET", "/v1/session").json() == told
    assert browser.ask("GET", "/v1/jobs").status_code == 200
    assert refusal(desk.ask("GET", "/v1/session")) == (401, "session_over")


@pytest.mark.parametrize("by", ["certificate", "url"])
def test_under_tls_the_cookie_is_this_hosts_alone(tmp_path: Path, stack: ExitStack, by: str) -> None:
    door, people = DoorSettings(), PeopleSettings(without_totp=list(Role), url="https://desk.example")
    if by == "certificate":
        certificate(tmp_path, timedelta(days=1))
        door, people = DoorSettings(tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem"), EASY
    desk = Desk(tmp_path, stack, {}, door, people=people)
    let_in(desk, ("ann", Role.READER))
    said = Browser(desk).log_in("ann").headers["set-cookie"]
    assert said.startswith("__Host-fairgate=")
    assert {"secure", "path=/"} <= {each.strip().lower() for each in said.split(";")}
    assert "domain" not in said.lower()


def test_only_a_hash_of_what_the_cookie_holds_is_kept(desk: Desk) -> None:
    browser = logged_in(desk)
    for file in desk.office.settings.data.glob(f"{RECORDS}*"):
        assert browser.cookie.encode() not in file.read_bytes()
        assert browser.csrf.encode() not in file.read_bytes()


def test_who_logs_out_is_out_also_elsewhere_with_the_same_cookie(desk: Desk) -> None:
    browser = logged_in(desk)
    answer = browser.ask("DELETE", "/v1/session")
    assert answer.status_code == 204
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert refusal(browser.ask("GET", "/v1/session")) == (401, "session_over")
    assert refusal(browser.ask("GET", "/v1/jobs")) == (401, "session_over")


def test_a_cookie_from_before_is_never_the_sessions(desk: Desk) -> None:
    """Session fixation: whoever planted a cookie in a browser has nothing when its owner logs in."""
    first = logged_in(desk)
    planted = first.cookie
    assert first.log_in("lead").status_code == 201
    assert first.cookie != planted
    thief = Browser(desk)
    thief.cookie = planted
    assert refusal(thief.ask("GET", "/v1/session")) == (401, "session_over")
    invented = Browser(desk)
    invented.cookie = "A" * 43
    invented.log_in("reader")
    assert invented.cookie != "A" * 43


def test_a_session_ends_when_nobody_uses_it_and_in_any_case_some_time(desk: Desk) -> None:
    browser, clock = logged_in(desk), desk.clock
    for _ in range(19):
        clock.time += 29 * MINUTE
        assert browser.ask("GET", "/v1/session").status_code == 200
    idle = logged_in(desk)
    clock.time += 30 * MINUTE
    assert refusal(idle.ask("GET", "/v1/session")) == (401, "session_over")
    lasting = logged_in(desk)
    began = clock.time
    while clock.time - began < 10 * HOUR - 20 * MINUTE:
        clock.time += 20 * MINUTE
        last = lasting.ask("GET", "/v1/session").status_code
    assert last == 200
    clock.time = began + 10 * HOUR
    assert refusal(lasting.ask("GET", "/v1/session")) == (401, "session_over")


@pytest.mark.parametrize("cookie", ["", "x", "A" * 43, "A" * 5_000, "..%00", '"'])
def test_a_cookie_that_is_none_of_a_session_opens_nothing(desk: Desk, cookie: str) -> None:
    answer = desk.ask("GET", "/v1/jobs", headers={"cookie": f"fairgate={cookie}"})
    assert refusal(answer) == (401, "session_over")


def test_the_cookie_of_somebody_who_is_gone_opens_nothing(desk: Desk) -> None:
    browser = logged_in(desk)
    with closing(sqlite3.connect(desk.office.settings.data / RECORDS)) as connection, connection:
        connection.execute("pragma foreign_keys = off")
        connection.execute("delete from person where name = 'reader'")
    assert refusal(browser.ask("GET", "/v1/session")) == (401, "session_over")


def test_an_api_key_counts_before_a_session(desk: Desk) -> None:
    browser = logged_in(desk, "reader")
    key = {"authorization": f"Bearer {desk.keys['key']}"}
    assert browser.ask("GET", "/v1/people", headers=key).status_code == 200
    assert refusal(browser.ask("GET", "/v1/people", headers={"authorization": "Bearer x"})) == (401, "no_key")


# -------------------------------------------------------------------------------------------------------------- forgery


@pytest.mark.parametrize("csrf", ["", "x", "another's"])
def test_what_changes_anything_needs_the_token_of_the_session(desk: Desk, csrf: str) -> None:
    browser, other = logged_in(desk, "admin"), logged_in(desk, "admin")
    own = browser.csrf
    browser.csrf = other.csrf if csrf == "another's" else csrf
    person = {"name": "eve", "role": "admin"}
    assert refusal(browser.ask("POST", "/v1/people", json=person)) == (403, "csrf")
    assert refusal(browser.ask("DELETE", "/v1/session")) == (403, "csrf")
    browser.csrf = own
    assert browser.ask("GET", "/v1/session").status_code == 200
    assert browser.ask("POST", "/v1/people", json=person).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "https://127.0.0.1:8081"},
        {"origin": "http://[::1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_the_page_of_another_site_can_neither_change_anything_nor_log_in(desk: Desk, headers: dict[str, str]) -> None:
    browser = logged_in(desk, "admin")
    assert refusal(browser.ask("DELETE", "/v1/session", headers=headers)) == (403, "csrf")
    body = {"name": "reader", "password": PASSWORD}
    assert refusal(desk.ask("POST", "/v1/session", headers=headers, json=body)) == (403, "csrf")
    own = {"origin": "http://127.0.0.1:8081", "sec-fetch-site": "same-origin"}
    assert browser.ask("DELETE", "/v1/session", headers=own).status_code == 204


# ------------------------------------------------------------------------------------------------- nobody learns who is


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done with argon2 and with one-time codes: counted, not timed."""
    done: list[str] = []
    verify, generate = argon2.PasswordHasher.verify, pyotp.TOTP.generate_otp

    def verified(self: argon2.PasswordHasher, *given: Any) -> bool:  # noqa: ANN401 - whatever it is given
        done.append("argon2")
        return verify(self, *given)

    def generated(self: pyotp.TOTP, step: int) -> str:
        done.append("code")
        return generate(self, step)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", verified)
    monkeypatch.setattr(pyotp.TOTP, "generate_otp", generated)
    return done


def test_all_who_are_not_let_in_get_the_same_answer_for_the_same_work(desk: Desk, worked: list[str]) -> None:
    enrol(desk, "lead")
    off = ids(desk)["engineer"]
    assert desk.ask("PATCH", f"/v1/people/{off}", by="key", json={}).status_code == 403  # it is more than the key may
    with open_records(desk.office.settings.data) as records:
        records.people.change(off, lambda there: replaced(there, off=1), DOER)
        records.people.add(staff.new_person("by oidc", Role.READER, 1, "test"), DOER)
    told, work = set(), set()
    for name, password, code in [
        ("nobody", PASSWORD, ""),
        ("reader", OTHER, ""),
        ("lead", PASSWORD, ""),
        ("lead", PASSWORD, "000000"),
        ("lead", OTHER, "000000"),
        ("engineer", PASSWORD, ""),
        ("by oidc", PASSWORD, ""),
        ("by oidc", "", ""),
    ]:
        worked.clear()
        answer = Browser(desk).log_in(name, password, code)
        told.add((answer.status_code, answer.text))
        work.add(tuple(worked))
    assert work == {("argon2", "code", "code", "code")}
    assert len(told) == 1
    assert refusal(answer) == (401, "not_you")
    worked.clear()
    assert Browser(desk).log_in("reader").status_code == 201
    assert worked == ["argon2", "code", "code", "code"]


def test_a_huge_password_is_refused_before_it_is_hashed(desk: Desk, worked: list[str]) -> None:
    assert refusal(Browser(desk).log_in("reader", "x" * 257)) == (422, "malformed")
    assert refusal(Browser(desk).log_in("x" * 65)) == (422, "malformed")
    assert not worked


def test_passwords_are_hashed_as_owasp_says_and_whatever_the_keyboard(desk: Desk) -> None:
    kept = passwords.hashed("caf\u00e9 au lait gris")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.is_password(kept, "cafe\u0301 au lait gris")
    assert not passwords.is_password(None, "")
    assert not passwords.is_password("no hash", "x")
    assert desk.office.settings.people.without_totp


def test_who_tries_too_often_waits_longer_each_time_whether_the_name_is_known_or_not(desk: Desk) -> None:
    waits: dict[str, list[int]] = {"reader": [], "nobody": []}
    for name, found in waits.items():
        desk.office.front._throttle = Throttle()
        for number in range(FREE_BY_NAME + 4):
            answer = Browser(desk).log_in(name, OTHER)
            if number < FREE_BY_NAME:
                assert refusal(answer) == (401, "not_you")
                continue
            assert refusal(answer) == (429, "slow_down")
            found.append(int(answer.headers["retry-after"]))
            assert refusal(Browser(desk).log_in(name)) == (429, "slow_down")  # also with the right password
            desk.clock.time += found[-1] * SECOND
            Browser(desk).log_in(name, OTHER)
    assert waits["reader"] == waits["nobody"] == [1, 2, 4, 8]
    desk.clock.time += 16 * SECOND
    assert Browser(desk).log_in("Reader").status_code == 201


def test_an_address_that_tries_many_names_waits_also_with_a_name_of_its_own_between() -> None:
    throttle, now = Throttle(), 10**15
    tried = 0
    while not throttle.tries(f"name {tried}", "192.0.2.1", now):
        tried += 1
        if not throttle.tries("own", "192.0.2.1", now):
            throttle.succeeded("own", "192.0.2.1")
    assert tried in {FREE_BY_ADDRESS - 1, FREE_BY_ADDRESS}
    assert not throttle.tries("other", "192.0.2.2", now)


def test_many_at_once_are_not_let_by() -> None:
    throttle = Throttle()
    assert [bool(throttle.tries("ann", f"{number}", 10**15)) for number in range(8)] == [False] * 5 + [True] * 3


def test_waiting_never_grows_beyond_a_quarter_of_an_hour() -> None:
    throttle, now = Throttle(), 10**15
    for _ in range(60):
        wait = throttle.tries("ann", "a", now)
        now += wait
    assert throttle.tries("ann", "a", now) in {0, 15 * MINUTE}
    assert throttle.tries("ann", "b", now) == 15 * MINUTE


# ------------------------------------------------------------------------------------------- passwords, one-time codes


def replaced(person: Any, **values: object) -> Any:  # noqa: ANN401 - a person
    return type(person)(**{name: values.get(name, getattr(person, name)) for name in person.__struct_fields__})


def enrol(desk: Desk, name: str) -> tuple[Browser, pyotp.TOTP]:
    browser = logged_in(desk, name)
    begun = browser.ask("POST", "/v1/session/totp", json={"password": PASSWORD})
    assert begun.status_code == 200, begun.text
    codes = pyotp.TOTP(begun.json()["secret"])
    assert begun.json()["uri"].startswith("otpauth://totp/Fairgate")
    done = browser.ask("POST", "/v1/session/totp/confirm", json={"code": code_at(desk, codes)})
    assert done.status_code == 204, done.text
    return browser, codes


def code_at(desk: Desk, codes: pyotp.TOTP, steps: int = 0) -> str:
    return codes.generate_otp(desk.clock.now() // SECOND // 30 + steps)


def test_a_code_is_needed_once_and_of_now(desk: Desk) -> None:
    _, codes = enrol(desk, "lead")
    assert refusal(Browser(desk).log_in("lead", code=code_at(desk, codes))) == (401, "not_you")  # it confirmed
    desk.clock.time += 90 * SECOND
    for off in (-2, 2):
        assert refusal(Browser(desk).log_in("lead", code=code_at(desk, codes, off))) == (401, "not_you")
    assert refusal(Browser(desk).log_in("lead")) == (401, "not_you")
    assert Browser(desk).log_in("lead", code=code_at(desk, codes, -1)).status_code == 201
    assert refusal(Browser(desk).log_in("lead", code=code_at(desk, codes, -1))) == (401, "not_you")
    assert Browser(desk).log_in("lead", code=code_at(desk, codes, 1)).status_code == 201
    assert refusal(Browser(desk).log_in("lead", code=code_at(desk, codes))) == (401, "not_you")  # before a used one


def test_a_code_is_used_once_also_by_two_at_the_same_time(desk: Desk) -> None:
    _, codes = enrol(desk, "lead")
    desk.clock.time += 60 * SECOND
    step = desk.clock.now() // SECOND // 30
    person = ids(desk)["lead"]

    def use(_: int) -> bool:
        with open_records(desk.office.settings.data) as records:
            return records.people.use_step(person, step)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(use, range(4))) == [False, False, False, True]
    assert refusal(Browser(desk).log_in("lead", code=code_at(desk, codes))) == (401, "not_you")


def test_the_secret_of_codes_is_sealed_for_one_person(desk: Desk) -> None:
    _, codes = enrol(desk, "lead")
    for file in desk.office.settings.data.glob(f"{RECORDS}*"):
        assert codes.secret.encode() not in file.read_bytes()
    with open_records(desk.office.settings.data) as records:
        lead, reader = records.people.named("lead"), records.people.named("reader")
        assert lead is not None
        assert reader is not None
        records.people.change(reader.id, lambda there: replaced(there, totp=lead.totp), DOER)
    desk.clock.time += 60 * SECOND
    assert refusal(Browser(desk).log_in("reader", code=code_at(desk, codes))) == (401, "not_you")


def test_who_needs_codes_may_do_nothing_before_they_have_some(tmp_path: Path, stack: ExitStack) -> None:
    desk = made(tmp_path, stack, PeopleSettings())
    browser = logged_in(desk, "admin")
    told = browser.ask("GET", "/v1/session").json()
    assert (told["must_enrol"], told["scopes"]) == (True, [])
    assert refusal(browser.ask("GET", "/v1/people")) == (403, "codes_needed")
    browser, _ = enrol(desk, "admin")
    assert browser.ask("GET", "/v1/people").status_code == 200
    assert refusal(browser.ask("POST", "/v1/session/totp", json={"password": PASSWORD})) == (409, "has_codes")


def test_enrolling_needs_the_password_and_a_code_of_the_new_secret(desk: Desk) -> None:
    browser = logged_in(desk, "lead")
    assert refusal(browser.ask("POST", "/v1/session/totp", json={"password": OTHER})) == (403, "wrong_password")
    confirm = "/v1/session/totp/confirm"
    assert refusal(browser.ask("POST", confirm, json={"code": "000000"})) == (422, "wrong_code")
    assert browser.ask("POST", "/v1/session/totp", json={"password": PASSWORD}).status_code == 200
    assert refusal(browser.ask("POST", confirm, json={"code": "00000x"})) == (422, "malformed")
    assert Browser(desk).log_in("lead").status_code == 201  # what is not confirmed does not count


def test_a_new_password_ends_all_sessions_and_begins_one(desk: Desk) -> None:
    browser, elsewhere = logged_in(desk, "lead"), logged_in(desk, "lead")
    before = browser.cookie
    change = {"old": PASSWORD, "new": OTHER}
    assert refusal(browser.ask("POST", "/v1/session/password", json={**change, "old": OTHER})) == (
        403,
        "wrong_password",
    )
    for new in ("aaaaaaaaaaaaaaaa", "my name is lead!"):
        assert refusal(browser.ask("POST", "/v1/session/password", json={**change, "new": new})) == (
            422,
            "bad_password",
        )
    assert browser.ask("POST", "/v1/session/password", json=change).status_code == 200
    assert browser.cookie != before
    assert browser.ask("GET", "/v1/session").status_code == 200
    assert refusal(elsewhere.ask("GET", "/v1/session")) == (401, "session_over")
    assert refusal(Browser(desk).log_in("lead")) == (401, "not_you")
    assert Browser(desk).log_in("lead", OTHER).status_code == 201


# -------------------------------------------------------------------------------------------------- who may change whom


def test_an_admin_changes_what_people_may_do_and_their_sessions_end(desk: Desk) -> None:
    admin, browser = logged_in(desk, "admin"), logged_in(desk, "reader")
    place = f"/v1/people/{ids(desk)['reader']}"
    for change in ({"role": "lead"}, {"active": False}, {"active": True}, {"password": OTHER}):
        answer = admin.ask("PATCH", place, json=change)
        assert answer.status_code == 200, answer.text
        assert refusal(browser.ask("GET", "/v1/session")) == (401, "session_over")
        if answer.json()["active"]:
            browser = Browser(desk)
            assert browser.log_in("reader", OTHER if "password" in change else PASSWORD).json()["role"] == "lead"
    enrolled = admin.ask("PATCH", place, json={"reset_totp": True}).json()
    assert (enrolled["has_totp"], enrolled["has_password"]) == (False, True)
    assert refusal(admin.ask("PATCH", "/v1/people/nobody", json={})) == (404, "not_found")


@pytest.mark.parametrize("change", [{"role": "lead"}, {"active": False}])
def test_the_last_admin_stays(desk: Desk, change: dict[str, object]) -> None:
    admin = logged_in(desk, "admin")
    place = f"/v1/people/{ids(desk)['admin']}"
    assert refusal(admin.ask("PATCH", place, json=change)) == (409, "last_admin")
    assert admin.ask("POST", "/v1/people", json={"name": "second", "role": "admin"}).status_code == 201
    assert admin.ask("PATCH", place, json=change).status_code == 200


def test_nobody_gives_or_takes_over_more_than_they_have(desk: Desk) -> None:
    """The key may read and has `admin`, and nothing personal."""
    for role in (Role.ADMIN, Role.REVIEWER, Role.ENGINEER):
        body = {"name": "eve", "role": role, "password": OTHER}
        assert refusal(desk.ask("POST", "/v1/people", by="key", json=body)) == (403, "beyond_you")
    assert desk.ask("POST", "/v1/people", by="key", json={"name": "eve", "role": "reader"}).status_code == 201
    there = ids(desk)
    takes = desk.ask("PATCH", f"/v1/people/{there['admin']}", by="key", json={"password": OTHER})
    assert refusal(takes) == (403, "beyond_you")
    gives = desk.ask("PATCH", f"/v1/people/{there['eve']}", by="key", json={"role": "lead"})
    assert refusal(gives) == (403, "beyond_you")
    assert Browser(desk).log_in("admin").status_code == 201


@pytest.mark.parametrize("name", ["READER", "\uff52eader", "key", "Key", "anyone on this machine"])
def test_names_are_nobody_elses(desk: Desk, name: str) -> None:
    admin = logged_in(desk, "admin")
    assert refusal(admin.ask("POST", "/v1/people", json={"name": name, "role": "reader"})) == (409, "name_taken")


@pytest.mark.parametrize("name", ["", " ann", "a\u202eb", "x" * 65, "\n"])
def test_names_can_be_read(desk: Desk, name: str) -> None:
    admin = logged_in(desk, "admin")
    assert refusal(admin.ask("POST", "/v1/people", json={"name": name, "role": "reader"})) == (422, "malformed")


def test_with_the_first_person_nobody_is_let_in_unasked(tmp_path: Path, stack: ExitStack) -> None:
    desk = Desk(tmp_path, stack, {}, people=EASY)
    with open_records(tmp_path):
        pass
    assert desk.ask("GET", "/v1/jobs").status_code == 200
    body = {"name": "ann", "role": "admin", "password": PASSWORD}
    assert desk.ask("POST", "/v1/people", json=body).status_code == 201
    desk.office.access.refresh()
    assert refusal(desk.ask("GET", "/v1/jobs")) == (401, "no_key")
    assert [key.state(desk.clock.now()) for key in desk.office.keys.all()] == ["expired"]
    assert logged_in(desk, "ann").ask("GET", "/v1/people").status_code == 200
