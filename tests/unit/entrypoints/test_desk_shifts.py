"""Who reviews when, plans and the backlog at the desk: who may change what, and what a plan does to who gets what."""

import asyncio
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from fairgate.domain.action import Action
from fairgate.domain.appeal import Appeal
from fairgate.domain.audit import Kind
from fairgate.domain.case import Case, CaseState, Facts, Happening, Outcome, Verdict
from fairgate.domain.ledger import Subject
from fairgate.domain.look import Kind as LookKind
from fairgate.domain.look import OneLook
from fairgate.domain.windows import DAY, HOUR, MINUTE
from fairgate.domain.worth import Stake
from fairgate.wiring import Records, open_records
from tests.support import NOW, PACK, body, open_pipeline
from tests.unit.entrypoints.test_desk_app import Desk, refusal
from tests.unit.entrypoints.test_desk_cases import at
from tests.unit.entrypoints.test_desk_people import Browser, ids, logged_in, made
from tests.unit.entrypoints.test_desk_records import fits
from tests.unit.pipeline.live import answers

CASES = '\n[cases]\nfrom = "hold"\nskills = { burst = "payments" }\n'
STAKE = Stake(0.5, 10.0, 24.0, 0.0, 100.0, Action.ALLOW, 5.0, NOW)
CASE = Case(-1, ("a",), Facts(STAKE), NOW, "ann", "look")
ALL_WEEK = [
    {"day": day, "from": "00:00", "to": "24:00"}
    for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
]
#: Tasks that run or wait when no more are taken: then plans are made greedily, in the desk.
BUSY = 10


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_pipeline(tmp_path, PACK + CASES) as pipeline:
        answers(pipeline, body({"account": "a"}, id="s"))
    with ExitStack() as stack:
        desk = made(tmp_path, stack)
        desk.workers.taken = BUSY
        yield desk


@pytest.fixture
def records(desk: Desk) -> Iterator[Records]:
    with open_records(desk.office.settings.data) as opened:
        yield opened


def there(records: Records, account: str, burn: float, *reasons: str, **changes: object) -> Case:
    facts = Facts(replace(STAKE, burn=burn), reasons=reasons)
    return records.cases.open(Case(-1, (account,), facts, NOW, **changes)).case  # type: ignore[arg-type]


def put(desk: Desk, who: str = "reviewer", by: str = "lead", **changes: object) -> httpx.Response:
    asked = {"zone": "UTC", "hours": ALL_WEEK, **changes}
    return logged_in(desk, by).ask("PUT", f"/v1/reviewers/{ids(desk)[who]}", json=asked)


