"""Cases at the desk: who gets which, what is refused and leaves nothing half done, and what a decision does."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from fairgate.domain.access import Scope
from fairgate.domain.action import Action
from fairgate.domain.audit import Kind, more_of
from fairgate.domain.case import Case, CaseState, Facts
from fairgate.domain.ledger import FOREVER, Entry, Subject
from fairgate.domain.windows import HOUR, MINUTE
from fairgate.domain.worth import Stake, value_per_minute
from fairgate.entrypoints.desk.gathering import rows_of
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.ports.cases import CasesWanted
from fairgate.ports.ledger import Read
from fairgate.settings import DoorSettings
from fairgate.wiring import Records, open_records
from tests.support import NOW, PACK, SetClock, body, open_pipeline, request
from tests.unit.casework.test_opening import CASES
from tests.unit.entrypoints.test_desk_app import Desk, refusal
from tests.unit.entrypoints.test_desk_appeals import FakeDoor
from tests.unit.entrypoints.test_desk_records import fits
from tests.unit.pipeline.live import answers

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
REVIEWS = frozenset({Scope.REVIEW})
KEYS = {
    "ann": REVIEWS | {Scope.ENFORCE},
    "bob": REVIEWS | {Scope.ENFORCE},
    "lea": REVIEWS | {Scope.ENFORCE, Scope.AUDIT},
    "shop": REVIEWS,
}
FACTS = Facts(Stake(0.5, 10.0, 24.0, 0.0, 100.0, Action.ALLOW, 5.0, NOW), Action.HOLD, ("burst",), ("rule",))
OPENING: dict[str, Any] = {"accounts": ["a", "b"], "why": "one farm", "ref": "report 1", "burn": 20.0}
BAD: dict[str, Any] = {"outcome": "bad", "why": "a farm", "actions": [{"action": "suspend", "for": "30d"}]}
BATCH = {"taken": 1, "numbers": [17], "refused": []}


class Door(FakeDoor):
    """A door that answers batches and labels; `fails` are the paths that it refuses, by status and code."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Any] = {"batch": BATCH, "undo": {"undone": 1, "missing": []}, "labels": {}}
        self.fails: dict[str, tuple[int, str]] = {}
        self.before_it_answers = self.answer

    def answer(self) -> None:
        last = self.asked[-1][0].rpartition("/")[2]
        if last in self.fails:
            self.refuses(*self.fails[last])
        else:
            self.status, self.body = 200, json.dumps(self.answers[last]).encode()

    def told(self, path: str) -> list[Any]:
        return [sent for asked, _, sent in self.asked if asked == path]


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def desk(tmp_path: Path, door: Door) -> Iterator[Desk]:
    with open_pipeline(tmp_path, PACK + LABELS) as pipeline:
        for number, account in enumerate("aab"):
            answers(pipeline, body({"account": account}, id=f"s{number}"))
    with ExitStack() as stack:
        yield Desk(tmp_path, stack, KEYS, DoorSettings(port=door.port))


@pytest.fixture
def records(desk: Desk) -> Iterator[Records]:
    """What a clerk has open."""
    with open_records(desk.office.settings.data) as opened:
        yield opened


def there(records: Records, account: str = "a", burn: float = 10.0, **changes: object) -> Case:
    """A case that a decision opened."""
    facts = replace(FACTS, stake=replace(FACTS.stake, burn=burn), events=changes.pop("events", ()))
    return records.cases.open(Case(-1, (account,), facts, NOW, **changes)).case  # type: ignore[arg-type]


def ask(desk: Desk, path: str, by: str = "ann", seen: int | None = None, **body: object) -> httpx.Response:
    headers = {} if seen is None else {"if-match": f'"{seen}"'}
    return desk.ask("POST", f"/v1/cases{path}", by=by, headers=headers, json=body)


