"""Challenges from end to end: a real door, desk and clerk with the pack that ships, and a vendor that misbehaves."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.backends.embedded.clock import SystemClock
from fairgate.backends.embedded.segments import open_log
from fairgate.domain.access import Scope
from fairgate.domain.challenge import Challenge
from fairgate.domain.event import moment
from fairgate.entrypoints.access import new_key
from fairgate.settings import ChallengeSettings, DeskSettings, DoorSettings, Settings, read_settings
from fairgate.wiring import open_challengers, open_records
from tests.e2e.desks import desk_over, lag, rows, until
from tests.e2e.doors import COMMAND, ENVIRONMENT, ROOT, client_of, free_port
from tests.e2e.test_appeals import refusal, told
from tests.e2e.test_desk import report_of
from tests.e2e.test_how_to import block
from tests.support import NOW
from tests.unit.vendors.test_challengers import FakeVendor, solved

PERSON = frozenset({Scope.READ, Scope.REVIEW, Scope.ENFORCE, Scope.INGEST, Scope.SQL, Scope.PERSONAL})
KEYS = {"shop": frozenset({Scope.DECIDE}), "ann": PERSON}
CHALLENGE = {"kind": "account", "value": "anna", "action": "challenge", "reasons": ["signup_pattern"], "why": "odd"}
EASY = '[challenge.captcha]\ndifficulty = 10\nattempts = 2\n[challenge.phone]\nby = "code"\nlifetime_seconds = 10\n'
LABELS = "select type, source, of, bad, latest from labels order by sequence"
OUTCOMES = "select type, id from decisions where type like 'challenge.%' order by sequence"


class Service:
    """`fairgate serve` with the pack that ships, keys for a service and a person, and tables of settings."""

    def __init__(
        self, folder: Path, stack: ExitStack, tables: str = EASY, environment: Mapping[str, str] | None = None
    ) -> None:
        self.data, self.door, self.desk = folder / "data", free_port(), free_port()
        self.config = folder / "fairgate.toml"
        self.config.write_text(
            f"data = {str(self.data)!r}\n[door]\nport = {self.door}\n"
            f"[desk]\nport = {self.desk}\ncompact_seconds = 0.2\n{tables}"
        )
        self.data.mkdir()
        self.keys = {}
        with open_api_keys(self.data / "keys.db") as keys:
            for name, scopes in KEYS.items():
                self.keys[name], stored = new_key(name, scopes, NOW, None)
                keys.add(stored)
        self._output = folder / "output"
        self._environment = {**ENVIRONMENT, **(environment or {})}
        self.start()
        stack.callback(self.end)

    def start(self) -> None:
        command = [*COMMAND, "serve", "--config", str(self.config)]
        with self._output.open("ab") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=output, stderr=output)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    @contextmanager
    def as_(self, name: str) -> Iterator[tuple[httpx.Client, httpx.Client]]:
        """Clients of door and desk with somebody's key, once both answer and there are records."""
        with client_of(self.door) as door, client_of(self.desk) as desk:
            for client in (door, desk):
                client.headers["authorization"] = f"Bearer {self.keys[name]}"
                until(lambda client=client: self._answers(client))  # type: ignore[misc]
            until((self.data / "records.db").exists)
            yield door, desk

    def output(self) -> str:
        return self._output.read_text()

    def _answers(self, client: httpx.Client) -> bool:
        assert self.process.poll() is None, self.output()
        try:
            return client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with ExitStack() as stack:
        yield Service(tmp_path, stack)


def event(number: int, type_: str, **data: object) -> dict[str, Any]:
    time = moment(SystemClock().now()) - timedelta(seconds=60 - number)
    return {"specversion": "1.0", "id": f"{type_}-{number}", "source": "tests", "type": type_,
            "time": time.astimezone(UTC).isoformat(), "data": data}  # fmt: skip


def sent(door: httpx.Client, *events: dict[str, Any]) -> None:
    headers = {"content-type": "application/cloudevents-batch+json"}
    answer = told(door.post("/v1/events", content=json.dumps(events), headers=headers))
    assert answer["refused"] == 0, answer


def asked(desk: httpx.Client, **changes: object) -> Any:  # noqa: ANN401 - JSON
    return told(desk.post("/v1/challenges", json={"account": "anna", "ref": "1", **changes}), 201)


def answered(desk: httpx.Client, challenge: Any, **given: object) -> Any:  # noqa: ANN401 - JSON
    account = challenge["account"]
    return told(desk.post(f"/v1/challenges/{challenge['id']}/answer", json={"account": account, **given}))


def solve(challenge: Any) -> str:  # noqa: ANN401 - JSON
    return solved(challenge["show"]["begins"], challenge["show"]["zero_bits"])


