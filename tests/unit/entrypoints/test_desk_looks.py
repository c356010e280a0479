"""Second looks and gold cases at the desk: who is given one, what they are not shown, and what follows."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from fairgate.casework.looks import DOUBLE_SHARE, GOLD_SHARE
from fairgate.domain.access import Role, Scope
from fairgate.domain.action import Action
from fairgate.domain.audit import Doer, more_of
from fairgate.domain.audit import Kind as Audited
from fairgate.domain.case import Case
from fairgate.domain.ledger import FOREVER, Entry, Subject
from fairgate.domain.look import Kind, LookState
from fairgate.domain.people import Person
from fairgate.domain.shifts import Shifts
from fairgate.domain.windows import HOUR, MINUTE
from fairgate.domain.worth import USUAL_ERRORS, Errors
from fairgate.ports.ledger import Read
from fairgate.settings import DoorSettings
from fairgate.wiring import Records, open_records
from tests.support import NOW, PACK, open_pipeline
from tests.unit.entrypoints.test_desk_app import Desk, refusal
from tests.unit.entrypoints.test_desk_cases import FACTS, KEYS, LABELS, Door, ask, at, done, mine, shown, there
from tests.unit.entrypoints.test_desk_records import fits

BAN: dict[str, Any] = {"outcome": "bad", "why": "a farm", "actions": [{"action": "ban"}]}
BENIGN: dict[str, Any] = {"outcome": "benign", "why": "a friend"}
SHOWN_TO_ALL = {"number", "version", "state", "accounts", "why", "minutes", "reasons", "evidence", "events", "blind"}


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door()
    with door.open():
        yield door


@pytest.fixture
def desk(tmp_path: Path, door: Door) -> Iterator[Desk]:
    with open_pipeline(tmp_path, PACK + LABELS):
        pass
    with ExitStack() as stack:
        keys = {name: scopes | {Scope.READ} for name, scopes in KEYS.items()}
        yield Desk(tmp_path, stack, keys, DoorSettings(port=door.port), second_looks=True)


@pytest.fixture
def records(desk: Desk) -> Iterator[Records]:
    with open_records(desk.office.settings.data) as opened:
        yield opened


def decided(desk: Desk, case: Case, by: str = "ann", **asked: Any) -> Any:  # noqa: ANN401 - JSON
    """A case that somebody claims and decides."""
    return done(ask(desk, f"/{case.number}/decision", by, mine(desk, case, by), **asked))


def given(desk: Desk, by: str = "bob") -> Any:  # noqa: ANN401 - JSON
    """The next case, which must be one to judge by the evidence alone."""
    case = done(ask(desk, "/next", by))
    assert case["blind"]
    return case


def say(desk: Desk, case: Any, by: str = "bob", **asked: Any) -> httpx.Response:  # noqa: ANN401 - JSON
    return ask(desk, f"/{case['number']}/decision", by, case["version"], **asked)


def read(desk: Desk, number: int, by: str = "bob") -> Any:  # noqa: ANN401 - JSON
    answer = desk.ask("GET", f"/v1/cases/{number}", by=by)
    assert answer.status_code == 200, answer.text
    told = desk.application.openapi()
    schema = told["paths"]["/v1/cases/{number}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    fits(told, schema, answer.json())
    return answer.json()


def happened(desk: Desk, number: int) -> list[str]:
    return [each["what"] for each in read(desk, number, "lea")["history"]]


# ---------------------------------------------------------------------------------------------------------------- held


def test_what_is_grave_and_doubtful_is_held_until_somebody_else_says_the_same(
    desk: Desk, records: Records, door: Door
) -> None:
    case = there(records)
    first = decided(desk, case, **BAN)
    assert first["held"]
    [hold] = door.told("/v1/actions/batch")
    assert (hold["action"], hold["for"], hold["ref"]) == ("hold", "3d", f"case-{case.number}-held")
    assert (first["case"]["state"], first["case"]["verdict"]["action"]) == ("decided", "ban")
    assert happened(desk, case.number) == ["opened", "claimed", "held", "decided"]
    assert refusal(ask(desk, "/next", "ann")) == (404, "no_case")
    second = given(desk)
    told = done(say(desk, second, outcome="bad", why="thirty of them", actions=[{"action": "suspend"}]))
    assert (told["actions"], told["undone"], told["labels"], told["held"]) == ([], 0, 0, False)
    ban = door.told("/v1/actions/batch")[-1]
    assert (ban["action"], ban["for"], ban["why"], ban["ref"]) == ("ban", None, "a farm", f"case-{case.number}")
    assert happened(desk, case.number)[-2:] == ["decided", "confirmed"]
    assert shown(desk, f"/{case.number}")["case"]["state"] == "decided"
    assert refusal(ask(desk, "/next", "shop")) == (404, "no_case")


def test_what_is_mild_is_done_at_once_beside_what_is_held(desk: Desk, records: Records, door: Door) -> None:
    case = records.cases.open(Case(-1, ("a", "b"), FACTS, NOW)).case
    two = [{"action": "ban", "accounts": ["a"]}, {"action": "throttle", "accounts": ["b"]}]
    assert decided(desk, case, outcome="bad", why="a farm", actions=two)["held"]
    assert [(each["action"], each["values"]) for each in door.told("/v1/actions/batch")] == [
        ("hold", ["a"]), ("throttle", ["b"]),
    ]  # fmt: skip
    done(say(desk, given(desk), **BAN))
    assert [(each["action"], each["values"]) for each in door.told("/v1/actions/batch")[2:]] == [("ban", ["a"])]


def test_what_is_sure_is_done_at_once(desk: Desk, records: Records, door: Door) -> None:
    case = there(records)
    desk.office.measuring._errors = {"ann": Errors(0.001, 0.001)}
    assert not decided(desk, case, **BAN)["held"]
    assert [each["action"] for each in door.told("/v1/actions/batch")] == ["ban"]
    assert desk.office.measuring.others("ann") == USUAL_ERRORS


def test_what_even_two_leave_too_doubtful_is_for_those_who_lead(desk: Desk, records: Records, door: Door) -> None:
    facts = replace(FACTS, stake=replace(FACTS.stake, probability=0.05))
    case = records.cases.open(Case(-1, ("a",), facts, NOW)).case
    assert decided(desk, case, **BAN)["held"]
    done(say(desk, given(desk), **BAN))
    assert [each["action"] for each in door.told("/v1/actions/batch")] == ["hold"]
    assert read(desk, case.number, "lea")["case"]["escalated"]


def test_what_the_second_may_not_do_is_for_those_who_lead(desk: Desk, records: Records, door: Door) -> None:
    case = there(records)
    decided(desk, case, **BAN)
    told = done(say(desk, given(desk, "shop"), "shop", **BAN))  # may review, and not enforce
    assert told["actions"] == []
    assert [each["action"] for each in door.told("/v1/actions/batch")] == ["hold"]
    assert happened(desk, case.number)[-1] == "referred"


def test_a_door_that_fails_leaves_the_look_to_be_done(desk: Desk, records: Records, door: Door) -> None:
    case = there(records)
    decided(desk, case, **BAN)
    second = given(desk)
    door.fails["batch"] = (503, "degraded")
    assert refusal(say(desk, second, **BAN)) == (503, "door_unavailable")
    assert read(desk, case.number)["case"]["blind"]
    door.fails.clear()
    done(say(desk, second, **BAN))
    assert {each["ref"] for each in door.told("/v1/actions/batch")[1:]} == {f"case-{case.number}"}


def test_without_keys_nobody_is_told_apart_and_nothing_is_held(tmp_path: Path, door: Door) -> None:
    with open_pipeline(tmp_path, PACK + LABELS), ExitStack() as stack:
        desk = Desk(tmp_path, stack, {}, DoorSettings(port=door.port), second_looks=True)
        with open_records(tmp_path) as records:
            case = there(records)
        claimed = desk.ask("POST", f"/v1/cases/{case.number}/claim", headers={"if-match": '"1"'})
        assert claimed.status_code == 200
        path = f"/v1/cases/{case.number}/decision"
        assert not done(desk.ask("POST", path, headers={"if-match": '"2"'}, json=BAN))["held"]
    assert [each["action"] for each in door.told("/v1/actions/batch")] == ["ban"]


# --------------------------------------------------------------------------------------------------------------- blind


def test_the_second_sees_the_evidence_alone(desk: Desk, records: Records) -> None:
    case = there(records, why="reported", opened_by="help desk", ref="17", events=(2, 1))
    seen = mine(desk, case)
    done(ask(desk, f"/{case.number}/notes", seen=seen, text="he is surely bad"))
    done(ask(desk, f"/{case.number}/decision", seen=seen + 1, **BAN))
    second = given(desk)
    assert given(desk) == second  # a double click, or an answer that was lost
    told = {name for name, value in second.items() if value not in (None, "", False)}
    assert told == SHOWN_TO_ALL | {"claimed_by", "claimed_until"}
    assert (second["state"], second["evidence"], second["events"]) == ("open", ["rule"], [2, 1])
    file = read(desk, case.number)
    assert (file["case"], file["history"], file["looks"], file["gold"]) == (second, [], None, None)
    assert shown(desk, "")["cases"] == shown(desk, "?account=a")["cases"] == []
    text = desk.ask("GET", f"/v1/cases/{case.number}", by="bob").text
    assert not any(word in text for word in ("surely", "farm", "ann", "0.5", "hold"))
    for deed, asked in (
        ("notes", {"text": "x"}),
        ("snooze", {"for": "4h", "why": "later"}),
        ("escalate", {"why": "too big"}),
        ("reopen", {"why": "let me see"}),
        ("split", {"accounts": ["a"], "why": "two"}),
        ("merge", {"other": 9, "other_version": 1, "why": "one"}),
    ):
        for version in (second["version"], 4):
            assert refusal(ask(desk, f"/{case.number}/{deed}", "bob", version, **asked)) == (409, "blind")
    assert read(desk, case.number, "shop")["case"]["verdict"]["by"] == "ann"  # who is not at it


def test_what_followed_is_not_among_what_was_done_to_the_account(desk: Desk, records: Records) -> None:
    case = there(records)
    decided(desk, case, **BAN)
    hold = Entry(
        7,
        Subject("account", "a"),
        Action.HOLD,
        NOW,
        FOREVER,
        (),
        (),
        "p",
        "ann",
        "a farm",
        f"case-{case.number}-held/a",
    )
    entries = [hold, replace(hold, number=8, ref="case-77/a"), replace(hold, number=9, ref="", by="")]
    records.ledger.take(Read(1, NOW), entries, [], [])

    def numbers(by: str) -> list[int]:
        answer = desk.ask("GET", "/v1/accounts/a/actions", by=by)
        return [each["number"] for each in answer.json()["actions"]]

    assert numbers("bob") == [9, 8, 7]
    second = given(desk)
    assert (numbers("bob"), numbers("ann")) == ([9, 8], [9, 8, 7])
    done(say(desk, second, **BENIGN))
    assert numbers("bob") == [9, 8, 7]


def test_who_was_given_it_stays_blind_until_it_is_done(desk: Desk, records: Records) -> None:
    case = there(records)
    decided(desk, case, **BAN)
    second = given(desk)
    back = done(ask(desk, f"/{case.number}/release", "bob", second["version"]))
    assert (back["claimed_by"], back["blind"]) == (None, True)
    assert read(desk, case.number)["case"] == back
    assert refusal(ask(desk, "/next", "bob")) == (404, "no_case")  # they had a reason
    assert refusal(say(desk, back, **BAN)) == (409, "not_claimed")
    again = done(ask(desk, f"/{case.number}/claim", "bob", back["version"]))
    assert again["claimed_by"] == "bob"
    at(desk, NOW + 10 * MINUTE)  # the claim runs out
    assert refusal(say(desk, again, **BAN)) == (409, "not_claimed")
    other = given(desk, "shop")
    assert refusal(say(desk, again, **BAN)) == (409, "stale")
    assert refusal(ask(desk, f"/{case.number}/claim", "bob", other["version"])) == (409, "claimed")
    assert "shop" not in ask(desk, f"/{case.number}/claim", "bob", other["version"]).text
    assert read(desk, case.number)["case"]["blind"]
    assert done(say(desk, other, "shop", outcome="unknown", why="who knows"))["case"]["blind"]
    assert not read(desk, case.number)["case"]["blind"]  # it is done
    assert [each["by"] for each in read(desk, case.number, "lea")["looks"]] == ["ann", "shop"]


def test_who_has_a_case_is_given_no_other(desk: Desk, records: Records) -> None:
    case, other = there(records, "a"), there(records, "b", 1.0)
    mine(desk, other, "bob")
    decided(desk, case, **BAN)
    assert done(ask(desk, "/next", "bob"))["number"] == other.number


@pytest.mark.parametrize("part", [{"barred": ("bob",)}, {"opened_by": "bob"}])
def test_who_took_part_in_it_is_given_no_look(desk: Desk, records: Records, part: dict[str, Any]) -> None:
    case, _ = there(records, **part), there(records, "b")
    decided(desk, case, **BAN)
    gold(desk, case.number, truth="bad", why="known")
    for desk.lot.falls in (0.0, 0.99):
        ordinary = done(ask(desk, "/next", "bob"))
        assert not ordinary["blind"]
        done(ask(desk, f"/{ordinary['number']}/release", "bob", ordinary["version"]))
    assert given(desk, "shop")


def test_who_knows_an_account_of_it_is_given_neither_look_nor_gold(desk: Desk, records: Records) -> None:
    doer = Doer(NOW, "lea")
    records.people.add(Person(id="b", name="bob", role=Role.REVIEWER, created=NOW, created_by="lea"), doer)
    records.rota.put(Shifts("b", "UTC", apart=("a",)), doer)
    case, _ = there(records), there(records, "b")
    decided(desk, case, **BAN)
    gold(desk, case.number, truth="bad", why="known")
    for desk.lot.falls in (0.0, 0.99):
        ordinary = done(ask(desk, "/next", "bob"))
        assert not ordinary["blind"]
        done(ask(desk, f"/{ordinary['number']}/release", "bob", ordinary["version"]))
    records.rota.put(Shifts("b", "UTC", apart=("x",)), doer)
    assert given(desk)["number"] == case.number


def test_the_case_is_a_reason_to_read_personal_values_for_who_looks_again(desk: Desk, records: Records) -> None:
    case = there(records)
    assert desk.office.open_case(case.number)
    decided(desk, case, **BAN)
    assert not desk.office.open_case(case.number)
    given(desk)
    assert desk.office.open_case(case.number)
    assert not desk.office.open_case(77)


# ------------------------------------------------------------------------------------------------------------ two words


def test_where_two_differ_it_is_for_those_who_lead_and_their_word_stands(
    desk: Desk, records: Records, door: Door
) -> None:
    case = there(records)
    decided(desk, case, **BAN)
    second = given(desk)
    done(say(desk, second, **BENIGN))
    file = read(desk, case.number, "lea")
    now = file["case"]
    assert (now["state"], now["escalated"], now["verdict"], now["claimed_by"]) == ("open", True, None, None)
    last = file["history"][-1]
    assert (last["what"], last["by"], last["said"]) == (
        "referred", "bob", "ann: bad, ban: a farm | bob: benign: a friend",
    )  # fmt: skip
    assert [(each["by"], each["kind"], each["outcome"], each["action"]) for each in file["looks"]] == [
        ("ann", "ordinary", "bad", "ban"), ("bob", "double", "benign", "allow"),
    ]  # fmt: skip
    assert read(desk, case.number, "shop")["looks"] is None
    for by in ("ann", "bob"):
        assert refusal(ask(desk, f"/{case.number}/claim", by, now["version"])) == (403, "barred")
    refused = [each.doing for each in records.audit.rows(0, 9)]
    assert [(each.what, each.by, each.more) for each in refused] == [
        (Audited.REFUSED, by, more_of(code="barred")) for by in ("ann", "bob")
    ]
    held = Entry(7, Subject("account", "a"), Action.HOLD, NOW - HOUR, FOREVER, ("burst",), (), "p", "ann")
    ref = f"case-{case.number}"
    entries = [
        replace(held, ref=f"{ref}-held/a"),
        replace(held, number=8, ref=f"{ref}/a"),
        replace(held, number=9, ref=f"{ref}0/a"),  # another case's
        replace(held, number=10, ref="ticket"),
        replace(held, number=11, ref=f"{ref}-1/a", by="lea"),  # what has just been done
        replace(held, number=12, by="", ref=""),  # a rule's
    ]
    records.ledger.take(Read(1, NOW), entries, [], [])
    claimed = done(ask(desk, "/next", "lea"))
    assert (claimed["number"], claimed["blind"]) == (case.number, False)
    hold: dict[str, Any] = {**BAN, "actions": [{"action": "ban"}], "why": "a farm indeed"}
    ruled = done(ask(desk, f"/{case.number}/decision", "lea", claimed["version"], **hold))
    assert not ruled["held"]
    assert (ruled["case"]["state"], ruled["case"]["verdict"]["by"]) == ("decided", "lea")
    assert [(each["action"], each["ref"]) for each in door.told("/v1/actions/batch")] == [
        ("hold", f"{ref}-held"), ("ban", f"{ref}-1"),
    ]  # fmt: skip
    assert door.told("/v1/actions/batch/undo") == [{"numbers": [7, 8], "why": "a farm indeed", "spare": None}]
    assert refusal(ask(desk, "/next", "shop")) == (404, "no_case")  # nobody looks at it again
    looks = records.looks.of(case.number)
    assert [(each.kind, each.settles, each.round) for each in looks] == [
        (Kind.ORDINARY, False, 0), (Kind.DOUBLE, False, 0), (Kind.ORDINARY, True, 1),
    ]  # fmt: skip


def test_what_is_for_a_lead_to_settle_is_neither_merged_nor_split(desk: Desk, records: Records) -> None:
    case, other = records.cases.open(Case(-1, ("a", "b"), FACTS, NOW)).case, there(records, "c")
    decided(desk, case, **BAN)
    done(say(desk, given(desk), **BENIGN))
    seen = done(ask(desk, "/next", "lea"))["version"]
    path, asked = f"/{case.number}", {"why": "one farm"}
    assert refusal(ask(desk, f"{path}/split", "lea", seen, accounts=["b"], **asked)) == (409, "referred")
    merging = {"other": other.number, "other_version": 1, **asked}
    assert refusal(ask(desk, f"{path}/merge", "lea", seen, **merging)) == (409, "referred")
    mine_now = mine(desk, other, "lea")
    merging = {"other": case.number, "other_version": seen, **asked}
    assert refusal(ask(desk, f"/{other.number}/merge", "lea", mine_now, **merging)) == (409, "referred")
    assert read(desk, case.number, "lea")["case"]["version"] == seen
    done(ask(desk, f"{path}/decision", "lea", seen, **BENIGN))


def test_where_two_agree_on_what_was_done_nothing_more_happens(desk: Desk, records: Records, door: Door) -> None:
    case = there(records)
    desk.lot.falls = 0.0
    version = decided(desk, case, **BENIGN)["case"]["version"]
    [first, double] = records.looks.of(case.number)
    assert (first.kind, first.by, first.word.outcome if first.word else None) == (Kind.ORDINARY, "ann", "benign")
    assert (double.kind, double.propensity, double.held) == (Kind.DOUBLE, DOUBLE_SHARE, ())
    desk.lot.falls = 0.99
    done(say(desk, given(desk), outcome="benign", why="I know him"))
    assert shown(desk, f"/{case.number}")["case"]["version"] == version
    assert records.looks.of(case.number)[1].agreed is True
    assert door.told("/v1/actions/batch") == []


def test_most_that_is_clear_is_looked_at_once(desk: Desk, records: Records) -> None:
    case = there(records)
    decided(desk, case, **BENIGN)
    [first] = records.looks.of(case.number)
    assert first.propensity == case.propensity
    assert refusal(ask(desk, "/next", "bob")) == (404, "no_case")


def test_a_look_is_said_once(desk: Desk, records: Records, door: Door) -> None:
    case = there(records)
    decided(desk, case, **BAN)
    second = given(desk)
    assert refusal(ask(desk, f"/{case.number}/decision", "bob", second["version"] + 1, **BENIGN)) == (409, "stale")
    first = done(say(desk, second, **BENIGN))
    assert done(say(desk, second, **BENIGN)) == first  # a double click
    assert refusal(say(desk, second, **BAN)) == (409, "looked")
    assert refusal(say(desk, second, "shop", **BAN)) == (409, "stale")
    assert happened(desk, case.number).count("referred") == 1
    assert [each["action"] for each in door.told("/v1/actions/batch")] == ["hold"]


def test_the_same_person_does_not_look_twice(desk: Desk, records: Records) -> None:
    case = there(records)
    version = decided(desk, case, **BAN)["case"]["version"]
    assert refusal(ask(desk, f"/{case.number}/claim", seen=version)) == (409, "decided")
    assert refusal(ask(desk, f"/{case.number}/decision", seen=version, **BAN)) == (409, "decided")
    assert done(ask(desk, f"/{case.number}/decision", seen=version - 1, **BAN))["case"]["version"] == version
    [_, waits] = records.looks.of(case.number)
    assert waits.state is LookState.WAITING
    assert refusal(ask(desk, "/next")) == (404, "no_case")


def test_a_look_that_nobody_needs_any_more_is_dropped(desk: Desk, records: Records) -> None:
    case = there(records)
    version = decided(desk, case, **BAN)["case"]["version"]
    second = given(desk)
    done(ask(desk, f"/{case.number}/reopen", seen=version, why="new facts"))
    assert refusal(say(desk, second, **BENIGN)) == (409, "stale")
    assert [each.state for each in records.looks.of(case.number)] == [LookState.DONE, LookState.DROPPED]
    assert not read(desk, case.number)["case"]["blind"]
    assert done(ask(desk, "/next", "shop"))["number"] == case.number
    decided(desk, there(records, "b"), **BAN)
    [_, waits] = records.looks.of(case.number + 1)
    done(ask(desk, f"/{case.number + 1}/reopen", seen=3, why="new facts"))
    assert done(ask(desk, "/next", "bob"))["number"] == case.number + 1  # as an ordinary one
    assert records.looks.of(case.number + 1)[1] == replace(waits, version=1, state=LookState.DROPPED)


def test_a_note_written_while_the_door_acts_is_no_hindrance(desk: Desk, records: Records, door: Door) -> None:
    case = there(records)
    decided(desk, case, **BAN)
    second = given(desk)

    def answer() -> None:
        door.answer()
        ours = records.cases.get(case.number)
        assert ours is not None
        if "note" not in noted:
            noted.append("note")
            assert records.cases.store(replace(ours, version=ours.version + 1), [])

    noted: list[str] = []
    door.before_it_answers = answer
    done(say(desk, second, **BAN))
    assert happened(desk, case.number).count("confirmed") == 1
    assert {each["ref"] for each in door.told("/v1/actions/batch")[1:]} == {f"case-{case.number}"}


# ---------------------------------------------------------------------------------------------------------------- gold

TRUTH: dict[str, Any] = {"truth": "benign", "why": "they came by"}


def gold(desk: Desk, number: int, by: str = "lea", path: str = "gold", **asked: Any) -> httpx.Response:  # noqa: ANN401 - JSON
    return desk.ask("POST", f"/v1/cases/{number}/{path}", by=by, json=asked)


def test_gold_is_slipped_in_looks_like_any_other_and_does_nothing(desk: Desk, records: Records, door: Door) -> None:
    case, other = there(records), there(records, "b")
    decided(desk, case, **BENIGN)
    double = there(records, "c")
    decided(desk, double, **BAN)
    like = given(desk)
    done(say(desk, like, **BAN))
    asked = len(door.asked)
    answer = gold(desk, case.number, **TRUTH)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["truth"], answer.json()["by"]) == ("benign", "lea")
    assert done(ask(desk, "/next", "shop"))["number"] == other.number  # the lot did not fall on it
    done(ask(desk, f"/{other.number}/release", "shop", 2))
    desk.lot.falls = 0.0
    seen = given(desk, "shop")
    assert seen["number"] == case.number
    variable = {"number", "accounts", "claimed_by", "claimed_until"}
    assert {**seen, **dict.fromkeys(variable)} == {**like, **dict.fromkeys(variable)}
    told = done(say(desk, seen, "shop", **BAN))
    assert done(say(desk, seen, "shop", **BAN)) == told
    assert refusal(say(desk, seen, "shop", **BENIGN)) == (409, "looked")
    assert len(door.asked) == asked
    assert read(desk, case.number, "shop")["case"]["verdict"]["outcome"] == "benign"
    [look] = [each for each in records.looks.of(case.number) if each.kind is Kind.GOLD]
    assert (look.by, look.propensity, look.word.outcome if look.word else None) == ("shop", GOLD_SHARE, "bad")
    for by in ("ann", "shop", "lea"):  # who decided it, who has seen it, who made it
        assert done(ask(desk, "/next", by))["number"] == other.number
        done(ask(desk, f"/{other.number}/release", by, done(ask(desk, "/next", by))["version"]))
    assert given(desk, "bob")["number"] == case.number
    assert [each["kind"] for each in read(desk, case.number, "lea")["looks"]] == ["ordinary"]


def test_gold_that_was_given_back_comes_again_by_lot(desk: Desk, records: Records) -> None:
    case, other = there(records), there(records, "b")
    decided(desk, case, **BENIGN)
    gold(desk, case.number, **TRUTH)
    desk.lot.falls = 0.0
    seen = given(desk)
    done(ask(desk, f"/{case.number}/release", "bob", seen["version"]))
    desk.lot.falls = 0.99
    assert done(ask(desk, "/next", "bob"))["number"] == other.number
    done(ask(desk, f"/{other.number}/release", "bob", 2))
    desk.lot.falls = 0.0
    assert given(desk)["version"] == seen["version"] + 2
    assert len(records.looks.of(case.number)) == 2


def test_nobody_is_given_gold_where_there_is_nothing_else(desk: Desk, records: Records) -> None:
    case = there(records)
    decided(desk, case, **BENIGN)
    gold(desk, case.number, **TRUTH)
    desk.lot.falls = 0.0
    assert refusal(ask(desk, "/next", "bob")) == (404, "no_case")


def test_gold_is_made_and_undone_by_those_who_lead_and_noted(desk: Desk, records: Records) -> None:
    case = there(records)
    assert refusal(gold(desk, case.number, **TRUTH)) == (409, "not_decided")
    assert refusal(gold(desk, 77, **TRUTH)) == (404, "not_found")
    decided(desk, case, **BENIGN)
    assert refusal(gold(desk, case.number, "ann", **TRUTH)) == (403, "scope_missing")
    for wrong in ({**TRUTH, "truth": "unknown"}, {**TRUTH, "why": " "}, {**TRUTH, "more": 1}, {"truth": "bad"}):
        assert refusal(gold(desk, case.number, **wrong)) == (422, "malformed")
    made = gold(desk, case.number, **TRUTH).json()
    assert gold(desk, case.number, **TRUTH).json() == made
    assert refusal(gold(desk, case.number, **{**TRUTH, "truth": "bad"})) == (409, "gold")
    assert read(desk, case.number, "lea")["gold"] == made
    assert "gold" not in happened(desk, case.number)  # else everybody could see which it is
    assert read(desk, case.number, "shop")["gold"] is None
    undone = gold(desk, case.number, path="gold/undo", why="it was not so")
    assert undone.json() == {"case": case.number, "undone": True}
    assert gold(desk, case.number, path="gold/undo", why="it was not so").json()["undone"] is False
    rows = [each.doing for each in records.audit.rows(0, 9)]
    assert [(each.what, each.by, each.why, each.about) for each in rows] == [
        (Audited.GOLD, "lea", "they came by", Subject("case", str(case.number))),
        (Audited.NO_GOLD, "lea", "it was not so", Subject("case", str(case.number))),
    ]


def test_how_long_it_took_counts_from_the_claim(desk: Desk, records: Records) -> None:
    case = there(records)
    seen = mine(desk, case)
    at(desk, NOW + 4 * MINUTE)
    done(ask(desk, f"/{case.number}/decision", seen=seen, **BAN))
    given(desk)
    at(desk, NOW + 6 * MINUTE)
    done(say(desk, given(desk), **BAN))
    assert [(each.ended - each.began) // MINUTE for each in records.looks.of(case.number)] == [4, 2]
