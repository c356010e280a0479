"""Bulk actions from end to end: a real `fairgate serve` with door, desk and clerk, two people, and kills."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.domain.access import Scope
from fairgate.domain.audit import Kind, more_of
from fairgate.domain.ledger import Subject
from fairgate.entrypoints.access import new_key
from fairgate.wiring import open_records
from tests.e2e import test_appeals
from tests.e2e.desks import audited, settings_in, until
from tests.e2e.doors import COMMAND, ENVIRONMENT, ROOT, fairgate, free_port
from tests.e2e.test_appeals import refusal, told
from tests.support import NOW, PACK, body

PERSON = frozenset({Scope.READ, Scope.ENFORCE, Scope.SQL, Scope.INGEST})
KEYS = {
    "ann": PERSON,
    "bob": PERSON,
    "eve": frozenset({Scope.ENFORCE}),
    "junior": frozenset({Scope.READ, Scope.REVIEW}),
}
ALL = "SELECT DISTINCT account FROM decisions"
DRAFT = {"action": "suspend", "reasons": ["burst"], "why": "one ring", "query": ALL, "ref": "ring 1"}
TERMS = """
[bulk]
begins = "account.signup"
paid = "account.signup"
amount = "seats"
paid_if = { plan = "pro" }
"""
MANY = 3_500


class Service(test_appeals.Service):
    """`fairgate serve` with door, desk and clerk, on a pack that says when accounts begin."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.settings = settings_in(folder)
        (Path(self.settings.pack) / "pack.toml").write_text(PACK + TERMS)
        self.door, self.config = free_port(), folder / "fairgate.toml"
        self.config.write_text(
            f"pack = {self.settings.pack!r}\ndata = {str(self.settings.data)!r}\n[door]\nport = {self.door}\n"
            f"[desk]\nport = {self.settings.desk.port}\n[clerk]\nenabled = true\n"
        )
        self.settings.data.mkdir(parents=True, exist_ok=True)
        self.keys: dict[str, str] = {}
        with open_api_keys(self.settings.data / "keys.db") as keys:
            for name, scopes in KEYS.items():
                self.keys[name], stored = new_key(name, scopes, NOW, None)
                keys.add(stored)
        self._output = folder / "output"
        command = [*COMMAND, "serve", "--config", str(self.config)]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=output, stderr=output)
        stack.callback(self._end)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with ExitStack() as stack:
        yield Service(tmp_path, stack)


def signed_up(service: Service, *accounts: str) -> None:
    """Let these accounts be known, and the records be there."""
    with service.as_("ann") as (door, desk):
        for start in range(0, len(accounts), 500):
            some = accounts[start : start + 500]
            events = b"[" + b",".join(body({"account": each}, id=f"s{each}") for each in some) + b"]"
            answer = door.post(
                "/v1/events", content=events, headers={"content-type": "application/cloudevents-batch+json"}
            )
            assert answer.status_code in {200, 202}, answer.text
        until(lambda: desk.get("/v1/bulk").status_code == desk.get("/readyz").status_code == 200)


def drafted(desk: httpx.Client, **changes: object) -> Any:  # noqa: ANN401 - JSON
    return told(desk.post("/v1/bulk", json={each: to for each, to in {**DRAFT, **changes}.items() if to}), 201)


def shown(service: Service, number: int, by: str = "ann") -> Any:  # noqa: ANN401 - JSON
    """One, whatever is just being started again."""
    found: list[Any] = []

    def answers() -> bool:
        with service.as_(by) as (_, desk):
            try:
                answer = desk.get(f"/v1/bulk/{number}")
            except httpx.TransportError:
                return False
        if answer.status_code == 200:
            found.append(answer.json())
        return answer.status_code == 200

    until(answers)
    return found[-1]


def came_to(service: Service, number: int, state: str) -> Any:  # noqa: ANN401 - JSON
    until(lambda: shown(service, number)["state"] == state)
    return shown(service, number)


def killed(service: Service) -> None:
    """Kill the desk as it is at work; the door starts another."""
    os.kill(service.desk_pid(), signal.SIGKILL)


def standing_of(service: Service) -> list[tuple[str, str]]:
    """Account and ref of every action by a person that stands, as the records have it."""
    with open_records(service.settings.data) as records:
        held = records.ledger.held(0, -1, 1_000_000)
    return sorted((each.subject.value, each.ref) for each in held if each.by_person and each.undone is None)