def done(answer: httpx.Response, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert answer.headers["etag"] == f'"{told.get("case", told)["version"]}"'
    return told


def shown(desk: Desk, path: str) -> Any:  # noqa: ANN401 - JSON
    answer = desk.ask("GET", f"/v1/cases{path}", by="bob")
    assert answer.status_code == 200, answer.text
    told = desk.application.openapi()
    pattern = "/v1/cases" if path[:1] in {"", "?"} else "/v1/cases/{number}"
    schema = told["paths"][pattern]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    fits(told, schema, answer.json())
    return answer.json()


def at(desk: Desk, time: int) -> None:
    clock = desk.office.records.clock
    assert isinstance(clock, SetClock)
    clock.time = time


def mine(desk: Desk, case: Case, by: str = "ann") -> int:
    """Claim a case; its version then."""
    version: int = done(ask(desk, f"/{case.number}/claim", by, case.version))["version"]
    return version


# ------------------------------------------------------------------------------------------------------------- opening


def test_a_case_is_opened_by_hand_once(desk: Desk, records: Records) -> None:
    case = done(ask(desk, "", **OPENING), 201)
    assert (case["accounts"], case["opened_by"], case["state"], case["burn"]) == (["a", "b"], "ann", "open", 20.0)
    assert case["value"] == pytest.approx(value_per_minute(replace(FACTS.stake, burn=20.0)))
    assert done(ask(desk, "", **OPENING)) == case
    assert refusal(ask(desk, "", **{**OPENING, "why": "another"})) == (409, "ref_taken")
    assert refusal(ask(desk, "", **{**OPENING, "accounts": ["c"]})) == (409, "ref_taken")
    assert refusal(ask(desk, "", **{**OPENING, "ref": "2", "accounts": ["b"]})) == (409, "case_open")
    assert len(records.cases.found(CasesWanted(), -1, 9)) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"accounts": []}, "accounts"),
        ({"accounts": ["a", "a"]}, "accounts"),
        ({"accounts": ["a\nb"]}, "accounts.0"),
        ({"accounts": [f"{each}" for each in range(1_001)]}, "accounts"),
        ({"why": " "}, "why"),
        ({"why": "x" * 1_001}, "why"),
        ({"ref": ""}, "ref"),
        ({"burn": -1}, "burn"),
        ({"burn": 1e99}, "burn"),
        ({"probability": 2}, "probability"),
        ({"minutes": 0}, "minutes"),
        ({"events": list(range(21))}, "events"),
        ({"events": [-1]}, "events.0"),
        ({"more": 1}, "more"),
    ],
)
def test_a_case_that_can_not_be_is_refused(
    desk: Desk, records: Records, changes: Mapping[str, Any], field: str
) -> None:
    answer = ask(desk, "", **{**OPENING, **changes})
    assert refusal(answer) == (422, "malformed")
    assert answer.json()["error"]["field"] == field
    assert records.cases.found(CasesWanted(), -1, 9) == []


# ---------------------------------------------------------------------------------------------------------------- next


def test_the_next_case_is_the_best_that_nobody_is_at(desk: Desk, records: Records) -> None:
    cheap, dear, middle = (there(records, name, burn) for name, burn in (("a", 1.0), ("b", 3.0), ("c", 2.0)))
    assert done(ask(desk, "/next"))["number"] == dear.number
    assert done(ask(desk, "/next"))["number"] == dear.number  # a double click, or an answer that was lost
    assert done(ask(desk, "/next", "bob"))["number"] == middle.number
    done(ask(desk, f"/{dear.number}/release", seen=2))
    assert done(ask(desk, "/next", "lea"))["number"] == dear.number
    assert done(ask(desk, "/next"))["number"] == cheap.number
    assert refusal(ask(desk, "/next", "shop")) == (404, "no_case")
    at(desk, NOW + 10 * MINUTE)  # all claims have run out
    assert done(ask(desk, "/next", "shop"))["number"] == dear.number


