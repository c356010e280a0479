"""Second looks and gold cases with a real `fairgate serve`: people who are logged in, and what is told of them."""

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.domain.access import Role
from fairgate.domain.audit import Kind, more_of
from fairgate.entrypoints import passwords, staff
from fairgate.wiring import open_records
from tests.e2e import test_appeals
from tests.e2e.desks import audited, until
from tests.e2e.doors import client_of
from tests.e2e.test_appeals import Service, desk_is_back, refusal, told
from tests.e2e.test_cases import KEYS, LABELS, opened, seen
from tests.support import NOW, PACK
from tests.unit.entrypoints.test_desk_people import DOER

PASSWORD = "seven grey herons"
PEOPLE = {"Ada": Role.INVESTIGATOR, "Bo": Role.REVIEWER, "Cy": Role.REVIEWER, "Lea": Role.LEAD}
EASY = '[people]\nwithout_totp = ["reviewer", "investigator", "lead"]'
BAN = {"outcome": "bad", "why": "one of thirty", "reasons": ["burst"], "actions": [{"action": "ban"}]}
BENIGN = {"outcome": "benign", "why": "a friend of mine"}
#: A gold case comes in the place of three in a hundred: that none does so often happens to nobody.
_TRIES = 2_000


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(test_appeals, "KEYS", KEYS)
    monkeypatch.setattr(test_appeals, "PACK", PACK + LABELS)
    with ExitStack() as stack:
        yield Service(tmp_path, stack, more=EASY)


def let_in(service: Service) -> None:
    kept = passwords.hashed(PASSWORD)
    with open_api_keys(service.settings.data / "keys.db") as keys, open_records(service.settings.data) as records:
        for name, role in PEOPLE.items():
            staff.add(records.people, keys, staff.new_person(name, role, NOW, "test", kept), DOER)


@contextmanager
def logged_in(service: Service, name: str) -> Iterator[httpx.Client]:
    """A browser in which somebody has logged in at the desk."""
    with client_of(service.settings.desk.port) as client:
        session = told(client.post("/v1/session", json={"name": name, "password": PASSWORD}), 201)
        client.headers["fairgate-csrf"] = session["csrf"]
        yield client


def acted(door: httpx.Client) -> list[tuple[str, str, bool]]:
    """What people did to Anna: the action, by whom, and whether it stands."""
    found = told(door.get("/v1/actions?value=anna"))["actions"]
    numbers = sorted(each["number"] for each in found if each.get("by"))
    entries = [told(door.get(f"/v1/actions/{number}")) for number in numbers]
    return [(each["action"], each["by"], each["stands"]) for each in entries]


def test_two_differ_a_lead_decides_and_a_gold_case_shows_who_errs(service: Service) -> None:
    case = opened(service)
    let_in(service)
    path = f"/v1/cases/{case['number']}"
    with (
        ExitStack() as stack,
        service.as_("help desk") as (door, _),
    ):
        ann, bob, cy, lea = (stack.enter_context(logged_in(service, name)) for name in PEOPLE)
        assert told(ann.post("/v1/cases/next"))["number"] == case["number"]
        first = told(ann.post(f"{path}/decision", json=BAN, headers=seen(2)))
        assert first["held"]
        assert acted(door) == [("hold", "Ada", True)]
        until(lambda: bool(service.told(f"action_{first['actions'][0]}_taken")))  # so the clerk has it

        assert refusal(ann.post("/v1/cases/next")) == (404, "no_case")
        assert refusal(ann.post(f"{path}/claim", headers=seen(3))) == (409, "decided")
        blind = told(bob.post("/v1/cases/next"))
        assert (blind["number"], blind["blind"], blind["probability"]) == (case["number"], True, None)
        file = bob.get(path).text
        assert not any(word in file for word in ("Ada", "one of thirty", "hold", '"bad"'))
        assert told(bob.get("/v1/cases"))["cases"] == []
        assert refusal(bob.post(f"{path}/reopen", json={"why": "let me"}, headers=seen(3))) == (409, "blind")
        said = told(bob.post(f"{path}/decision", json=BENIGN, headers=seen(blind["version"])))
        assert told(bob.post(f"{path}/decision", json=BENIGN, headers=seen(blind["version"]))) == said
        assert refusal(bob.post(f"{path}/decision", json=BAN, headers=seen(blind["version"]))) == (409, "looked")
        assert refusal(bob.post(f"{path}/claim", headers=seen(4))) == (403, "barred")
        assert acted(door) == [("hold", "Ada", True)]

        now = told(lea.post("/v1/cases/next"))
        assert (now["number"], now["escalated"]) == (case["number"], True)
        looks = told(lea.get(path))["looks"]
        assert [(each["by"], each["outcome"]) for each in looks] == [("Ada", "bad"), ("Bo", "benign")]
        ruled = told(lea.post(f"{path}/decision", json=BAN, headers=seen(now["version"])))
        assert (ruled["held"], ruled["undone"]) == (False, 1)
        assert acted(door) == [("hold", "Ada", False), ("ban", "Lea", True)]

        assert refusal(cy.post(f"{path}/gold", json={"truth": "bad", "why": "a confession"})) == (403, "scope_missing")
        told(lea.post(f"{path}/gold", json={"truth": "bad", "why": "a confession"}))
        other = told(
            lea.post("/v1/cases", json={"accounts": ["carl"], "why": "reported", "ref": "2"}), 201
        )  # something else to do
        gold = slipped_in(cy, other["number"])
        assert gold["number"] == case["number"]
        told(cy.post(f"{path}/decision", json=BENIGN, headers=seen(gold["version"])))
        assert acted(door)[-1] == ("ban", "Lea", True)

        measures(lea, cy)
    refused = [(each.by, each.more) for each in audited(service.settings) if each.what == Kind.REFUSED]
    assert ("Bo", more_of(code="barred")) in refused