def test_two_people_suspend_thousands_through_kills_and_one_undoes_them(service: Service) -> None:
    accounts = [f"acc_{number:05}" for number in range(MANY)]
    signed_up(service, *accounts)
    with service.as_("ann") as (door, desk):
        before = told(
            door.post("/v1/actions", json={"kind": "account", "value": accounts[0], **_by_hand("watch")}), 201
        )["number"]
        told(door.post("/v1/actions", json={"kind": "account", "value": accounts[1], **_by_hand("ban")}), 201)
        door.put(f"/v1/lists/friends/{accounts[2]}", json={"for": "7d", "why": "a friend"}).raise_for_status()
        until(lambda: len(standing_of(service)) == 2)
        draft = drafted(desk)
        preview = draft["preview"]
        assert preview["skipped"] == {"allow_list": 1, "graver": 1}
        assert (preview["accounts"], draft["phrase"]) == (MANY - 2, f"suspend {MANY - 2:,} accounts")
        assert (preview["money"]["paying"], len(preview["sample"]), draft["second"]) == (0, 10, True)
        assert preview["ages"]["newest"] >= 0
        number = draft["number"]
        assert told(desk.post("/v1/bulk", json=DRAFT))["number"] == number
        assert refusal(desk.post("/v1/bulk", json={**DRAFT, "why": "other"})) == (409, "ref_taken")
        assert refusal(desk.post(f"/v1/bulk/{number}/confirm", json={"typed": "suspend"})) == (422, "not_as_said")
        assert refusal(desk.post(f"/v1/bulk/{number}/approve")) == (409, "not_now")
        confirmed = told(desk.post(f"/v1/bulk/{number}/confirm", json={"typed": draft["phrase"]}))
        assert confirmed["state"] == "waiting"
        assert refusal(desk.post(f"/v1/bulk/{number}/confirm", json={"typed": draft["phrase"]})) == (409, "not_now")
        assert refusal(desk.post(f"/v1/bulk/{number}/approve")) == (403, "drafted_it")
    barred = [each for each in audited(service.settings) if each.what == Kind.REFUSED]
    assert [(each.about, each.more) for each in barred] == [(Subject("bulk", str(number)), more_of(code="drafted_it"))]
    signed_up(service, "came_later")  # whoever the query would give now is not meant
    with service.as_("bob") as (_, desk):
        assert told(desk.post(f"/v1/bulk/{number}/approve"))["state"] == "running"
        until(lambda: told(desk.get(f"/v1/bulk/{number}"))["progress"]["taken"] > 0)
    killed(service)
    done = came_to(service, number, "done")
    meant = [each for each in accounts if each not in accounts[1:3]]
    assert done["progress"] == {"left": 0, "taken": len(meant), "refused": {}, "met": {}}
    until(lambda: len(standing_of(service)) == len(meant) + 2)
    assert [ref for _, ref in standing_of(service) if ref] == [f"bulk-{number}/{each}" for each in meant]
    assert [(each["state"], each["by"]) for each in done["history"]] == [
        ("draft", "ann"),
        ("waiting", "ann"),
        ("running", "bob"),
        ("done", "bob"),
    ]
    with service.as_("ann") as (door, desk):
        [one] = [each["number"] for each in told(door.get(f"/v1/actions?value={meant[5]}"))["actions"] if "ref" in each]
        told(door.post(f"/v1/actions/{one}/undo", json={"why": "sorry"}))
        until(lambda: len(standing_of(service)) == len(meant) + 1)
        assert told(desk.post(f"/v1/bulk/{number}/undo", json={"why": "all wrong"}))["state"] == "undoing"
        until(lambda: told(desk.get(f"/v1/bulk/{number}"))["progress"]["met"] != {})
    killed(service)
    undone = came_to(service, number, "undone")
    assert undone["progress"]["met"] == {"undone": len(meant) - 1, "undone_before": 1}
    until(lambda: len(standing_of(service)) == 2)
    with service.as_("ann") as (door, _):
        assert told(door.get(f"/v1/actions/{before}"))["stands"] is True


def test_a_whole_service_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    accounts = [f"acc_{number:05}" for number in range(MANY)]
    with ExitStack() as stack:
        service = Service(tmp_path, stack)
        signed_up(service, *accounts)
        with service.as_("ann") as (_, desk):
            draft = drafted(desk)
            told(desk.post(f"/v1/bulk/{draft['number']}/confirm", json={"typed": draft["phrase"]}))
        with service.as_("bob") as (_, desk):
            told(desk.post(f"/v1/bulk/{draft['number']}/approve"))
            until(lambda: told(desk.get(f"/v1/bulk/{draft['number']}"))["progress"]["taken"] > 0)
        os.kill(service.process.pid, signal.SIGKILL)
        service.process.wait()
        command = [*COMMAND, "serve", "--config", str(service.config)]
        with service._output.open("ab") as output:
            service.process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=output, stderr=output)
        done = came_to(service, draft["number"], "done")
        assert done["progress"]["taken"] == MANY
        until(lambda: len(standing_of(service)) == MANY)  # nothing twice


