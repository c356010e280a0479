"""People from end to end: let in by the command line, logged in at a real `fairgate serve`, at work, and shut out."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

from fairgate.backends.embedded.clock import SystemClock
from fairgate.domain.access import Scope
from fairgate.domain.audit import Kind
from fairgate.domain.windows import SECOND
from tests.e2e import test_appeals
from tests.e2e.desks import audited, until
from tests.e2e.doors import COMMAND, ENVIRONMENT, ROOT, fairgate
from tests.e2e.test_appeals import Service, refusal, told
from tests.e2e.test_cases import LABELS, SUSPEND, opened, seen
from tests.support import PACK

PASSWORD = "seven grey herons"
KEYS = {
    "service": frozenset({Scope.DECIDE}),
    "help desk": frozenset({Scope.READ, Scope.REVIEW}),
    "reads": frozenset({Scope.READ}),
}


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(test_appeals, "KEYS", KEYS)
    monkeypatch.setattr(test_appeals, "PACK", PACK + LABELS)
    with ExitStack() as stack:
        yield Service(tmp_path, stack, desk="second_looks = false")


def people(service: Service, *words: str, given: str = "") -> str:
    command = [*COMMAND, "people", *words, "--config", str(service.config)]
    done = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, input=given, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def add(service: Service, name: str, role: str) -> None:
    people(service, "add", name, "--role", role, "--password-stdin", given=f"{PASSWORD}\n")


@contextmanager
def session(service: Service, name: str, codes: list[str]) -> Iterator[httpx.Client]:
    """A browser in which somebody has logged in, with a one-time code of theirs: they take codes the first time."""
    with httpx.Client(base_url=f"http://127.0.0.1:{service.settings.desk.port}", trust_env=False, timeout=30) as desk:
        asked = {"name": name, "password": PASSWORD, "code": pyotp.TOTP(codes[0]).now() if codes else ""}
        begun = told(desk.post("/v1/session", json=asked), 201)
        desk.headers["fairgate-csrf"] = begun["csrf"]
        if not codes:
            assert begun["must_enrol"]
            assert refusal(desk.get("/v1/cases")) == (403, "codes_needed")
            codes.append(told(desk.post("/v1/session/totp", json={"password": PASSWORD}))["secret"])
            confirm = {"code": pyotp.TOTP(codes[0]).at(_now() - 30)}  # so that the one of now is unused
            assert desk.post("/v1/session/totp/confirm", json=confirm).status_code == 204
        yield desk


def _now() -> int:
    return SystemClock().now() // SECOND


def test_a_reviewer_logs_in_decides_a_case_and_is_shut_out(service: Service) -> None:
    case = opened(service)
    path, codes = f"/v1/cases/{case['number']}", list[str]()
    add(service, "rita", "reviewer")
    with session(service, "rita", codes) as desk:
        assert told(desk.post("/v1/cases/next"))["number"] == case["number"]
    with session(service, "rita", codes) as desk, service.as_("reads") as (door, _):
        decided = told(desk.post(f"{path}/decision", json=SUSPEND, headers=seen(2)))
        assert (decided["case"]["state"], decided["labels"]) == ("decided", 1)
        [number] = decided["actions"]
        action = told(door.get(f"/v1/actions/{number}"))
        assert (action["by"], action["why"]) == ("rita", "one of thirty")
        assert told(door.get("/v1/accounts/anna/standing"))["may"]["use"] is False
        assert refusal(desk.post("/v1/bulk", json={})) == (403, "scope_missing")
        people(service, "off", "RITA")
        assert refusal(desk.get(path)) == (401, "session_over")
    asked = {"name": "rita", "password": PASSWORD, "code": pyotp.TOTP(codes[0]).at(_now() + 30)}
    with service.as_("reads") as (_, other):
        assert refusal(other.post("/v1/session", json=asked)) == (401, "not_you")
    stands_in_the_audit_log(service)


def stands_in_the_audit_log(service: Service) -> None:
    """What rita did, and what was done about her, in order; also after the desk has written down what it keeps back."""
    meant = [
        Kind.PERSON_ADDED,
        Kind.LOGGED_IN,
        Kind.CODES_TAKEN,
        Kind.LOGGED_IN,
        Kind.PERSON_OFF,
        Kind.NOT_LET_IN,
    ]
    until(lambda: [each.what for each in audited(service.settings) if each.about.kind == "person"] == meant)
    until(lambda: {(each.what, each.by) for each in audited(service.settings)} >= {(Kind.ACTED, "rita")})
    until(lambda: (Kind.REFUSED, "rita") in {(each.what, each.by) for each in audited(service.settings)})
    listed = fairgate("audit", "list", "--by", "rita", "--json", "--config", service.config)
    rows: list[dict[str, Any]] = json.loads(listed.stdout)
    assert {each["doing"]["what"] for each in rows} >= {Kind.LOGGED_IN, Kind.CODES_TAKEN, Kind.ACTED, Kind.REFUSED}
    assert PASSWORD not in listed.stdout
    assert fairgate("audit", "verify", "--config", service.config).returncode == 0