def slipped_in(reviewer: httpx.Client, other: int) -> Any:  # noqa: ANN401 - JSON
    """The gold case that comes now and then in the place of the one that is ready."""
    for _ in range(_TRIES):
        case = told(reviewer.post("/v1/cases/next"))
        if case["blind"]:
            return case
        assert case["number"] == other
        told(reviewer.post(f"/v1/cases/{other}/release", headers=seen(case["version"])))
    raise AssertionError


def measures(lea: httpx.Client, cy: httpx.Client) -> None:
    """What is told of how good the reviews were, to a lead and to who erred."""
    assert refusal(cy.get("/v1/quality")) == (403, "scope_missing")
    answer = lea.get("/v1/quality")
    quality = told(answer)
    assert answer.headers["cache-control"] == "no-store"
    assert (quality["looks"], quality["complete"]) == (4, True)
    assert quality["agreement"]["cases"] == 1  # Cy's word is on what Lea decided alone, who knew the others'
    assert quality["wrong"]["checked"] == 1
    assert quality["wrong"]["share"] == 0.0  # Ada was right
    found = {each["name"]: each for each in quality["reviewers"]}
    assert set(found) == set(PEOPLE)
    assert (found["Cy"]["gold"], found["Cy"]["gold_right"]) == (1, 0)
    for erred in ("Bo", "Cy"):
        assert found[erred]["missed"] > found["Ada"]["missed"]
        assert found[erred]["confusion"]["bad"]["benign"] == pytest.approx(1.0)
        assert not found[erred]["enough"]
    assert {(each["reviewer"], each["kind"]) for each in quality["handling"]} >= {
        ("Ada", "ordinary"), ("Bo", "double"), ("Cy", "gold"),
    }  # fmt: skip
    assert "Agreement rests on 1 case: too few to say anything." in quality["notes"]
    mine = cy.get("/v1/quality/me")
    [result] = told(mine)["results"]
    assert (result["said"], result["right"]) == ("benign", False)
    assert not any(name in mine.text for name in ("Ada", "Bo", "Lea"))
    assert refusal(lea.get("/v1/quality?days=91")) == (422, "malformed")


def test_a_desk_that_is_killed_between_acting_and_keeping_leaves_the_look_to_be_done(service: Service) -> None:
    case = opened(service)
    path = f"/v1/cases/{case['number']}"
    with service.as_("ann") as (_, desk):
        told(desk.post(f"{path}/claim", headers=seen(1)))
        assert told(desk.post(f"{path}/decision", json=BAN, headers=seen(2)))["held"]
    with service.as_("bob") as (_, desk):
        blind = told(desk.post("/v1/cases/next"))
        assert blind["blind"]

    def say() -> None:
        with service.as_("bob") as (_, desk), pytest.raises(httpx.TransportError):
            desk.post(f"{path}/decision", json=BAN, headers=seen(blind["version"]))

    with closing(sqlite3.connect(service.settings.data / "records.db", isolation_level=None)) as other:
        other.execute("begin immediate")  # nobody else can write, so the desk waits after the door has answered
        saying = threading.Thread(target=say)
        saying.start()
        with service.as_("ann") as (door, _):
            until(lambda: len(acted(door)) == 2)
        os.kill(service.desk_pid(), signal.SIGKILL)
        saying.join()
        other.execute("rollback")
    with service.as_("bob") as (door, desk):  # the desk is started again
        until(lambda: desk_is_back(desk))
        assert told(desk.get(path))["case"]["blind"]
        told(desk.post(f"{path}/decision", json=BAN, headers=seen(blind["version"])))
        assert acted(door) == [("hold", "ann", True), ("ban", "bob", True)]  # done once
        assert [each["what"] for each in told(desk.get(path))["history"]][-1] == "confirmed"
