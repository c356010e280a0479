"""What people do at the desk in a session: the door is asked in their names, for as long as they may."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from fairgate.domain.access import SESSION, Granted, Role, Scope
from fairgate.domain.audit import Doer
from fairgate.domain.bulk import BulkState
from fairgate.domain.case import Case
from fairgate.domain.people import Person
from fairgate.settings import DoorSettings
from fairgate.wiring import Records, open_records
from tests.support import NOW, PACK, body, open_pipeline
from tests.unit.entrypoints.test_desk_app import Desk, refusal
from tests.unit.entrypoints.test_desk_appeals import granted_by
from tests.unit.entrypoints.test_desk_bulk import ACCOUNTS, answers, draft, once, state
from tests.unit.entrypoints.test_desk_cases import BAD, FACTS, LABELS, Door, there
from tests.unit.entrypoints.test_desk_people import EASY, Browser, let_in, logged_in
from tests.unit.pipeline.live import answers as decided

PEOPLE = (("rita", Role.REVIEWER), ("lea", Role.LEAD), ("ivo", Role.INVESTIGATOR), ("ada", Role.ADMIN))
BATCH, LABEL = "/v1/actions/batch", "/v1/labels"


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def desk(tmp_path: Path, door: Door) -> Iterator[Desk]:
    with open_pipeline(tmp_path, PACK + LABELS) as pipeline:
        for number, account in enumerate("ab"):
            decided(pipeline, body({"account": account}, id=f"s{number}"))
    with ExitStack() as stack:
        desk = Desk(tmp_path, stack, {}, DoorSettings(port=door.port), people=EASY)
        let_in(desk, *PEOPLE)
        stack.enter_context(door.open())
        yield desk


@pytest.fixture
def records(desk: Desk) -> Iterator[Records]:
    with open_records(desk.office.settings.data) as opened:
        yield opened


def change(records: Records, name: str, **values: Any) -> None:  # noqa: ANN401 - any of a person
    """Change somebody, as an admin does."""
    person = records.people.named(name)
    assert person is not None

    def how(now: Person) -> Person:
        return replace(now, **values)

    records.people.change(person.id, how, Doer(NOW, "test"))


def passed(desk: Desk, door: Door, path: str) -> list[Granted]:
    """In whose names the door was asked for something, and with which scopes."""
    return [granted_by(desk, key) for asked, key, _ in door.asked if asked == path]


def decide(browser: Browser, number: int, **more: object) -> httpx.Response:
    browser.ask("POST", f"/v1/cases/{number}/claim", {"if-match": '"1"'})
    return browser.ask("POST", f"/v1/cases/{number}/decision", {"if-match": '"2"'}, json={**BAD, **more})


def test_a_reviewer_decides_a_case_and_the_door_acts_in_their_name(desk: Desk, records: Records, door: Door) -> None:
    rita = logged_in(desk, "rita")
    case = there(records, events=(1,))
    answer = decide(rita, case.number)
    assert (answer.status_code, answer.json()["case"]["state"]) == (200, "decided"), answer.text
    assert answer.json()["case"]["verdict"]["by"] == "rita"
    [acted], [labelled] = passed(desk, door, BATCH), passed(desk, door, LABEL)
    assert acted.by == labelled.by == "rita"
    assert acted.key == labelled.key
    assert acted.key.startswith(SESSION)
    assert labelled.scopes == Role.REVIEWER.scopes
    assert acted.scopes == Role.REVIEWER.scopes | {Scope.ENFORCE}  # on this case's accounts, and nowhere else


def test_a_reviewer_acts_on_nobody_but_by_cases(desk: Desk, records: Records, door: Door) -> None:
    rita = logged_in(desk, "rita")
    case = there(records)
    stranger = [{"action": "suspend", "accounts": ["z"]}]
    assert refusal(decide(rita, case.number, actions=stranger)) == (422, "not_in_case")
    assert refusal(rita.ask("POST", "/v1/bulk", json={})) == (403, "scope_missing")
    assert door.asked == []


def test_to_ban_or_to_act_on_many_takes_more_than_a_reviewer(desk: Desk, records: Records, door: Door) -> None:
    many = tuple(f"a{number}" for number in range(desk.office.settings.desk.second_person_above + 1))
    large = records.cases.open(Case(-1, many, FACTS, NOW)).case
    small = there(records, "z")
    rita, ban = logged_in(desk, "rita"), [{"action": "ban"}]
    assert refusal(decide(rita, large.number)) == (403, "scope_missing")
    benign = {"outcome": "benign", "why": "students", "undo": True}
    headers = {"if-match": '"2"'}
    answer = rita.ask("POST", f"/v1/cases/{large.number}/decision", headers, json=benign)
    assert refusal(answer) == (403, "scope_missing")
    rita.ask("POST", f"/v1/cases/{large.number}/release", headers)
    assert refusal(decide(rita, small.number, actions=ban)) == (403, "scope_missing")
    assert door.asked == []
    rita.ask("POST", f"/v1/cases/{small.number}/release", headers)
    lea = logged_in(desk, "lea")
    lea.ask("POST", f"/v1/cases/{small.number}/claim", {"if-match": '"3"'})
    decided = lea.ask("POST", f"/v1/cases/{small.number}/decision", {"if-match": '"4"'}, json={**BAD, "actions": ban})
    assert decided.status_code == 200, decided.text


def test_what_is_escalated_is_for_those_who_lead(desk: Desk, records: Records) -> None:
    path = f"/v1/cases/{there(records).number}"
    rita = logged_in(desk, "rita")
    assert rita.ask("POST", f"{path}/claim", {"if-match": '"1"'}).is_success
    assert rita.ask("POST", f"{path}/escalate", {"if-match": '"2"'}, json={"why": "too large"}).is_success
    for name in ("rita", "ivo"):
        claimed = logged_in(desk, name).ask("POST", f"{path}/claim", {"if-match": '"3"'})
        assert refusal(claimed) == (403, "for_leads")
    assert logged_in(desk, "lea").ask("POST", f"{path}/claim", {"if-match": '"3"'}).status_code == 200


def running(desk: Desk, records: Records, by: str = "lea") -> int:
    """A bulk action that somebody let run, in a session that is over since."""
    number = records.bulks.draft(draft(second=False, by="ivo"), ACCOUNTS).bulk.number
    browser = logged_in(desk, by)
    answer = browser.ask("POST", f"/v1/bulk/{number}/confirm", json={"typed": "suspend 3 accounts"})
    assert answer.json()["state"] == "running", answer.text
    assert browser.ask("DELETE", "/v1/session").status_code == 204
    return number


def test_a_bulk_action_runs_in_the_name_of_who_has_logged_out(desk: Desk, records: Records, door: Door) -> None:
    number = running(desk, records)
    door.before_it_answers = lambda: answers(door, 4, 5, 6)
    assert once(desk) is once(desk) is True
    [acted] = passed(desk, door, BATCH)
    assert (acted.by, acted.scopes) == ("lea", Role.LEAD.scopes)
    assert state(records, number) == (BulkState.DONE, "")


def test_who_is_switched_off_has_their_bulk_action_stopped(desk: Desk, records: Records, door: Door) -> None:
    number = running(desk, records)
    change(records, "lea", off=NOW)
    once(desk)
    stopped, problem = state(records, number)
    assert (stopped, "person" in problem, door.asked) == (BulkState.STOPPED, True, [])


def test_a_bulk_action_has_no_more_than_the_role_has_by_then(desk: Desk, records: Records, door: Door) -> None:
    number = running(desk, records)
    door.refuses(403, "scope_missing")
    door.before_it_answers = lambda: None
    change(records, "lea", role=Role.READER)
    once(desk)
    [acted] = passed(desk, door, BATCH)
    assert acted.scopes == {Scope.READ}
    assert state(records, number) == (BulkState.STOPPED, "the door: as it says")


def test_a_second_person_is_another_person(desk: Desk, records: Records) -> None:
    number = records.bulks.draft(draft(by="ivo"), ACCOUNTS).bulk.number
    ivo, lea, ada = (logged_in(desk, name) for name in ("ivo", "lea", "ada"))
    assert lea.ask("POST", f"/v1/bulk/{number}/confirm", json={"typed": "suspend 3 accounts"}).is_success
    approve = f"/v1/bulk/{number}/approve"
    assert refusal(ivo.ask("POST", approve)) == (403, "drafted_it")
    assert refusal(logged_in(desk, "lea").ask("POST", approve)) == (403, "confirmed_it")  # in another session
    assert ada.ask("POST", approve).json()["state"] == "running"
