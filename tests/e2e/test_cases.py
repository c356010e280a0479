"""Cases with a real `fairgate serve`: opened, claimed, decided; what follows stands, and the lake has the label."""

import json
import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairgate.domain.access import Scope
from fairgate.domain.audit import fingerprint
from tests.e2e import test_appeals
from tests.e2e.desks import rows, until
from tests.e2e.doors import fairgate
from tests.e2e.test_appeals import Service, desk_is_back, refusal, told
from tests.support import PACK, body, request
from tests.unit.casework.test_opening import CASES

LABELS = """
[event."account.label"]
label_of = ["account.signup", "api.request"]

[event."account.label".attributes]
of = { required = true }
bad = "bool"
account = { entity = "account" }
source = "text"
confidence = "number"
selected_by = "text"
propensity = "number"
"""
PERSON = frozenset({Scope.READ, Scope.REVIEW, Scope.ENFORCE, Scope.SQL})
KEYS = {
    "ann": PERSON,
    "bob": PERSON,
    "junior": frozenset({Scope.REVIEW}),
    "help desk": PERSON,
    "service": frozenset({Scope.DECIDE}),
}
SUSPEND = {
    "outcome": "bad",
    "why": "one of thirty",
    "reasons": ["burst"],
    "actions": [{"action": "suspend", "for": "30d"}],
}


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(test_appeals, "KEYS", KEYS)
    monkeypatch.setattr(test_appeals, "PACK", PACK + LABELS)
    with ExitStack() as stack:
        yield Service(tmp_path, stack, desk="second_looks = false")


