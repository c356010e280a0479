"""Review under capacity with a real desk: hours, skills, a plan by OR-Tools, and what it changes for who asks next."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.backends.embedded.clock import SystemClock
from fairgate.domain.access import Role
from fairgate.domain.action import Action
from fairgate.domain.audit import Doer, Kind
from fairgate.domain.case import Case, Facts
from fairgate.domain.worth import Stake
from fairgate.entrypoints import passwords, staff
from fairgate.settings import PeopleSettings, Settings
from fairgate.wiring import open_records
from tests.e2e.desks import audited, desk_over, fill, settings_in
from tests.support import PACK

CASES = '\n[cases]\nfrom = "hold"\nskills = { burst = "payments" }\n'
PASSWORD = "seven grey herons"
NOW = SystemClock().now()
STAKE = Stake(0.5, 1.0, 24.0, 0.0, 100.0, Action.ALLOW, 5.0, NOW)
#: Of ten cases one is drawn by lot, whatever is planned.
ROUNDS = 15
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data folder with a log, and a lead and two who review."""
    made = settings_in(tmp_path)
    (Path(made.pack) / "pack.toml").write_text(PACK + CASES)
    fill(made, 10)
    kept = passwords.hashed(PASSWORD)
    people = (("lea", Role.LEAD), ("ann", Role.REVIEWER), ("bob", Role.REVIEWER))
    with open_records(made.data) as records, open_api_keys(made.data / "keys.db") as keys:
        for name, role in people:
            staff.add(records.people, keys, staff.new_person(name, role, NOW, "test", kept), Doer(NOW, "test"))
    return Settings(pack=made.pack, data=made.data, desk=made.desk, people=PeopleSettings(without_totp=list(Role)))


@contextmanager
def as_(settings: Settings, name: str) -> Iterator[httpx.Client]:
    """Somebody's browser."""
    address = f"http://127.0.0.1:{settings.desk.port}"
    with httpx.Client(base_url=address, timeout=60) as client:
        session = told(client.post("/v1/session", json={"name": name, "password": PASSWORD}), 201)
        client.headers["fairgate-csrf"] = session["csrf"]
        yield client


def told(answer: httpx.Response, status: int = 200) -> Any:  # noqa: ANN401 - JSON
    assert answer.status_code == status, answer.text
    return answer.json()


def opened(settings: Settings, account: str, *reasons: str, **stake: float) -> int:
    stakes = Stake(**{name: stake.get(name, getattr(STAKE, name)) for name in STAKE.__struct_fields__})
    with open_records(settings.data) as records:
        return records.cases.open(Case(-1, (account,), Facts(stakes, reasons=reasons), NOW, "desk", "look")).case.number


def mostly_given(client: httpx.Client) -> int:
    """The case that somebody is given most often, when they give each back."""
    counted: Counter[int] = Counter()
    for _ in range(ROUNDS):
        case = told(client.post("/v1/cases/next"))
        counted[case["number"]] += 1
        seen = {"if-match": f'"{case["version"]}"'}
        told(client.post(f"/v1/cases/{case['number']}/release", headers=seen))
    [(number, _)] = counted.most_common(1)
    return number


def today_and_tomorrow() -> list[dict[str, str]]:
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=NOW)
    days = (DAYS[(now + timedelta(days=each)).weekday()] for each in (0, 1))
    return [{"day": day, "from": "00:00", "to": "24:00"} for day in days]


def test_a_plan_changes_what_a_reviewer_is_given(settings: Settings) -> None:
    dear = opened(settings, "a", burn=1e6, minutes=9_000.0)  # worth the most a minute, and more than two days' work
    short = opened(settings, "b", burn=10.0)
    special = opened(settings, "c", "burst", burn=5.0)
    with desk_over(settings) as desk, desk.client(), as_(settings, "lea") as lead, as_(settings, "ann") as ann:
        assert mostly_given(ann) == dear
        people = {each["name"]: each["id"] for each in told(lead.get("/v1/reviewers"))["reviewers"]}
        hours = {"zone": "UTC", "hours": today_and_tomorrow()}
        told(lead.put(f"/v1/reviewers/{people['ann']}", json=hours))
        told(lead.put(f"/v1/reviewers/{people['bob']}", json={**hours, "skills": ["payments"]}))
        plan = told(ann.get("/v1/plan"))
        assert (plan["planner"], plan["why"]) == ("cp-sat", "")
        lists = {each["name"]: [item["number"] for item in each["planned"]] for each in plan["reviewers"]}
        assert special in lists["bob"]
        assert sorted(lists["ann"] + lists["bob"]) == [short, special]
        assert [each["number"] for each in plan["first_left"]] == [dear]
        planned = {name: numbers[0] for name, numbers in lists.items() if numbers}
        for name, first in planned.items():
            with as_(settings, name) as reviewer:
                assert mostly_given(reviewer) == first
        behind = told(ann.get("/v1/backlog"))
        assert behind["waiting"] == 9_010
        assert len(behind["hours"]) == 168
        assert "behind by" in behind["words"]
        gauge = [line for line in ann.get("/metrics").text.splitlines() if line.startswith("fairgate_backlog_hours ")]
        assert len(gauge) == 1
    assert [each.what for each in audited(settings)].count(Kind.ROSTERED) == 2