def test_two_who_ask_at_once_get_two_cases(desk: Desk, records: Records) -> None:
    numbers = {there(records, name).number for name in "abcd"}

    async def all_at_once() -> list[httpx.Response]:
        transport = httpx.ASGITransport(desk.application, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8081") as client:
            asked = (
                client.post("/v1/cases/next", headers={"authorization": f"Bearer {desk.keys[name]}"}) for name in KEYS
            )
            return await asyncio.gather(*asked)

    found = [done(answer) for answer in asyncio.run(all_at_once())]
    assert {each["number"] for each in found} == numbers
    assert {each["claimed_by"] for each in found} == set(KEYS)


def test_whoever_is_barred_is_passed_over_and_kept_from_it(desk: Desk, records: Records) -> None:
    barred, other = there(records, "a", 9.0, barred=("ann",)), there(records, "b", 1.0)
    assert refusal(ask(desk, f"/{barred.number}/claim", seen=1)) == (403, "barred")
    [noted] = [each.doing for each in records.audit.rows(0, 9)]
    assert (noted.what, noted.by, noted.more) == (Kind.REFUSED, "ann", more_of(code="barred"))
    assert noted.about == Subject("case", str(barred.number))
    assert done(ask(desk, "/next"))["number"] == other.number


def test_what_is_escalated_is_for_those_who_lead(desk: Desk, records: Records) -> None:
    case = there(records)
    escalated = done(ask(desk, f"/{case.number}/escalate", seen=mine(desk, case), why="too big"))
    assert (escalated["escalated"], escalated["claimed_by"]) == (True, None)
    assert refusal(ask(desk, "/next")) == (404, "no_case")
    assert refusal(ask(desk, f"/{case.number}/claim", seen=3)) == (403, "for_leads")
    assert done(ask(desk, "/next", "lea"))["number"] == case.number


# ------------------------------------------------------------------------------------------------------------- working

DEEDS: list[tuple[str, dict[str, Any]]] = [
    ("claim", {}),
    ("notes", {"text": "seen\ntwice"}),
    ("snooze", {"for": "4h", "why": "later"}),
    ("escalate", {"why": "too big"}),
    ("release", {}),
    ("decision", {"outcome": "unknown", "why": "no idea"}),
]


@pytest.mark.parametrize(("deed", "asked"), DEEDS)
def test_a_deed_is_done_once_and_only_to_what_was_seen(
    desk: Desk, records: Records, deed: str, asked: dict[str, Any]
) -> None:
    case = there(records)
    seen = case.version if deed == "claim" else mine(desk, case)
    path = f"/{case.number}/{deed}"
    assert refusal(ask(desk, path, **asked)) == (422, "malformed")  # without the version
    assert refusal(ask(desk, path, seen=seen + 1, **asked)) == (409, "stale")
    first = done(ask(desk, path, seen=seen, **asked))
    again = done(ask(desk, path, seen=seen, **asked))
    assert again.get("case", again) == first.get("case", first)
    assert first.get("case", first)["version"] == seen + 1
    assert refusal(ask(desk, path, "bob", seen, **asked)) == (409, "stale")
    history = shown(desk, f"/{case.number}")["history"]
    assert len(history) == seen + 1
    assert history[-1]["by"] == "ann"


@pytest.mark.parametrize(("deed", "asked"), [each for each in DEEDS if each[0] != "notes"])
def test_another_s_case_is_left_alone(desk: Desk, records: Records, deed: str, asked: dict[str, Any]) -> None:
    case = there(records)
    seen = mine(desk, case)
    assert refusal(ask(desk, f"/{case.number}/{deed}", "bob", seen, **asked)) == (409, "claimed")
    assert shown(desk, f"/{case.number}")["case"]["version"] == seen
    assert refusal(ask(desk, f"/{case.number + 70}/{deed}", "bob", 1, **asked)) == (404, "not_found")


@pytest.mark.parametrize("header", ["", "x", '"0"', '"-1"', '"9999999999999999999"', '"1", "2"', "*"])
def test_a_version_that_can_not_be_is_refused(desk: Desk, records: Records, header: str) -> None:
    path = f"/v1/cases/{there(records).number}/claim"
    assert refusal(desk.ask("POST", path, by="ann", headers={"if-match": header})) == (422, "malformed")


def test_a_case_sleeps_and_wakes(desk: Desk, records: Records) -> None:
    case = there(records)
    seen = mine(desk, case)
    for length in ("soon", "31d", "0s"):
        answer = ask(desk, f"/{case.number}/snooze", seen=seen, why="later", **{"for": length})
        assert answer.status_code == 422
    done(ask(desk, f"/{case.number}/snooze", seen=seen, why="later", **{"for": "4h"}))
    assert refusal(ask(desk, "/next")) == (404, "no_case")
    at(desk, NOW + 4 * HOUR)
    assert done(ask(desk, "/next"))["number"] == case.number


def test_a_claim_is_renewed_by_work(desk: Desk, records: Records) -> None:
    case = there(records)
    seen = mine(desk, case)
    at(desk, NOW + 9 * MINUTE)
    done(ask(desk, f"/{case.number}/notes", seen=seen, text="still at it"))
    at(desk, NOW + 18 * MINUTE)
    assert refusal(ask(desk, f"/{case.number}/claim", "bob", seen + 1)) == (409, "claimed")
    at(desk, NOW + 19 * MINUTE)
    assert refusal(ask(desk, f"/{case.number}/release", seen=seen + 1)) == (409, "not_claimed")
    assert done(ask(desk, f"/{case.number}/claim", "bob", seen + 1))["claimed_by"] == "bob"


def test_cases_are_listed_by_what_is_asked_for(desk: Desk, records: Records) -> None:
    one, two, three = (there(records, name) for name in "abc")
    mine(desk, two)
    done(ask(desk, f"/{three.number}/escalate", "bob", mine(desk, three, "bob"), why="too big"))

    def numbers(query: str) -> list[int]:
        return [each["number"] for each in shown(desk, query)["cases"]]

    assert numbers("") == [one.number, two.number, three.number]
    assert numbers("?account=b") == numbers("?claimed_by=ann") == [two.number]
    assert numbers("?escalated=true") == [three.number]
    assert numbers("?state=decided") == []
    page = shown(desk, "?limit=2")
    assert page["next"] == two.number
    assert numbers(f"?after={page['next']}") == [three.number]


def test_two_cases_are_merged(desk: Desk, records: Records) -> None:
    kept, gone = there(records, "a"), there(records, "b")
    asked: dict[str, Any] = {"other": gone.number, "other_version": 1, "why": "one farm"}
    path = f"/{kept.number}/merge"
    assert refusal(ask(desk, path, seen=1, **asked)) == (409, "not_claimed")
    seen = mine(desk, kept)
    assert refusal(ask(desk, path, seen=seen, **{**asked, "other_version": 2})) == (409, "stale")
    assert refusal(ask(desk, path, seen=seen, **{**asked, "other": kept.number, "other_version": seen})) == (
        422, "itself",
    )  # fmt: skip
    merged = done(ask(desk, path, seen=seen, **asked))
    assert (merged["accounts"], merged["burn"]) == (["a", "b"], pytest.approx(20.0))
    assert done(ask(desk, path, seen=seen, **asked)) == merged
    other = shown(desk, f"/{gone.number}")["case"]
    assert (other["state"], other["merged_into"]) == ("merged", kept.number)
    assert refusal(ask(desk, f"/{gone.number}/claim", "bob", 2)) == (409, "merged")


def test_a_case_is_split(desk: Desk, records: Records) -> None:
    facts = replace(FACTS, stake=replace(FACTS.stake, burn=40.0, at_risk=60.0, worth=80.0))
    case = records.cases.open(Case(-1, ("a", "b", "c", "d"), facts, NOW, "shop", "one farm", "r 1")).case
    path, why = f"/{case.number}/split", "another device"
    asked: dict[str, Any] = {"accounts": ["c", "a", "d"], "why": why}
    assert refusal(ask(desk, path, seen=1, **asked)) == (409, "not_claimed")
    seen = mine(desk, case)
    assert refusal(ask(desk, path, "bob", seen, **asked)) == (409, "claimed")
    assert refusal(ask(desk, path, seen=seen + 1, **asked)) == (409, "stale")
    for accounts, code in (("abcd", "all_or_none"), ("az", "not_in_case"), ("", "malformed"), ("aa", "malformed")):
        assert refusal(ask(desk, path, seen=seen, accounts=list(accounts), why="so")) == (422, code)
    told = done(ask(desk, path, seen=seen, **asked))
    left, made = told["case"], told["made"]
    assert (left["accounts"], left["claimed_by"], left["split_from"]) == (["b"], "ann", None)
    assert (made["accounts"], made["claimed_by"], made["split_from"]) == (["a", "c", "d"], None, case.number)
    assert (made["version"], made["opened_by"], made["state"]) == (1, "ann", "open")
    assert (left["burn"], made["burn"]) == (10.0, 30.0)  # nothing else is known
    for each, part in ((left, 0.25), (made, 0.75)):
        kept = records.cases.get(each["number"])
        assert kept is not None
        stake = kept.facts.stake
        assert (stake.at_risk, stake.worth) == (60.0 * part, 80.0 * part)
        assert each["value"] == pytest.approx(value_per_minute(stake))
        last = shown(desk, f"/{each['number']}")["history"][-1]
        said = f"3 accounts of case {case.number} into case {made['number']}: {why}"
        assert (last["by"], last["what"], last["said"]) == ("ann", "split", said)


def test_a_case_is_split_once_by_a_double_click(desk: Desk, records: Records) -> None:
    case = records.cases.open(Case(-1, ("a", "b", "c"), FACTS, NOW)).case
    path, seen = f"/{case.number}/split", mine(desk, case)
    first = done(ask(desk, path, seen=seen, accounts=["a"], why="so"))
    assert done(ask(desk, path, seen=seen, accounts=["a"], why="so")) == first
    assert refusal(ask(desk, path, seen=seen, accounts=["a"], why="another")) == (409, "stale")
    assert refusal(ask(desk, path, seen=seen, accounts=["b"], why="so")) == (409, "stale")
    assert refusal(ask(desk, path, "bob", seen, accounts=["a"], why="so")) == (409, "stale")
    assert len(records.cases.found(CasesWanted(), -1, 9)) == 2
    again = done(ask(desk, path, seen=seen + 1, accounts=["b"], why="so"))  # what they saw then
    assert (again["case"]["accounts"], again["made"]["accounts"]) == (["c"], ["b"])
    done(ask(desk, f"/{again['made']['number']}/claim", "bob", 1))
    merged = {"other": first["made"]["number"], "other_version": 1, "why": "one after all"}
    back = done(ask(desk, f"/{again['made']['number']}/merge", "bob", 2, **merged))
    assert back["accounts"] == ["b", "a"]


def test_what_decisions_found_goes_with_the_accounts(tmp_path: Path, door: Door) -> None:
    with open_pipeline(tmp_path, CASES + LABELS) as pipeline:
        first = answers(pipeline, request(1, "a", cost=30.0, ip="203.0.113.5"))[0].sequence
        answers(pipeline, request(2, "b", cost=10.0, ip="203.0.113.6"))
    events = (first + 1, first)
    with ExitStack() as stack, open_records(tmp_path) as records:
        desk = Desk(tmp_path, stack, KEYS, DoorSettings(port=door.port))
        facts = replace(FACTS, stake=replace(FACTS.stake, burn=80.0), reasons=("other",), events=events)
        case = records.cases.open(Case(-1, ("a", "b"), facts, NOW)).case
        told = done(ask(desk, f"/{case.number}/split", seen=mine(desk, case), accounts=["b"], why="so"))
    left, made = told["case"], told["made"]
    assert (left["events"], made["events"]) == ([first], [first + 1])
    assert (left["burn"], made["burn"]) == (pytest.approx(60.0), pytest.approx(20.0))
    assert left["reasons"] == ["spend"]  # what it was decided by, and not what the case had


def test_without_the_log_nothing_is_split(desk: Desk, records: Records) -> None:
    case = records.cases.open(Case(-1, ("a", "b"), replace(FACTS, events=(1,)), NOW)).case
    seen = mine(desk, case)
    log = desk.office.settings.data / "log"
    log.rename(log.with_name("away"))
    assert refusal(ask(desk, f"/{case.number}/split", seen=seen, accounts=["a"], why="so")) == (503, "unavailable")
    assert shown(desk, f"/{case.number}")["case"]["accounts"] == ["a", "b"]


# ----------------------------------------------------------------------------------------------------------- gathering

GATHER: dict[str, Any] = {"accounts": ["a", "b", "c"], "why": "one device", "ref": "wave 1", "burn": 9.0}


def gathered(desk: Desk, status: int = 200, **changes: object) -> Any:  # noqa: ANN401 - JSON
    answer = ask(desk, "/from-query", **{**GATHER, **changes})
    assert answer.status_code == status, answer.text
    told = desk.application.openapi()
    schema = told["paths"]["/v1/cases/from-query"]["post"]["responses"]["201"]["content"]["application/json"]["schema"]
    fits(told, schema, answer.json())
    return answer.json()


def test_accounts_become_one_case(desk: Desk, records: Records) -> None:
    b = there(records, "b")
    preview = gathered(desk, preview=True, accounts=["c", "a", "b", "a"])
    assert (preview["preview"], preview["accounts"], preview["opened"], preview["cases"]) == (True, 2, 0, [])
    assert (preview["skipped"], preview["there"]) == ({"null": 0, "duplicate": 1, "unfit": 0}, 1)
    assert preview["there_cases"] == [b.number]
    assert records.cases.found(CasesWanted(), b.number, 9) == []
    told = gathered(desk, 201)
    assert (told["preview"], told["accounts"], told["opened"], told["there"]) == (False, 2, 1, 1)
    [number] = told["cases"]
    case = shown(desk, f"/{number}")["case"]
    assert (case["accounts"], case["why"], case["ref"]) == (["a", "c"], "one device", "wave 1")
    assert (case["opened_by"], case["burn"], case["query"], case["evidence"]) == ("ann", 9.0, "", [])
    again = gathered(desk)
    assert (again["accounts"], again["opened"], again["cases"]) == (2, 0, [number])
    assert refusal(ask(desk, "/from-query", **{**GATHER, "why": "another"})) == (409, "ref_taken")
    assert refusal(ask(desk, "/from-query", "bob", **GATHER)) == (409, "case_open")
    assert refusal(ask(desk, "/from-query", "bob", **{**GATHER, "apart": True, "accounts": []})) == (422, "malformed")


def test_accounts_become_a_case_each(desk: Desk, records: Records) -> None:
    b = there(records, "b")
    told = gathered(desk, 201, apart=True)
    assert (told["accounts"], told["opened"], told["there"], told["there_cases"]) == (2, 2, 1, [b.number])
    cases = [shown(desk, f"/{number}")["case"] for number in told["cases"]]
    assert [(each["accounts"], each["ref"]) for each in cases] == [(["a"], "wave 1/a"), (["c"], "wave 1/c")]
    more = gathered(desk, 201, apart=True, accounts=["a", "c", "d"])  # as after a kill on the way
    assert (more["accounts"], more["opened"], more["cases"][:2]) == (3, 1, told["cases"])
    assert gathered(desk, apart=True, accounts=["a", "c", "d"])["opened"] == 0
    assert refusal(ask(desk, "/from-query", **{**GATHER, "apart": True, "why": "another"})) == (409, "ref_taken")


def test_many_accounts_become_a_case_each_and_too_many_none(desk: Desk, records: Records) -> None:
    many = [f"n{each:05}" for each in range(1_001)]
    for preview in (True, False):
        answer = ask(desk, "/from-query", **{**GATHER, "accounts": many, "preview": preview})
        assert refusal(answer) == (422, "too_many")
        assert "apart" in answer.json()["error"]["reason"]
    assert gathered(desk, apart=True, accounts=many, preview=True)["accounts"] == 1_001
    assert gathered(desk, 201, apart=True, accounts=many)["opened"] == 1_001
    assert len(records.cases.found(CasesWanted(), -1, 9_999)) == 1_001
    too_many = [f"n{each}" for each in range(10_001)]
    assert refusal(ask(desk, "/from-query", **{**GATHER, "apart": True, "accounts": too_many})) == (422, "malformed")


@pytest.mark.parametrize(
    "changes",
    [
        {"query": "select 1"},
        {"accounts": None},
        {"accounts": ["a\nb"]},
        {"accounts": [5]},
        {"accounts": None, "query": "x" * 10_001},
        {"apart": "yes"},
        {"preview": 1},
        {"ref": ""},
        {"why": " "},
        {"more": 1},
    ],
)
def test_what_can_not_be_gathered_is_refused(desk: Desk, records: Records, changes: dict[str, Any]) -> None:
    assert refusal(ask(desk, "/from-query", **{**GATHER, **changes})) == (422, "malformed")
    assert records.cases.found(CasesWanted(), -1, 9) == []


def test_a_query_needs_its_scope(desk: Desk, records: Records) -> None:
    asked = {**GATHER, "accounts": None, "query": "select 'a' as account"}
    assert refusal(ask(desk, "/from-query", **asked)) == (403, "scope_missing")
    assert records.audit.rows(0, 9) == []


def answer_of(names: Mapping[str, str], *rows: list[object], truncated: bool = False) -> bytes:
    columns = [{"name": name, "type": kind} for name, kind in names.items()]
    return json.dumps({"columns": columns, "rows": rows, "truncated": truncated}).encode()


def test_accounts_and_events_are_read_from_an_answer() -> None:
    names = {"sequence": "BIGINT", "Account": "VARCHAR", "n": "DOUBLE"}
    given: list[list[object]] = [[3, "a", 1], [None, "a", 1], [9, None, 2], [-1, "b", 2], [True, "b", 0], [5, "a", 1]]
    rows = rows_of(answer_of(names, *given), 10)
    assert rows.accounts == ["a", "a", None, "b", "b", "a"]
    assert rows.events == {"a": [3, 5]}
    assert rows_of(answer_of({"account": "VARCHAR"}), 10) == ([], {})


@pytest.mark.parametrize(
    ("names", "truncated", "code"),
    [
        ({"acct": "VARCHAR"}, False, "bad_query"),
        ({"account": "BIGINT"}, False, "bad_query"),
        ({"account": "VARCHAR"}, True, "too_many"),
    ],
)
def test_an_answer_without_accounts_or_with_too_many_is_refused(
    names: Mapping[str, str], code: str, *, truncated: bool
) -> None:
    with pytest.raises(Refusal) as caught:
        rows_of(answer_of(names, truncated=truncated), 10)
    assert (caught.value.status, caught.value.code) == (422, code)


# ------------------------------------------------------------------------------------------------------------ deciding


def test_what_is_bad_is_acted_on_labelled_and_then_decided(desk: Desk, records: Records, door: Door) -> None:
    case = there(records, events=(3, 2, 1, 0, 99))
    seen = mine(desk, case)
    with door.open():
        decided = done(ask(desk, f"/{case.number}/decision", seen=seen, **BAD))
        assert done(ask(desk, f"/{case.number}/decision", seen=seen, **BAD))["case"] == decided["case"]
    [batch] = door.told("/v1/actions/batch")
    assert (batch["kind"], batch["values"], batch["action"], batch["for"]) == ("account", ["a"], "suspend", "30d")
    assert (batch["ref"], batch["why"], batch["reasons"]) == (f"case-{case.number}", "a farm", ["burst"])
    [label] = door.told("/v1/labels")
    assert label["of"] == {"sequence": 2, "source": None, "id": None}  # the newest of the account's, not b's
    assert (label["bad"], label["source"], label["confidence"], label["propensity"]) == (True, "case", 0.9, 1.0)
    assert label["type"] == "account.label"
    assert (decided["actions"], decided["labels"], decided["unlabelled"]) == ([17], 1, [])
    verdict = decided["case"]["verdict"]
    assert (decided["case"]["state"], verdict["outcome"], verdict["action"]) == ("decided", "bad", "suspend")
    assert (verdict["by"], verdict["why"]) == ("ann", "a farm")
    assert refusal(ask(desk, f"/{case.number}/claim", seen=seen + 1)) == (409, "decided")
    assert refusal(ask(desk, f"/{case.number}/decision", seen=seen + 1, **BAD)) == (409, "decided")


def test_who_picked_an_event_and_by_what_chance_stands_in_its_label(desk: Desk, records: Records, door: Door) -> None:
    with open_pipeline(desk.office.settings.data, PACK + LABELS) as pipeline:
        [answer] = answers(pipeline, request(1, "z", cost=50.0, ip="203.0.113.5"))
        decision = pipeline.explainer.explain(answer.sequence, personal=False).record.decision
    fired = [each for each in decision.rules if each not in decision.silent]
    assert fired  # otherwise the test shows nothing
    case = there(records, "z", events=(answer.sequence,), propensity=0.05)
    with door.open():
        done(ask(desk, f"/{case.number}/decision", seen=mine(desk, case), outcome="benign", why="a friend"))
    [label] = door.told("/v1/labels")
    assert label["selected_by"].split() == fired
    assert (label["propensity"], label["bad"]) == (0.05, False)


def test_nobody_can_tell_is_a_label_too(desk: Desk, records: Records, door: Door) -> None:
    case = there(records, events=(1,))
    with door.open():
        done(ask(desk, f"/{case.number}/decision", seen=mine(desk, case), outcome="unknown", why="?", confidence=0.2))
    [label] = door.told("/v1/labels")
    assert (label["bad"], label["confidence"]) == (None, 0.2)


def test_an_account_without_an_event_is_told(desk: Desk, records: Records, door: Door) -> None:
    case = there(records, "nobody", events=(1, 0))
    with door.open():
        decided = done(ask(desk, f"/{case.number}/decision", seen=mine(desk, case), outcome="benign", why="a friend"))
    assert (decided["labels"], decided["unlabelled"]) == (0, ["nobody"])
    assert door.asked == []


@pytest.mark.parametrize(
    ("path", "failure", "told"),
    [
        ("batch", (403, "scope_missing"), (403, "scope_missing")),
        ("batch", (422, "bad_length"), (422, "bad_length")),
        ("batch", (500, "failed"), (503, "door_unavailable")),
        ("labels", (403, "scope_missing"), (403, "scope_missing")),
        ("labels", (503, "degraded"), (503, "door_unavailable")),
    ],
)
def test_a_door_that_fails_leaves_the_case_open(
    desk: Desk, door: Door, path: str, failure: tuple[int, str], told: tuple[int, str]
) -> None:
    with open_records(desk.office.settings.data) as records:
        case = there(records, events=(1,))
    seen = mine(desk, case)
    door.fails[path] = failure
    with door.open():
        assert refusal(ask(desk, f"/{case.number}/decision", seen=seen, **BAD)) == told
        assert shown(desk, f"/{case.number}")["case"]["version"] == seen
        door.fails.clear()
        done(ask(desk, f"/{case.number}/decision", seen=seen, **BAD))
    assert len({each["ref"] for each in door.told("/v1/actions/batch")}) == 1  # so nothing is done twice


def test_a_door_that_is_away_leaves_the_case_open(desk: Desk, records: Records) -> None:
    case = there(records)
    seen = mine(desk, case)
    assert refusal(ask(desk, f"/{case.number}/decision", seen=seen, **BAD)) == (503, "door_unavailable")
    assert shown(desk, f"/{case.number}")["case"]["state"] == "open"


def test_an_event_that_can_have_no_label_keeps_up_nothing(desk: Desk, records: Records, door: Door) -> None:
    case = there(records, events=(1,))
    door.fails["labels"] = (422, "bad_label")
    with door.open():
        decided = done(ask(desk, f"/{case.number}/decision", seen=mine(desk, case), **BAD))
    assert (decided["case"]["state"], decided["labels"]) == ("decided", 0)


def test_an_account_that_the_door_refuses_is_told_and_the_case_is_open(
    desk: Desk, records: Records, door: Door
) -> None:
    case = there(records)
    seen = mine(desk, case)
    error = {"code": "ref_taken", "reason": "it is something else", "field": "ref"}
    door.answers["batch"] = {"taken": 0, "numbers": [], "refused": [{"value": "a", "error": error}]}
    with door.open():
        assert refusal(ask(desk, f"/{case.number}/decision", seen=seen, **BAD)) == (409, "not_all_done")
    assert shown(desk, f"/{case.number}")["case"]["state"] == "open"


def test_what_rules_did_to_the_benign_is_undone(desk: Desk, records: Records, door: Door) -> None:
    def entry(number: int, **changes: object) -> Entry:
        made = Entry(number, Subject("account", "a"), Action.HOLD, NOW - HOUR, FOREVER, ("burst",), ("rule",), "p")
        return replace(made, **changes)

    entries = (
        entry(7),
        entry(8, by="ann"),  # a person's: who wants that undone says so
        entry(9, action=Action.ALLOW),
        entry(10, ends=NOW),
        entry(11, subject=Subject("account", "b")),
    )
    records.ledger.take(Read(1, NOW), entries, [], [])
    case = there(records)
    asked: dict[str, Any] = {"outcome": "benign", "why": "a friend", "undo": True, "spare": "30d"}
    with door.open():
        decided = done(ask(desk, f"/{case.number}/decision", seen=mine(desk, case), **asked))
    assert door.told("/v1/actions/batch/undo") == [{"numbers": [7], "why": "a friend", "spare": "30d"}]
    assert decided["undone"] == 1


def test_several_actions_are_taken_on_several_accounts(desk: Desk, records: Records, door: Door) -> None:
    case = records.cases.open(Case(-1, ("a", "b", "c"), FACTS, NOW)).case
    seen = mine(desk, case)
    two = [{"action": "ban", "accounts": ["a"]}, {"action": "hold", "accounts": ["b", "c"]}]
    asked: dict[str, Any] = {"outcome": "bad", "why": "a farm", "reasons": ["farm"]}
    with door.open():
        stranger: dict[str, Any] = {**asked, "actions": [{"action": "ban", "accounts": ["z"]}]}
        assert refusal(ask(desk, f"/{case.number}/decision", seen=seen, **stranger)) == (422, "not_in_case")
        assert door.asked == []
        decided = done(ask(desk, f"/{case.number}/decision", seen=seen, **asked, actions=two))
    assert [(each["action"], each["values"], each["reasons"]) for each in door.told("/v1/actions/batch")] == [
        ("ban", ["a"], ["farm"]), ("hold", ["b", "c"], ["farm"]),
    ]  # fmt: skip
    assert decided["case"]["verdict"]["action"] == "ban"


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "benign"},
        {"undo": True},
        {"spare": "30d"},
        {"outcome": "guilty"},
        {"confidence": 0},
        {"confidence": 1.1},
        {"why": ""},
        {"actions": [{"action": "allow"}]},
        {"actions": [{"action": "ban"}, {"action": "hold"}]},
        {"actions": [{"action": "ban", "accounts": ["a"]}, {"action": "hold", "accounts": ["a"]}]},
        {"actions": [{"action": "ban", "accounts": []}]},
        {"more": 1},
    ],
)
def test_a_verdict_that_makes_no_sense_is_refused(desk: Desk, records: Records, changes: dict[str, Any]) -> None:
    case = there(records)
    seen = mine(desk, case)
    assert refusal(ask(desk, f"/{case.number}/decision", seen=seen, **{**BAD, **changes})) == (422, "malformed")
    assert shown(desk, f"/{case.number}")["case"]["version"] == seen