def test_a_challenge_from_the_standing_to_the_freed_account(service: Service) -> None:
    with service.as_("ann") as (door, _):
        action = told(door.post("/v1/actions", json=CHALLENGE), 201)["number"]
    with service.as_("shop") as (door, desk):
        assert told(door.get("/v1/accounts/anna/standing"))["challenges"] == ["captcha"]
        until(lambda: desk.post("/v1/challenges", json={"account": "anna", "action": action, "ref": "1"}).is_success)
        challenge = told(desk.post("/v1/challenges", json={"account": "anna", "action": action, "ref": "1"}))
        assert (challenge["kind"], challenge["action"]) == ("captcha", action)
        about = {"ip": "203.0.113.9", "device": "dev_1", "user_agent": "Mozilla/5.0"}
        wrong = answered(desk, challenge, response="no", about=about)
        assert (wrong["state"], wrong["attempts_left"]) == ("open", 1)
        answer = answered(desk, challenge, response=solve(challenge), about=about)
        assert (answer["state"], answer["recorded"]) == ("passed", True)
        assert told(door.get("/v1/accounts/anna/standing"))["challenges"] == []  # before the answer was given
    with service.as_("ann") as (door, desk):
        assert told(door.get(f"/v1/actions/{action}"))["undone"]["why"] == "challenge.passed"
        query = {"query": "select account, challenge, attempts, verified, device from challenge_passed"}
        shown = told(desk.post("/v1/sql", json=query, headers={"fairgate-reason": "to see what is kept"}))
        [[account, kind, attempts, verified, device]] = shown["rows"]
        assert (account, kind, attempts, verified, device) == ("anna", "captcha", 2, True, "dev_1")


def test_what_expires_and_what_fails_is_in_the_log_by_itself(service: Service) -> None:
    with service.as_("shop") as (_, desk):
        code = asked(desk, kind="phone")
        captcha = asked(desk, kind="captcha", ref="2")
        for state in ("open", "failed"):
            assert answered(desk, captcha, response="no")["state"] == state
    with service.as_("ann") as (_, desk):
        both = [["challenge.failed", captcha["id"]], ["challenge.expired", code["id"]]]
        until(lambda: rows(desk, OUTCOMES) == both)
        assert rows(desk, "select challenge, seconds, attempts from challenge_expired") == [["phone", 10.0, 0]]
        assert rows(desk, "select challenge, attempts from challenge_failed") == [["captcha", 2]]
        lines = desk.get("/metrics").text.splitlines()
        assert 'fairgate_challenges_total{kind="phone",outcome="expired"} 1.0' in lines
        assert "fairgate_challenges_untold 0.0" in lines


def test_what_came_of_a_challenge_while_the_door_was_down_reaches_it_once(tmp_path: Path) -> None:
    with ExitStack() as stack:
        service = Service(tmp_path, stack)
        with service.as_("shop") as (_, _):
            pass
        service.end()  # the desk goes with it; another one stays
        settings = Settings(
            data=service.data,
            door=DoorSettings(port=service.door),
            desk=DeskSettings(port=free_port(), compact_seconds=0.2),
            challenge={"captcha": ChallengeSettings(difficulty=10)},
        )
        desk = stack.enter_context(desk_over(settings))
        with desk.client(service.keys["shop"]) as client:
            challenge = asked(client, kind="captcha")
            answer = answered(client, challenge, response=solve(challenge))
            assert (answer["state"], answer["recorded"]) == ("passed", False)
            desk.process.kill()  # what is not told is not lost with the process
            desk.process.wait()
        service.start()
        with service.as_("ann") as (_, client):
            until(lambda: rows(client, OUTCOMES) == [["challenge.passed", challenge["id"]]])
            until(lambda: "fairgate_challenges_untold 0.0" in client.get("/metrics").text.splitlines())
            assert len(rows(client, OUTCOMES)) == 1
    with open_records(service.data) as records:
        assert records.outcomes.waiting() == 0
    with open_log(service.data / "log", read_only=True) as log:
        assert log.end() > 0


def test_a_vendor_that_is_slow_broken_or_anothers_passes_nobody(tmp_path: Path) -> None:
    vendor = FakeVendor()
    with vendor.open(), ExitStack() as stack:
        table = (
            f'[challenge.captcha]\nby = "siteverify"\nurl = "http://127.0.0.1:{vendor.port}/siteverify"\n'
            'site_key = "site"\nhostnames = ["example.com"]\ntimeout_seconds = 2\n'
        )
        service = Service(tmp_path, stack, table, {"FAIRGATE_CHALLENGE_CAPTCHA": "hush-hush"})
        with service.as_("shop") as (_, desk):
            challenge = asked(desk, kind="captcha")
            path, body = f"/v1/challenges/{challenge['id']}/answer", {"account": "anna", "response": "token-4711"}
            vendor.says(success=True, hostname="example.com")
            vendor.pause = 3.0
            assert refusal(desk.post(path, json=body)) == (503, "unavailable")
            vendor.pause, vendor.status = 0.0, 500
            assert refusal(desk.post(path, json=body)) == (503, "unavailable")
            vendor.status, vendor.body = 200, b"<html>"
            assert refusal(desk.post(path, json=body)) == (503, "unavailable")
            vendor.says(success=True, hostname="evil.example.net")
            assert answered(desk, challenge, response="token-4711")["attempts_left"] == 4
            vendor.says(success=False, error_codes=["timeout-or-duplicate"])
            assert answered(desk, challenge, response="token-4711")["attempts_left"] == 3
            vendor.says(success=True, hostname="example.com")
            assert answered(desk, challenge, response="token-4711")["state"] == "passed"
        assert "hush-hush" not in service.output()
        assert "token-4711" not in service.output()
    assert {each["secret"] for each in vendor.asked} == {"hush-hush"}