def told(desk: Desk, path: str, by: str = "lead") -> Any:  # noqa: ANN401 - JSON
    answer = logged_in(desk, by).ask("GET", path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    document = desk.application.openapi()
    schema = document["paths"][path.partition("?")[0]]["get"]["responses"]["200"]["content"]["application/json"][
        "schema"
    ]
    fits(document, schema, answer.json())
    return answer.json()


def given(browser: Browser) -> int:
    answer = browser.ask("POST", "/v1/cases/next")
    assert answer.status_code == 200, answer.text
    number: int = answer.json()["number"]
    return number


# ----------------------------------------------------------------------------------------------------- hours and skills


def test_what_a_lead_writes_down_is_there_and_in_the_audit_log(desk: Desk, records: Records) -> None:
    hours = [{"day": "sunday", "from": "09:00", "to": "24:00"}, {"day": "monday", "from": "00:00", "to": "06:30"}]
    answer = put(
        desk, zone="europe/paris", hours=hours, skills=["payments", "keys"], days_off=["2026-12-24"], apart=["acct_1"]
    )
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert shown == {
        "id": ids(desk)["reviewer"],
        "name": "reviewer",
        "leads": False,
        "zone": "Europe/Paris",
        "hours": [
            {"day": "monday", "begins": "00:00", "ends": "06:30"},
            {"day": "sunday", "begins": "09:00", "ends": "24:00"},
        ],
        "skills": ["keys", "payments"],
        "days_off": ["2026-12-24"],
        "apart": 1,
        "accounts_apart": ["acct_1"],
    }
    everybody = told(desk, "/v1/reviewers")["reviewers"]
    assert [each["name"] for each in everybody] == ["admin", "investigator", "lead", "reviewer"]
    assert everybody[3] == shown
    assert everybody[0]["zone"] is None
    seen = told(desk, "/v1/reviewers", by="reader")["reviewers"][3]
    assert (seen["apart"], seen["accounts_apart"]) == (1, [])  # whom they know is for those who lead
    [row] = [each.doing for each in records.audit.rows(0, 99) if each.doing.what == Kind.ROSTERED]
    assert (row.by, row.about) == ("lead", Subject("person", ids(desk)["reviewer"]))
    assert "acct_1" not in row.more
    assert '"hours":"0:0-390 6:540-1440"' in row.more


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"zone": "../../etc/passwd"}, "zone"),
        ({"hours": [{"day": "monday", "from": "09:00", "to": "09:00"}]}, "hours.0"),
        ({"hours": [{"day": "monday", "from": "22:00", "to": "06:00"}]}, "hours.0"),
        ({"hours": [{"day": "monday", "from": "24:00", "to": "24:30"}]}, "hours.0.to"),
        ({"hours": [{"day": "monday", "from": "9:00", "to": "10:00"}]}, "hours.0.from"),
        ({"hours": [*ALL_WEEK, {"day": "monday", "from": "09:00", "to": "10:00"}]}, ""),
        ({"hours": ALL_WEEK[:1] * 51}, "hours"),
        ({"skills": ["(lead)"]}, "skills.0"),
        ({"skills": ["a", "a"]}, "skills"),
        ({"days_off": ["2026-02-30"]}, "days_off.0"),
        ({"days_off": ["2026-02-01"] * 401}, "days_off"),
        ({"apart": ["a\nb"]}, "apart.0"),
        ({"apart": [f"{each}" for each in range(501)]}, "apart"),
        ({"more": 1}, "more"),
    ],
)
def test_what_can_not_be_is_refused(desk: Desk, records: Records, changes: Mapping[str, Any], field: str) -> None:
    answer = put(desk, **changes)
    assert refusal(answer) == (422, "malformed")
    assert answer.json()["error"].get("field", "") == field
    assert records.rota.all() == []


def test_only_those_who_review_have_hours(desk: Desk, records: Records) -> None:
    assert refusal(put(desk, "engineer")) == (409, "no_reviewer")
    nobody = logged_in(desk, "lead").ask("PUT", "/v1/reviewers/nobody", json={"zone": "UTC", "hours": []})
    assert refusal(nobody) == (404, "not_found")
    assert refusal(put(desk, by="reviewer")) == (403, "scope_missing")
    assert records.rota.all() == []


# ----------------------------------------------------------------------------------------------- who may be given what


def test_who_lacks_the_skill_is_given_the_next_and_may_still_claim_it(desk: Desk, records: Records) -> None:
    dear, cheap = there(records, "a", 20.0, "burst"), there(records, "b", 1.0)
    put(desk)
    reviewer = logged_in(desk, "reviewer")
    assert given(reviewer) == cheap.number
    assert given(logged_in(desk, "investigator")) == dear.number  # nothing is written down of them
    free = there(records, "c", 1.0, "burst")
    claimed = reviewer.ask("POST", f"/v1/cases/{free.number}/claim", headers={"if-match": '"1"'})
    assert claimed.status_code == 200


def test_where_nobody_knows_what_a_case_needs_only_those_get_one_who_may_get_all(desk: Desk, records: Records) -> None:
    case = there(records, "a", 20.0)
    put(desk)
    shutil.rmtree(desk.office.settings.data / "log")
    assert refusal(logged_in(desk, "reviewer").ask("POST", "/v1/cases/next")) == (503, "unavailable")
    assert refusal(logged_in(desk, "lead").ask("GET", "/v1/plan")) == (503, "unavailable")
    assert given(logged_in(desk, "investigator")) == case.number


def test_who_knows_an_account_is_kept_from_it_whatever_they_try(desk: Desk, records: Records) -> None:
    known, other = there(records, "a", 20.0), there(records, "b", 1.0)
    appeal = records.appeals.file(
        Appeal(-1, 1, Subject("account", "a"), "admin", NOW, "help desk", NOW + DAY, "why?", "1")
    ).appeal
    put(desk, apart=["a"])
    reviewer = logged_in(desk, "reviewer")
    assert refusal(reviewer.ask("POST", f"/v1/cases/{known.number}/claim", headers={"if-match": '"1"'})) == (
        403,
        "apart",
    )
    assert given(reviewer) == other.number
    asked = {"other": known.number, "other_version": 1, "why": "one actor"}
    merged = reviewer.ask("POST", f"/v1/cases/{other.number}/merge", headers={"if-match": '"2"'}, json=asked)
    assert refusal(merged) == (403, "apart")
    ruled = reviewer.ask("POST", f"/v1/appeals/{appeal.number}/decision", json={"granted": False, "why": "no"})
    assert refusal(ruled) == (403, "apart")
    tried = [each.doing.more for each in records.audit.rows(0, 99) if each.doing.what == Kind.REFUSED]
    assert tried == ['{"code":"apart"}'] * 3
    assert given(logged_in(desk, "lead")) == known.number