def test_a_case_is_judged_again_under_a_name_of_its_own(desk: Desk, records: Records, door: Door) -> None:
    case = there(records)
    seen = mine(desk, case)
    assert refusal(ask(desk, f"/{case.number}/reopen", "bob", seen, why="new facts")) == (409, "not_decided")
    with door.open():
        done(ask(desk, f"/{case.number}/decision", seen=seen, **BAD))
        again = done(ask(desk, f"/{case.number}/reopen", "bob", seen + 1, why="new facts"))
        assert (again["state"], again["verdict"]) == ("open", None)
        now = done(ask(desk, f"/{case.number}/claim", seen=again["version"]))["version"]
        done(ask(desk, f"/{case.number}/decision", seen=now, **BAD))
    refs = [each["ref"] for each in door.told("/v1/actions/batch")]
    assert refs == [f"case-{case.number}", f"case-{case.number}-1"]


def test_what_is_open_already_is_not_opened_again(desk: Desk, records: Records) -> None:
    case = there(records)
    asked: dict[str, Any] = {"outcome": "benign", "why": "a friend"}
    seen = done(ask(desk, f"/{case.number}/decision", seen=mine(desk, case), **asked))["case"]["version"]
    newer = there(records)
    assert newer.number != case.number
    answer = ask(desk, f"/{case.number}/reopen", seen=seen, why="new facts")
    assert refusal(answer) == (409, "case_open")
    assert f"case {newer.number} " in answer.json()["error"]["reason"]


def test_a_note_written_while_the_door_acts_is_kept(desk: Desk, records: Records, door: Door) -> None:
    case = there(records)
    seen = mine(desk, case)

    def answer() -> None:
        door.answer()
        ours = records.cases.get(case.number)
        assert ours is not None
        records.cases.store(replace(ours, version=ours.version + 1), [])

    door.before_it_answers = answer
    with door.open():
        decided = done(ask(desk, f"/{case.number}/decision", seen=seen, **BAD))
    assert (decided["case"]["state"], decided["case"]["version"]) == (CaseState.DECIDED, seen + 2)