@pytest.fixture
def opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service whose pack opens cases by itself."""
    monkeypatch.setattr(test_appeals, "KEYS", KEYS)
    monkeypatch.setattr(test_appeals, "PACK", CASES + LABELS)
    with ExitStack() as stack:
        yield Service(tmp_path, stack)


def seen(version: int) -> dict[str, str]:
    return {"if-match": f'"{version}"'}


def opened(service: Service, account: str = "anna") -> dict[str, Any]:
    """A case that the help desk opens about somebody of whom a decision was made."""
    with service.as_("service") as (door, _):
        event = request(1, account, cost=50.0, ip="203.0.113.7")
        decided = told(door.post("/v1/decide", content=event))
        told(door.post("/v1/decide", content=body({"account": "carl"}, id="2")))
    with service.as_("help desk") as (_, desk):
        asked = {"accounts": [account], "why": "reported", "ref": "1", "events": [decided["sequence"]]}
        case: dict[str, Any] = told(desk.post("/v1/cases", json=asked), 201)
        return case


def test_a_case_from_the_report_to_the_label_in_the_lake(service: Service) -> None:
    case = opened(service)
    path = f"/v1/cases/{case['number']}"
    with service.as_("ann") as (door, desk):
        assert told(desk.post("/v1/cases/next"))["number"] == case["number"]
        with service.as_("bob") as (_, other):  # two at once: one gets it, and for the other none is left
            assert refusal(other.post("/v1/cases/next")) == (404, "no_case")
            assert refusal(other.post(f"{path}/decision", json=SUSPEND, headers=seen(2))) == (409, "claimed")
        decided = told(desk.post(f"{path}/decision", json=SUSPEND, headers=seen(2)))
        assert (decided["case"]["state"], decided["labels"]) == ("decided", 1)
        assert told(desk.post(f"{path}/decision", json=SUSPEND, headers=seen(2)))["case"] == decided["case"]
        assert told(door.get("/v1/accounts/anna/standing"))["may"]["use"] is False
        [number] = decided["actions"]
        action = told(door.get(f"/v1/actions/{number}"))
        assert (action["by"], action["why"], action["ref"]) == ("ann", "one of thirty", f"case-{case['number']}/anna")
        asked = (
            "select d.id, l.bad, a.source, a.confidence, a.propensity, a.selected_by from labels l "
            "join decisions d on d.id = l.of and d.source = l.source join account_label a on a._sequence = l.sequence"
        )
        until(lambda: desk.get("/readyz").status_code == 200)  # so there is a lake
        until(lambda: len(rows(desk, asked)) == 1)
        [[of, bad, source, confidence, propensity, selected_by]] = rows(desk, asked)
        assert (of, bad, source, confidence) == ("r1", True, "case", 0.9)
        assert propensity in {1.0, 0.1}  # the lot, which one in ten is by, may have fallen on the only one
        assert "capped" in str(selected_by)
    data = ("--data", service.settings.data)
    listed = fairgate("audit", "list", *data, "--what", "label.given", "--json")
    [noted] = [each["doing"] for each in json.loads(listed.stdout)]
    assert (noted["by"], noted["about"]) == ("ann", ["decision", str(case["events"][0])])
    assert json.loads(noted["more"])["bad"] is True
    assert fairgate("audit", "verify", *data).returncode == 0


def test_two_cases_that_were_merged_are_split_again(opening: Service) -> None:
    with opening.as_("service") as (door, _):
        for number, account in enumerate(("anna", "carl")):
            told(door.post("/v1/decide", content=request(number, account, cost=20.0 + number)))
    with opening.as_("ann") as (_, desk):
        until(lambda: len(told(desk.get("/v1/cases"))["cases"]) == 2)
        one, two = told(desk.get("/v1/cases"))["cases"]
        path = f"/v1/cases/{one['number']}"
        told(desk.post(f"{path}/claim", headers=seen(1)))
        asked: dict[str, Any] = {"other": two["number"], "other_version": 1, "why": "one device"}
        merged = told(desk.post(f"{path}/merge", json=asked, headers=seen(2)))
        assert merged["accounts"] == ["anna", "carl"]
        asked = {"accounts": ["carl"], "why": "two after all"}
        apart = told(desk.post(f"{path}/split", json=asked, headers=seen(3)))
        again = told(desk.post(f"{path}/split", json=asked, headers=seen(3)))
        assert again["made"]["number"] == apart["made"]["number"]
        left, made = apart["case"], apart["made"]
        assert (left["accounts"], left["events"], left["claimed_by"]) == (["anna"], one["events"], "ann")
        assert (made["accounts"], made["events"], made["claimed_by"]) == (["carl"], two["events"], None)
        assert made["burn"] / left["burn"] == pytest.approx(21 / 20, rel=0.01)
        decided = told(desk.post(f"{path}/decision", json={"outcome": "benign", "why": "a friend"}, headers=seen(4)))
        assert (decided["labels"], decided["unlabelled"]) == (1, [])
        assert told(desk.get("/v1/cases?account=carl&state=open"))["cases"][0]["number"] == made["number"]


def test_the_accounts_of_a_query_become_a_case(service: Service) -> None:
    with service.as_("service") as (door, _):
        for number, account in enumerate(("anna", "anna", "carl", "dora")):
            told(door.post("/v1/decide", content=request(number, account, cost=50.0)))
    query = "SELECT account, sequence FROM decisions WHERE account <> 'dora' ORDER BY sequence"
    asked: dict[str, Any] = {"query": query, "why": "one wave", "ref": "wave 1"}
    with service.as_("junior") as (_, desk):
        assert refusal(desk.post("/v1/cases/from-query", json=asked)) == (403, "scope_missing")
    with service.as_("ann") as (_, desk):
        until(lambda: desk.get("/readyz").status_code == 200)  # so there is a lake
        preview = told(desk.post("/v1/cases/from-query", json=asked | {"preview": True}))
        assert (preview["accounts"], preview["skipped"]["duplicate"], preview["there"]) == (2, 1, 0)
        made = told(desk.post("/v1/cases/from-query", json=asked), 201)
        assert told(desk.post("/v1/cases/from-query", json=asked))["cases"] == made["cases"]
        path = f"/v1/cases/{made['cases'][0]}"
        case = told(desk.get(path))["case"]
        numbers = [number for _, number in rows(desk, query)]
        assert (case["accounts"], case["events"], case["query"]) == (["anna", "carl"], numbers[::-1], query)
        assert case["evidence"] == [f"query {fingerprint(query)[:12]}"]
        told(desk.post(f"{path}/claim", headers=seen(1)))
        decided = told(desk.post(f"{path}/decision", json=SUSPEND, headers=seen(2)))
        assert (len(decided["actions"]), decided["labels"]) == (2, 2)
        for bad in ("SELECT 1 AS account", "SELECT 'x' AS name", "DROP TABLE decisions"):
            assert refusal(desk.post("/v1/cases/from-query", json=asked | {"query": bad})) == (422, "bad_query")
        endless = "SELECT 'x' || range AS account FROM range(5000000)"
        assert refusal(desk.post("/v1/cases/from-query", json=asked | {"query": endless})) == (422, "too_many")


def test_who_may_not_act_decides_nothing_half(service: Service) -> None:
    case = opened(service)
    path = f"/v1/cases/{case['number']}"
    with service.as_("junior") as (_, desk):
        told(desk.post(f"{path}/claim", headers=seen(1)))
        assert refusal(desk.post(f"{path}/decision", json=SUSPEND, headers=seen(2))) == (403, "scope_missing")
        assert told(desk.get(path))["case"]["state"] == "open"
        benign = {"outcome": "benign", "why": "a friend"}
        assert told(desk.post(f"{path}/decision", json=benign, headers=seen(2)))["labels"] == 1  # labels it may give
    with service.as_("bob") as (door, _):
        assert not [each for each in told(door.get("/v1/actions?value=anna"))["actions"] if each.get("by")]


def test_a_desk_that_is_killed_between_acting_and_deciding_leaves_the_case_open(service: Service) -> None:
    case = opened(service)
    path = f"/v1/cases/{case['number']}"
    with service.as_("ann") as (_, desk):
        told(desk.post(f"{path}/claim", headers=seen(1)))

    def decide() -> None:
        with service.as_("ann") as (_, desk), pytest.raises(httpx.TransportError):
            desk.post(f"{path}/decision", json=SUSPEND, headers=seen(2))

    def suspended(door: httpx.Client) -> list[Any]:
        return [each for each in told(door.get("/v1/actions?value=anna"))["actions"] if each.get("by")]

    with closing(sqlite3.connect(service.settings.data / "records.db", isolation_level=None)) as other:
        other.execute("begin immediate")  # nobody else can write, so the desk waits after the door has answered
        deciding = threading.Thread(target=decide)
        deciding.start()
        with service.as_("ann") as (door, _):
            until(lambda: bool(suspended(door)))
        os.kill(service.desk_pid(), signal.SIGKILL)
        deciding.join()
        other.execute("rollback")
    with service.as_("ann") as (door, desk):  # the desk is started again
        until(lambda: desk_is_back(desk))
        assert told(desk.get(path))["case"]["state"] == "open"
        assert told(desk.post(f"{path}/decision", json=SUSPEND, headers=seen(2)))["case"]["state"] == "decided"
        assert len(suspended(door)) == 1  # done once


def test_an_appeal_that_is_granted_becomes_a_label(service: Service) -> None:
    case = opened(service)
    path = f"/v1/cases/{case['number']}"
    with service.as_("ann") as (_, desk):
        told(desk.post(f"{path}/claim", headers=seen(1)))
        [number] = told(desk.post(f"{path}/decision", json=SUSPEND, headers=seen(2)))["actions"]
    until(lambda: bool(service.told(f"action_{number}_taken")))  # so the clerk has it
    with service.as_("help desk") as (_, desk):
        asked = {"action": number, "words": "It was me.", "ref": "ticket 1"}
        appeal = told(desk.post("/v1/appeals", json=asked), 201)["number"]
    with service.as_("bob") as (_, desk):
        told(desk.post(f"/v1/appeals/{appeal}/decision", json={"granted": True, "why": "a friend"}))
        asked_sql = "select of, bad, source, confidence, propensity from account_label order by _sequence"
        until(lambda: desk.get("/readyz").status_code == 200)  # so there is a lake
        until(lambda: len(rows(desk, asked_sql)) == 2)
        assert rows(desk, asked_sql)[1] == ["r1", False, "appeal", 0.7, None]