def test_a_second_look_goes_to_nobody_who_knows_an_account_or_lacks_the_skill(desk: Desk, records: Records) -> None:
    for account, reason in (("a", "farm"), ("b", "burst")):
        case = there(records, account, 20.0, reason)
        verdict = Verdict(Outcome.BAD, Action.BAN, (), 0.9, NOW, "lead", "so")
        records.cases.store(replace(case, version=2, state=CaseState.DECIDED, verdict=verdict), [])
        records.looks.keep([OneLook(-1, case.number, 0, LookKind.DOUBLE, 1.0, NOW)])
    put(desk, apart=["a"])
    assert refusal(logged_in(desk, "reviewer").ask("POST", "/v1/cases/next")) == (404, "no_case")
    put(desk, apart=["a"], skills=["payments"])
    assert given(logged_in(desk, "reviewer")) == case.number
    assert given(logged_in(desk, "investigator")) == case.number - 1


# ----------------------------------------------------------------------------------------------------------------- plan


def test_a_plan_gives_each_what_they_can_do_and_counts_for_who_asks(desk: Desk, records: Records) -> None:
    shared = there(records, "a", 20.0)
    special = there(records, "b", 10.0, "burst")
    drawn = there(records, "c", 0.0, propensity=0.1)
    urgent = records.appeals.file(
        Appeal(-1, 1, Subject("account", "x"), "reviewer", NOW, "help desk", NOW + HOUR, "why?", "1")
    ).appeal
    put(desk)
    put(desk, "investigator", skills=["payments"])
    plan = told(desk, "/v1/plan")
    lists = {each["name"]: [(item["kind"], item["number"]) for item in each["planned"]] for each in plan["reviewers"]}
    assert lists == {
        "reviewer": [("case", drawn.number), ("case", shared.number)],  # they took the action that the appeal is about
        "investigator": [("appeal", urgent.number), ("case", special.number)],
    }
    assert (plan["planner"], plan["left"], plan["late"]) == ("greedy", 0, [])
    assert "too many" in plan["why"]
    assert [each["name"] for each in plan["reviewers"]] == ["investigator", "reviewer"]
    [_, last] = plan["reviewers"][0]["planned"]
    assert (last["skill"], last["drawn"], last["minutes"], last["due"]) == ("payments", False, 5.0, None)
    assert plan["reviewers"][0]["planned_minutes"] == 15.0
    reviewer = logged_in(desk, "reviewer")
    assert given(reviewer) == drawn.number  # the best would be another
    assert given(logged_in(desk, "investigator")) == special.number


def test_a_plan_that_is_old_or_whose_hours_were_changed_counts_no_more(desk: Desk, records: Records) -> None:
    best, drawn = there(records, "a", 20.0), there(records, "c", 0.0, propensity=0.1)
    put(desk)
    planning, clock = desk.office.planning, desk.clock
    made = told(desk, "/v1/plan")["made"]
    assert planning.planned_for("reviewer", NOW) == (drawn.number, best.number)
    at(desk, NOW + MINUTE - 1)
    assert told(desk, "/v1/plan")["made"] == made
    assert planning.planned_for("reviewer", NOW + 10 * MINUTE - 1) == (drawn.number, best.number)
    assert planning.planned_for("reviewer", NOW + 10 * MINUTE) == ()
    assert planning.planned_for("reviewer", NOW - 1) == ()  # clocks go back
    at(desk, NOW + MINUTE)
    assert told(desk, "/v1/plan")["made"] > made
    assert planning.planned_for("reviewer", clock.now()) == (drawn.number, best.number)
    put(desk, skills=["payments"])
    assert planning.planned_for("reviewer", clock.now()) == ()
    assert given(logged_in(desk, "reviewer")) == best.number