def test_a_service_without_its_vendors_secret_does_not_start(tmp_path: Path) -> None:
    table = '[challenge.captcha]\nby = "siteverify"\nurl = "https://example.com/"\nsite_key = "s"\nhostnames = ["h"]\n'
    with ExitStack() as stack:
        service = Service(tmp_path, stack, table)
        assert service.process.wait(60) != 0
        assert "FAIRGATE_CHALLENGE_CAPTCHA" in service.output()


def test_a_passed_challenge_is_no_label_and_changes_no_rules_precision(service: Service) -> None:
    signups = [
        event(number, "account.signup", account=f"acct_{number}", email=f"a{number}@mailinator.com", ip="198.51.100.7")
        for number in range(8)
    ]
    with service.as_("ann") as (door, desk):
        sent(door, *signups)
        labelled = [(4, True), (5, True), (6, False)]
        sent(door, *[event(n, "account.label", of=signups[n]["id"], bad=bad, said_by="bank") for n, bad in labelled])
        before, labels = caught(desk), rows(desk, LABELS)
    with service.as_("shop") as (_, client):
        for number in range(4, 8):
            challenge = asked(client, account=f"acct_{number}", kind="captcha", ref=f"{number}")
            assert answered(client, challenge, response=solve(challenge))["recorded"] is True
    with service.as_("ann") as (_, desk):
        assert [each[0] for each in rows(desk, OUTCOMES)] == ["challenge.passed"] * 4
        assert rows(desk, LABELS) == labels
        assert caught(desk) == before
    assert len(labels) == 3
    assert before["throwaway_burst"]["labelled"] == 3
    assert before["throwaway_burst"]["precision"]["value"] == pytest.approx(2 / 3)


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("node") is None, reason="no curl, or no node")
def test_the_how_to_is_followed_as_it_stands(service: Service, tmp_path: Path) -> None:
    (tmp_path / "shop.key").write_text(service.keys["shop"])
    with service.as_("ann") as (door, _):
        told(door.post("/v1/actions", json={**CHALLENGE, "value": "acc_1"}), 201)

    def typed(containing: str, **variables: str) -> Any:  # noqa: ANN401 - JSON
        script = block("challenge.md", containing).replace("localhost:8081", f"localhost:{service.desk}")
        environment = {**ENVIRONMENT, "NO_PROXY": "localhost", "no_proxy": "localhost", **variables}
        done = subprocess.run(
            ["/bin/bash", "-euc", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    with service.as_("shop") as (_, desk):
        set_ = typed('"ref": "session-4711"')
        shown = json.loads(block("challenge.md", '"zero_bits": 16}').replace("...", ""))
        assert (set_.keys(), set_["kind"], set_["show"].keys()) == (shown.keys(), "captcha", shown["show"].keys())
        solver = f"{block('challenge.md', 'async function solve')}\nsolve({json.dumps(set_['show'])}).then(console.log)"
        response = subprocess.run(
            [str(shutil.which("node")), "-e", solver], capture_output=True, text=True, check=True
        ).stdout.strip()
        answer = typed("/answer -H", ID=set_["id"], RESPONSE=response)
        assert {**answer, "id": ""} == {**json.loads(block("challenge.md", '"recorded": true')), "id": ""}
        assert typed("?account=acc_1", ID=set_["id"])["state"] == "passed"
        payment = asked(desk, account="acc_1", kind="payment", ref="2")
        assert typed("/result -H", ID=payment["id"])["state"] == "passed"


def test_the_how_tos_settings_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fairgate.toml").write_text(block("challenge.md", "[challenge.captcha]"))
    monkeypatch.setenv("FAIRGATE_CHALLENGE_CAPTCHA", "hush")
    shown = open_challengers(read_settings(tmp_path / "fairgate.toml"))["captcha"].shows(
        Challenge("c_1", "captcha", "anna", None, "shop", "1", 1, 2, 5, "", "{}")
    )
    assert shown == {"site_key": "0x4AAAAAAA", "cdata": "c_1"}


def caught(desk: httpx.Client) -> dict[str, Any]:
    """What a backtest of the pack against itself says of each rule's hits and their labels."""
    until(lambda: lag(desk) == 0)
    report = report_of(desk, new="ai_api")
    return {each["name"]: each["new"] for each in report["rules"] if each["new"]}