def _by_hand(action: str) -> dict[str, object]:
    return {"action": action, "reasons": ["burst"], "why": "seen before"}


def test_a_few_are_done_at_once_from_the_command_line(service: Service) -> None:
    signed_up(service, "anna", "bert")
    at = ("--config", service.config)
    asked = ("--account", "anna", "--account", "nobody", "--reason", "burst", "--ref", "1", "--why", "seen")
    made = fairgate("bulk", "draft", "suspend", *asked, *at, key=service.keys["eve"])
    assert made.returncode == 0, made.stderr
    assert 'type "suspend 1 account"' in made.stdout
    assert "1 unknown" in made.stdout
    number = made.stdout.split()[2]
    wrong = fairgate("bulk", "confirm", number, "suspend 2 accounts", *at, key=service.keys["eve"])
    assert (wrong.returncode != 0, "The desk does not do that." in wrong.stderr) == (True, True)
    done = fairgate("bulk", "confirm", number, "suspend 1 account", *at, key=service.keys["eve"])
    assert done.returncode == 0, done.stderr
    came_to(service, int(number), "done")
    undone = fairgate("bulk", "undo", number, "--why", "wrong", *at, key=service.keys["eve"])
    assert undone.returncode == 0, undone.stderr
    assert came_to(service, int(number), "undone")["progress"]["met"] == {"undone": 1}
    shown_there = fairgate("bulk", "show", number, *at, key=service.keys["eve"])
    assert "1 undone" in shown_there.stdout


def test_bad_drafts_are_refused(service: Service) -> None:
    signed_up(service, "anna", "bert")
    with service.as_("ann") as (_, desk):

        def tried(**changes: object) -> tuple[int, str]:
            given = {each: to for each, to in {**DRAFT, **changes}.items() if to is not None}
            return refusal(desk.post("/v1/bulk", json=given))

        assert tried(query="SELECT 5 AS account") == (422, "bad_query")
        assert tried(query="SELECT account, type FROM decisions") == (422, "bad_query")
        assert tried(query="COPY decisions TO '/tmp/x'") == (422, "bad_query")
        assert tried(query="SELECT 'x' || range AS account FROM range(5000000)") == (422, "too_many")
        assert tried(query="SELECT NULL::VARCHAR AS account") == (422, "no_accounts")
        assert tried(query="SELECT email AS account FROM account_signup") == (422, "no_accounts")  # tokens alone
        assert tried(query=None, accounts=[5]) == (422, "malformed")
        assert tried(query=None, accounts=["a\nb", "\0", "'; DROP TABLE x; --"]) == (422, "no_accounts")
        assert tried(accounts=["anna"]) == (422, "malformed")
        assert tried(query=None) == (422, "malformed")
        assert tried(action="allow") == (422, "unknown_action")
        assert tried(reasons=[]) == (422, "unknown_reason")
        assert tried(reasons=["nothing"]) == (422, "unknown_reason")
        assert tried(**{"for": "9 moons"}) == (422, "bad_length")
        few = drafted(desk, query=None, accounts=["anna", "anna", "a\nb", "nobody"], action="ban", ref="2")
        assert few["preview"]["skipped"] == {"duplicate": 1, "unfit": 1, "unknown": 1}
        assert (few["second"], few["phrase"]) == (True, "ban 1 account")
        assert told(desk.post(f"/v1/bulk/{few['number']}/cancel", json={"why": "no"}))["state"] == "cancelled"
    with service.as_("ann") as (door, desk):
        for number, data in enumerate(({"seats": 7, "plan": "pro"}, {"seats": 9, "plan": "declined"})):
            event = body({"account": "payer", **data}, id=f"p{number}")
            sent = door.post("/v1/events", content=event, headers={"content-type": "application/cloudevents+json"})
            assert sent.is_success, sent.text
        rich = drafted(desk, query=None, accounts=["payer", "anna"], ref="3")["preview"]
        assert rich["money"] == {"paying": 1, "days_30": 7.0, "days_90": 7.0, "largest": 7.0}
        assert (rich["ages_unknown"], rich["unknown"]) == (0, [])
    with service.as_("eve") as (_, desk):
        assert refusal(desk.post("/v1/bulk", json=DRAFT)) == (403, "scope_missing")  # no sql
    with service.as_("junior") as (_, desk):
        assert refusal(desk.post("/v1/bulk", json=DRAFT)) == (403, "scope_missing")
        assert refusal(desk.get("/v1/bulk/1")) == (403, "scope_missing")