def test_the_next_shift_is_planned_before_it_begins_and_counts_from_then_on(desk: Desk, records: Records) -> None:
    case = there(records, "a", 20.0)
    soon = NOW - NOW % DAY + DAY  # midnight
    at(desk, soon - 2 * MINUTE)
    day = ("thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday")[soon // DAY % 7]
    put(desk, hours=[{"day": day, "from": "00:00", "to": "00:30"}])
    plan = told(desk, "/v1/plan")
    assert [len(each["planned"]) for each in plan["reviewers"]] == [1]
    planning = desk.office.planning
    assert planning.planned_for("reviewer", soon - 1) == ()
    assert planning.planned_for("reviewer", soon) == (case.number,)
    put(desk, hours=[])
    plan = told(desk, "/v1/plan")
    assert (plan["begins"], plan["reviewers"], plan["left"]) == (None, [], 0)


def test_plans_are_made_while_somebody_works_and_anew_where_hours_change(desk: Desk, records: Records) -> None:
    case = there(records, "a", 20.0)
    planning = desk.office.planning
    put(desk)

    async def until_planned() -> None:
        for _ in range(500):
            if planning.planned_for("reviewer", NOW):
                return
            await asyncio.sleep(0.01)

    async def twice() -> None:
        going = asyncio.create_task(planning.run())
        await until_planned()
        assert planning.planned_for("reviewer", NOW) == (case.number,)
        planning.forget()
        assert planning.planned_for("reviewer", NOW) == ()
        await until_planned()
        assert planning.planned_for("reviewer", NOW) == (case.number,)
        going.cancel()
        await asyncio.wait([going])

    asyncio.run(twice())


def test_what_can_not_be_done_in_time_is_told(desk: Desk, records: Records) -> None:
    for number in range(3):
        appeal = Appeal(
            -1, number, Subject("account", f"x{number}"), "", NOW, "help desk", NOW + DAY, "why?", f"{number}"
        )
        records.appeals.file(replace(appeal, due=NOW + 5 * MINUTE))
    there(records, "a", 20.0)
    put(desk)
    plan = told(desk, "/v1/plan")
    assert [each["kind"] for each in plan["late"]] == ["appeal"] * 3
    assert plan["late"][0]["late"]


# -------------------------------------------------------------------------------------------------------------- backlog


def test_the_backlog_is_told_in_words_and_by_the_hour(desk: Desk, records: Records) -> None:
    for number in range(30):
        there(records, f"a{number}", 1.0)
    empty = told(desk, "/v1/backlog?days=1", by="reader")
    assert empty["hours_behind"] is None
    assert "Nobody is staffed" in empty["words"]
    assert "fairgate_backlog_hours" not in desk.ask("GET", "/metrics").text  # nobody's hours are known
    put(desk)
    found = told(desk, "/v1/backlog?days=1")
    assert (found["waiting"], found["hours_behind"], len(found["hours"])) == (150.0, 0.0, 24)
    assert [each["waiting"] for each in found["hours"][:4]] == [
        pytest.approx(121.2),
        pytest.approx(61.2),
        pytest.approx(1.2),
        0.0,
    ]
    assert not found["known"]
    assert "less than a day of history" in found["expected"]
    assert "worked off by" in found["words"]


def test_the_gauge_tells_how_far_behind_it_is_in_a_week(desk: Desk, records: Records) -> None:
    for number in range(30):
        there(records, f"a{number}", 1.0)
    put(desk, hours=[{"day": "monday", "from": "09:00", "to": "10:00"}])
    lines = desk.ask("GET", "/metrics").text.splitlines()
    assert "fairgate_backlog_hours 1.5" in lines  # 90 minutes are left of 150


def test_what_came_in_past_weeks_is_expected(desk: Desk, records: Records) -> None:
    for number, week in enumerate((1, 1, 2, 3)):
        case = records.cases.open(replace(CASE, accounts=(f"a{number}",), opened=NOW - week * 7 * DAY)).case
        decided = replace(case, version=2, state=CaseState.DECIDED)
        assert records.cases.store(decided, [Happening(NOW, "ann", "decided", "")])
    found = told(desk, "/v1/backlog")
    assert found["known"]
    assert found["expected"] == "from each hour of the week in the last 2 weeks"
    assert found["hours"][0]["cases"] == pytest.approx(1.5 * 28.8 / 60)  # what is left of the hour
    assert sum(each["cases"] for each in found["hours"][1:]) == 0
