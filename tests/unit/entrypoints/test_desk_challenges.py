"""Challenges at the desk: who is asked for what, what an answer comes to, and what the door is told of it."""

import asyncio
import contextlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from fairgate.domain.access import Scope
from fairgate.domain.action import Action
from fairgate.domain.errors import BadSettings
from fairgate.domain.ledger import FOREVER, Entry, Subject
from fairgate.domain.windows import DAY, HOUR, SECOND
from fairgate.entrypoints.desk.challenging import MOST_CHECKED
from fairgate.entrypoints.desk.outcomes import KEPT
from fairgate.ports.ledger import Read
from fairgate.settings import ChallengeSettings, DoorSettings, Settings
from fairgate.wiring import CHALLENGE_VARIABLE, RECORDS, Records, open_challengers, open_records
from tests.support import NOW, SetClock
from tests.unit.entrypoints.test_desk_app import Desk, refusal
from tests.unit.entrypoints.test_desk_records import fits
from tests.unit.entrypoints.test_doctor import free_port
from tests.unit.vendors.test_challengers import FakeVendor, solved

ASKS = frozenset({Scope.DECIDE})
KEYS = {"shop": ASKS, "gateway": ASKS}
EASY = {"captcha": ChallengeSettings(difficulty=8, attempts=3, per_hour=3)}
ABOUT = {"ip": "203.0.113.9", "device": "dev_1"}


class FakeDoor:
    """What a door is to the desk: it says how accounts stand, and takes each event once, or refuses it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.status = 200
        self.challenges = ["captcha"]
        self.events: dict[str, Any] = {}
        self.sent: list[Any] = []
        self.passes: list[str] = []
        self.refuses: Callable[[Any], tuple[str, str] | None] = lambda _: None

    @contextmanager
    def open(self) -> Iterator[None]:
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                door.passes.append(self.headers["authorization"])
                may = {"use": True, "spend": True, "rate": 1.0, "models": None}
                value = self.path.split("/")[3]
                stands = {"kind": "account", "value": value, "action": "challenge", "until": None, "may": may}
                self._say(door.status, {**stands, "challenges": door.challenges, "reasons": []})

            def do_POST(self) -> None:
                door.passes.append(self.headers["authorization"])
                event = json.loads(self.rfile.read(int(self.headers["content-length"])))
                door.sent.append(event)
                fault = door.refuses(event)
                if door.status != 200:
                    self._say(door.status, {"error": {"code": "stopped", "reason": "as it says"}})
                elif fault is not None:
                    error = {"code": fault[0], "reason": "as it says", "field": fault[1]}
                    refused = {"accepted": 0, "refused": 1, "results": [{"id": event["id"], "error": error}]}
                    self._say(422, refused)
                else:
                    door.events.setdefault(event["id"], event)
                    self._say(200, {"accepted": 1, "refused": 0, "results": [{"id": event["id"], "sequence": 1}]})

            def _say(self, status: int, body: object) -> None:
                raw = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture
def door() -> Iterator[FakeDoor]:
    fake = FakeDoor()
    with fake.open():
        yield fake


def made(folder: Path, stack: ExitStack, door: FakeDoor, **challenge: ChallengeSettings) -> Desk:
    return Desk(folder, stack, KEYS, DoorSettings(port=door.port), challenge={**EASY, **challenge})


@pytest.fixture
def desk(tmp_path: Path, door: FakeDoor) -> Iterator[Desk]:
    with ExitStack() as stack:
        yield made(tmp_path, stack, door)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    """What a clerk has open."""
    with open_records(tmp_path) as opened:
        yield opened


def put(desk: Desk, status: int = 201, by: str = "shop", **changes: object) -> Any:  # noqa: ANN401 - JSON
    asked = {"account": "anna", "kind": "captcha", "ref": "1", **changes}
    answer = desk.ask("POST", "/v1/challenges", by=by, json={name: value for name, value in asked.items() if value})
    assert answer.status_code == status, answer.text
    if status >= 400:
        return refusal(answer)[1]
    schema = {"$ref": "#/components/schemas/ChallengeShown"}
    fits(desk.application.openapi(), schema, answer.json())
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def tried(desk: Desk, challenge: Any, way: str = "answer", **given: object) -> httpx.Response:  # noqa: ANN401 - JSON
    body = {"account": "anna", **given}
    return desk.ask("POST", f"/v1/challenges/{challenge['id']}/{way}", by="gateway", json=body)


def answered(desk: Desk, challenge: Any, way: str = "answer", **given: object) -> Any:  # noqa: ANN401 - JSON
    answer = tried(desk, challenge, way, **given)
    assert answer.status_code == 200, answer.text
    fits(desk.application.openapi(), {"$ref": "#/components/schemas/ChallengeAnswered"}, answer.json())
    return answer.json()


def right(challenge: Any) -> str:  # noqa: ANN401 - JSON
    return solved(challenge["show"]["begins"], challenge["show"]["zero_bits"])


def wrong(challenge: Any) -> str:  # noqa: ANN401 - JSON
    """An answer whose work was not done."""
    begins = challenge["show"]["begins"]
    return next(text for text in map(str, count()) if sha256(f"{begins}{text}".encode()).digest()[0] != 0)


def looked_at(desk: Desk, challenge: Any, account: str = "anna") -> Any:  # noqa: ANN401 - JSON
    answer = desk.ask("GET", f"/v1/challenges/{challenge['id']}", by="shop", params={"account": account})
    return answer.json() if answer.status_code == 200 else refusal(answer)


def at(desk: Desk, time: int) -> None:
    clock = desk.office.records.clock
    assert isinstance(clock, SetClock)
    clock.time = time


def rounds(desk: Desk, many: int = 1) -> None:
    """What the desk does by itself."""
    for _ in range(many):
        asyncio.run(desk.office.outcomes._round())


def metrics(desk: Desk) -> dict[str, float]:
    lines = desk.ask("GET", "/metrics").text.splitlines()
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("fairgate_challenge") and "_created" not in line and "bucket" not in line
    }


# ----------------------------------------------------------------------------------------------------------- being set


@pytest.mark.usefixtures("records")
def test_a_challenge_is_set_shown_and_passed(desk: Desk, door: FakeDoor) -> None:
    challenge = put(desk, about=ABOUT)
    assert challenge == {
        "id": challenge["id"],
        "kind": "captcha",
        "account": "anna",
        "action": None,
        "state": "open",
        "made": "2026-01-05T10:31:12Z",
        "expires": "2026-01-05T10:41:12Z",
        "attempts_left": 3,
        "show": {"work": "sha256", "begins": f"{challenge['id']}.", "zero_bits": 8},
        "ended": None,
        "code": None,
    }
    assert len(challenge["id"]) == 32
    assert looked_at(desk, challenge) == challenge
    at(desk, NOW + 9 * SECOND)
    answer = answered(desk, challenge, response=right(challenge), about={"device": "dev_2", "country": "NL"})
    assert answer == {
        "id": challenge["id"], "state": "passed", "attempts_left": 0, "verified": True, "recorded": True,
    }  # fmt: skip
    assert door.events == {
        challenge["id"]: {
            "specversion": "1.0",
            "id": challenge["id"],
            "source": "fairgate/challenges",
            "type": "challenge.passed",
            "time": "2026-01-05T10:31:21+00:00",
            "data": {
                "account": "anna", "challenge": "captcha", "seconds": 9.0, "attempts": 1, "verified": True,
                "ip": "203.0.113.9", "device": "dev_2", "country": "NL",
            },
        }
    }  # fmt: skip
    assert looked_at(desk, challenge)["state"] == "passed"
    assert looked_at(desk, challenge)["show"] == {}


@pytest.mark.usefixtures("records")
def test_the_door_is_told_in_the_desks_own_name_which_may_nothing_else(desk: Desk, door: FakeDoor) -> None:
    challenge = put(desk, kind=None)  # asks the door how the account stands
    answered(desk, challenge, response=right(challenge))
    granted = [desk.passes.check(each.encode()) for each in door.passes]
    assert {(each.by, each.scopes) for each in granted if each} == {("desk", frozenset({Scope.INGEST, Scope.READ}))}
    assert len(granted) == 2


@pytest.mark.usefixtures("records")
def test_without_a_kind_it_is_what_the_standing_asks_for(desk: Desk, door: FakeDoor) -> None:
    door.challenges = ["blood", "email"]
    assert put(desk, kind=None)["kind"] == "email"
    door.challenges = []
    assert put(desk, 409, kind=None, ref="2") == "nothing_asked"
    assert put(desk, 200, kind=None)["kind"] == "email"  # the same again
    assert put(desk, 422, kind="blood", ref="3") == "unknown_kind"
    door.status = 503
    assert put(desk, 503, kind=None, ref="4") == "door_unavailable"


def test_the_action_must_stand_and_be_the_accounts_own(desk: Desk, records: Records) -> None:
    anna, ben = Subject("account", "anna"), Subject("account", "ben")
    entry = Entry(7, anna, Action.CHALLENGE, NOW - HOUR, FOREVER, ("burst",), ("rule",), "pack@1")
    others = [
        msgspec.structs.replace(entry, number=8, subject=ben),
        msgspec.structs.replace(entry, number=9, ends=NOW),
    ]
    records.ledger.take(Read(1, NOW), [entry, *others], [], [])
    assert put(desk, action=7)["action"] == 7
    assert put(desk, 404, action=8, ref="2") == put(desk, 404, action=99, ref="2") == "no_action"
    assert put(desk, 409, action=9, ref="2") == "action_over"


@pytest.mark.usefixtures("records")
def test_what_is_set_twice_under_one_ref_is_set_once_and_its_code_told_once(desk: Desk) -> None:
    first = put(desk, kind="email")
    assert len(first["code"]) == 6
    assert put(desk, 200, kind="email") == {**first, "code": None}
    assert put(desk, 409, kind="phone") == put(desk, 409, account="ben", kind="email") == "ref_taken"
    other = put(desk, kind="email", by="gateway")
    assert other["id"] != first["id"]
    assert looked_at(desk, first)["code"] is None


@pytest.mark.usefixtures("records")
def test_an_account_gets_no_more_of_a_kind_in_an_hour_than_it_may(desk: Desk) -> None:
    for number in range(3):
        put(desk, ref=f"{number}")
    answer = desk.ask("POST", "/v1/challenges", by="shop", json={"account": "anna", "kind": "captcha", "ref": "9"})
    assert refusal(answer) == (429, "too_many")
    assert int(answer.headers["retry-after"]) > 0
    assert put(desk, account="ben", ref="9")["state"] == "open"
    assert put(desk, kind="email", ref="10")["state"] == "open"
    at(desk, NOW + HOUR)
    assert put(desk, ref="11")["state"] == "open"


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"account": " "}, "account"),
        ({"account": "x" * 513}, "account"),
        ({"account": "a\x00"}, "account"),
        ({"kind": "x" * 65}, "kind"),
        ({"action": -1}, "action"),
        ({"action": 2**63}, "action"),
        ({"ref": "a\nb"}, "ref"),
        ({"ref": "x" * 301}, "ref"),
        ({"about": {"ip": "no address"}}, "about.ip"),
        ({"about": {"card": "4242"}}, "about.card"),
        ({"about": {"bot_score": 2}}, "about.bot_score"),
        ({"about": {"device": "a\ud800b"}}, "about.device"),
        ({"code": "123456"}, "code"),
    ],
)
def test_what_can_not_be_set_is_told_where(desk: Desk, changes: dict[str, object], field: str) -> None:
    raw = json.dumps({"account": "anna", "kind": "captcha", "ref": "1", **changes})
    headers = {"content-type": "application/json"}
    answer = desk.ask("POST", "/v1/challenges", by="shop", headers=headers, content=raw)
    assert refusal(answer) == (422, "malformed")
    assert answer.json()["error"]["field"] == field


# ------------------------------------------------------------------------------------------------------ being answered


@pytest.mark.usefixtures("records")
def test_the_last_wrong_answer_is_a_failure(desk: Desk, door: FakeDoor) -> None:
    challenge = put(desk, about=ABOUT)
    for left in (2, 1):
        assert answered(desk, challenge, response=wrong(challenge)) == {
            "id": challenge["id"], "state": "open", "attempts_left": left, "verified": None, "recorded": None,
        }  # fmt: skip
    assert door.events == {}
    at(desk, NOW + 30 * SECOND)
    last = answered(desk, challenge, response=wrong(challenge))
    assert (last["state"], last["attempts_left"], last["recorded"]) == ("failed", 0, True)
    [event] = door.events.values()
    assert event["type"] == "challenge.failed"
    assert event["data"] == {
        "account": "anna", "challenge": "captcha", "seconds": 30.0, "attempts": 3, **ABOUT,
    }  # fmt: skip
    assert refusal(tried(desk, challenge, response=right(challenge))) == (409, "answered")


@pytest.mark.usefixtures("records")
def test_a_passed_challenge_is_no_second_pass(desk: Desk, door: FakeDoor) -> None:
    challenge = put(desk)
    answer = right(challenge)
    answered(desk, challenge, response=answer)
    for given in (answer, wrong(challenge)):
        assert refusal(tried(desk, challenge, response=given)) == (409, "answered")
    assert len(door.sent) == 1


@pytest.mark.usefixtures("records")
def test_another_accounts_challenge_is_not_told_from_none(desk: Desk, door: FakeDoor) -> None:
    challenge, none = put(desk), {"id": "x" * 32}
    assert looked_at(desk, challenge, "ben") == looked_at(desk, none) == (404, "not_found")
    body = {"response": right(challenge)}
    for each, account in ((challenge, "ben"), (none, "anna")):
        answer = desk.ask("POST", f"/v1/challenges/{each['id']}/answer", by="shop", json={"account": account, **body})
        assert refusal(answer) == (404, "not_found")
        assert answer.json()["error"]["reason"] == "this account has no challenge of this id"
    assert looked_at(desk, challenge)["attempts_left"] == 3
    assert door.sent == []


@pytest.mark.usefixtures("records")
def test_a_code_is_right_however_it_is_typed_and_once(desk: Desk, door: FakeDoor) -> None:
    challenge = put(desk, kind="phone")
    code = challenge["code"]
    assert answered(desk, challenge, code=f"{(int(code) + 1) % 1_000_000:06}")["attempts_left"] == 4
    assert answered(desk, challenge, code=f"{code[:3]} {code[3:]}")["state"] == "passed"
    assert refusal(tried(desk, challenge, code=code)) == (409, "answered")
    assert [each["data"]["attempts"] for each in door.sent] == [2]


@pytest.mark.usefixtures("records")
def test_a_code_stands_nowhere_once_it_was_told(desk: Desk, tmp_path: Path) -> None:
    challenge = put(desk, kind="phone", about=ABOUT)
    answered(desk, challenge, code="000000" if challenge["code"] != "000000" else "000001")
    files = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    assert challenge["id"].encode() in files
    assert challenge["code"].encode() not in files


@pytest.mark.usefixtures("records")
def test_what_is_reported_ends_at_once_and_the_others_are_not_reported(desk: Desk, door: FakeDoor) -> None:
    payment, identity, captcha = put(desk, kind="payment"), put(desk, kind="identity", ref="2"), put(desk, ref="3")
    assert (payment["attempts_left"], payment["show"]) == (1, {})
    assert refusal(tried(desk, payment, response="1")) == (409, "reported")
    assert refusal(tried(desk, captcha, "result", passed=True)) == (409, "answered_here")
    assert answered(desk, payment, "result", passed=True)["state"] == "passed"
    assert answered(desk, identity, "result", passed=False)["state"] == "failed"
    assert refusal(tried(desk, identity, "result", passed=True)) == (409, "answered")
    assert [(each["type"], each["data"]["challenge"]) for each in door.sent] == [
        ("challenge.passed", "payment"),
        ("challenge.failed", "identity"),
    ]


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"response": "1", "code": "1"},
        {"response": ""},
        {"response": "ä"},
        {"response": "a\nb"},
        {"response": "x" * 8_193},
        {"code": "1" * 33},
        {"passed": True},
    ],
)
def test_what_is_no_answer_costs_no_attempt(desk: Desk, given: dict[str, Any]) -> None:
    challenge = put(desk)
    assert refusal(tried(desk, challenge, **given)) == (422, "malformed")
    assert looked_at(desk, challenge)["attempts_left"] == 3


def test_of_many_guesses_at_once_no_more_count_than_may(desk: Desk, door: FakeDoor, records: Records) -> None:
    challenge = put(desk)
    path, body = f"/v1/challenges/{challenge['id']}/answer", {"account": "anna", "response": wrong(challenge)}

    async def all_at_once() -> list[httpx.Response]:
        transport = httpx.ASGITransport(desk.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8081") as client:
            headers = {"authorization": f"Bearer {desk.keys['shop']}"}
            return await asyncio.gather(*[client.post(path, headers=headers, json=body) for _ in range(10)])

    answers = asyncio.run(all_at_once())
    assert sorted(each.status_code for each in answers) == [200] * 3 + [409] * 7
    assert [each["type"] for each in door.sent] == ["challenge.failed"]
    found = records.challenges.get(challenge["id"])
    assert found is not None
    assert found.attempts == 3


# ------------------------------------------------------------------------------------------------------------- vendors


def with_vendor(vendor: FakeVendor, **changes: Any) -> ChallengeSettings:  # noqa: ANN401 - settings of every type
    url = f"http://127.0.0.1:{vendor.port}/siteverify"
    return ChallengeSettings(by="siteverify", url=url, site_key="site", hostnames=["example.com"], **changes)


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVendor]:
    monkeypatch.setenv(f"{CHALLENGE_VARIABLE}CAPTCHA", "hush")
    fake = FakeVendor()
    with fake.open():
        yield fake


@pytest.mark.usefixtures("records")
def test_a_vendors_word_ends_it(tmp_path: Path, door: FakeDoor, vendor: FakeVendor) -> None:
    with ExitStack() as stack:
        desk = made(tmp_path, stack, door, captcha=with_vendor(vendor))
        challenge = put(desk)
        assert challenge["show"] == {"site_key": "site"}
        vendor.says(success=True, hostname="elsewhere.example.net")
        assert answered(desk, challenge, response="token")["state"] == "open"
        vendor.says(success=True, hostname="example.com")
        assert answered(desk, challenge, response="token", about=ABOUT)["state"] == "passed"
    assert [each.get("remoteip") for each in vendor.asked] == [None, "203.0.113.9"]


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize("policy", ["later", "fail", "pass"])
def test_a_vendor_that_is_down_is_told_as_the_settings_say(
    tmp_path: Path, door: FakeDoor, vendor: FakeVendor, policy: str
) -> None:
    with ExitStack() as stack:
        desk = made(tmp_path, stack, door, captcha=with_vendor(vendor, when_down=policy, attempts=2))
        challenge = put(desk)
        vendor.status = 500
        answer = tried(desk, challenge, response="token")
        found = looked_at(desk, challenge)
        unavailable = metrics(desk)['fairgate_challenges_total{kind="captcha",outcome="unavailable"}']
    assert unavailable == 1
    match policy:
        case "later":
            assert refusal(answer) == (503, "unavailable")
            assert (found["state"], found["attempts_left"], door.sent) == ("open", 2, [])
        case "fail":
            assert (answer.json()["state"], answer.json()["attempts_left"], door.sent) == ("open", 1, [])
        case "pass":
            assert (answer.json()["state"], answer.json()["verified"]) == ("passed", False)
            assert [each["data"]["verified"] for each in door.sent] == [False]


@pytest.mark.usefixtures("records")
def test_a_vendor_that_hangs_holds_up_no_other_kind(tmp_path: Path, door: FakeDoor, vendor: FakeVendor) -> None:
    vendor.says(success=True, hostname="example.com")
    vendor.pause = 1.0
    with ExitStack() as stack:
        terms = with_vendor(vendor, attempts=20, timeout_seconds=0.5)
        desk = made(tmp_path, stack, door, captcha=terms)
        captcha, email = put(desk), put(desk, kind="email", ref="2")

        async def both() -> tuple[list[httpx.Response], httpx.Response]:
            transport = httpx.ASGITransport(desk.application)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8081") as client:
                client.headers["authorization"] = f"Bearer {desk.keys['shop']}"
                path, body = f"/v1/challenges/{captcha['id']}/answer", {"account": "anna", "response": "t"}
                slow = [asyncio.create_task(client.post(path, json=body)) for _ in range(MOST_CHECKED + 2)]
                await asyncio.sleep(0)
                body = {"account": "anna", "code": email["code"]}
                quick = await client.post(f"/v1/challenges/{email['id']}/answer", json=body)
                return await asyncio.gather(*slow), quick

        slow, quick = asyncio.run(both())
    assert quick.json()["state"] == "passed"
    assert sorted(each.status_code for each in slow) == [429] * 2 + [503] * MOST_CHECKED


def test_a_vendor_without_a_secret_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"my-captcha": with_vendor(FakeVendor())}
    with pytest.raises(BadSettings, match="FAIRGATE_CHALLENGE_MY_CAPTCHA"):
        open_challengers(Settings(challenge=given))
    monkeypatch.setenv("FAIRGATE_CHALLENGE_MY_CAPTCHA", "hush")
    assert set(open_challengers(Settings(challenge=given))) >= {"my-captcha", "captcha", "email"}


# -------------------------------------------------------------------------------------------- expiring, and being told


@pytest.mark.usefixtures("records")
def test_it_expires_by_itself_and_at_its_time(desk: Desk, door: FakeDoor) -> None:
    challenge = put(desk, about=ABOUT)
    answered(desk, challenge, response=wrong(challenge))
    at(desk, NOW + 600 * SECOND - 1)
    rounds(desk)
    assert (looked_at(desk, challenge)["state"], door.sent) == ("open", [])
    at(desk, NOW + 700 * SECOND)
    assert looked_at(desk, challenge)["state"] == "expired"  # by the clock, whether somebody has looked or not
    rounds(desk, 2)
    [event] = door.sent
    assert (event["type"], event["time"]) == ("challenge.expired", "2026-01-05T10:41:12+00:00")
    assert event["data"] == {
        "account": "anna", "challenge": "captcha", "seconds": 600.0, "attempts": 1, **ABOUT,
    }  # fmt: skip
    answer = answered(desk, challenge, response=right(challenge))
    assert (answer["state"], answer["recorded"]) == ("expired", None)
    assert len(door.sent) == 1


@pytest.mark.usefixtures("records")
def test_an_answer_that_comes_too_late_is_told_so_and_ends_it(desk: Desk, door: FakeDoor) -> None:
    challenge = put(desk)
    at(desk, NOW + 600 * SECOND)
    answer = answered(desk, challenge, response=right(challenge))
    assert (answer["state"], answer["attempts_left"], answer["recorded"]) == ("expired", 0, True)
    assert [each["type"] for each in door.sent] == ["challenge.expired"]
    rounds(desk)
    assert len(door.sent) == 1


@pytest.mark.usefixtures("records")
def test_what_a_door_that_is_down_was_not_told_it_is_told_later_and_once(desk: Desk, door: FakeDoor) -> None:
    challenge = put(desk)
    door.status = 503
    answer = answered(desk, challenge, response=right(challenge))
    assert (answer["state"], answer["recorded"]) == ("passed", False)
    assert metrics(desk)["fairgate_challenges_untold"] == 1
    rounds(desk)  # not due yet
    assert len(door.sent) == 1
    at(desk, NOW + 2 * SECOND)
    rounds(desk)
    assert len(door.sent) == 2
    door.status = 200
    at(desk, NOW + 6 * SECOND - 1)  # twice as long as before
    rounds(desk)
    assert door.events == {}
    at(desk, NOW + 6 * SECOND)
    rounds(desk, 2)
    assert len(door.sent) == 3
    [event] = door.events.values()
    assert (event["type"], event["time"]) == ("challenge.passed", "2026-01-05T10:31:12+00:00")
    assert metrics(desk)["fairgate_challenges_untold"] == 0


@pytest.mark.usefixtures("records")
def test_a_door_that_was_told_and_whose_answer_was_lost_counts_it_once(desk: Desk, door: FakeDoor) -> None:
    challenge = put(desk)
    path = desk.office.settings.data / RECORDS

    def lost(_: object) -> None:
        path.rename(path.with_name("away"))

    door.refuses = lost
    answer = tried(desk, challenge, response=right(challenge))
    assert refusal(answer) == (503, "no_records")
    path.with_name("away").rename(path)
    door.refuses = lambda _: None
    assert looked_at(desk, challenge)["state"] == "passed"
    rounds(desk, 2)
    assert len(door.sent) == 2
    assert door.sent[0] == door.sent[1]
    assert len(door.events) == 1


@pytest.mark.usefixtures("records")
def test_what_the_door_refuses_of_a_browsers_words_keeps_nothing_out_of_the_log(desk: Desk, door: FakeDoor) -> None:
    bad = {"timezone", "user_agent"}

    def refuses(event: Any) -> tuple[str, str] | None:  # noqa: ANN401 - JSON
        found = sorted(bad & set(event["data"]))
        return ("invalid", f"data.{found[0]}") if found else None

    door.refuses = refuses
    challenge = put(desk, about={**ABOUT, "timezone": "Nowhere"})
    answer = answered(desk, challenge, response=right(challenge), about={"user_agent": "odd"})
    assert answer["recorded"] is True
    [event] = door.events.values()
    assert event["data"]["device"] == "dev_1"
    assert not bad & set(event["data"])


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize("fault", [("unknown_type", "type"), ("invalid", "data.account"), ("invalid", "data.gone")])
def test_what_the_door_does_not_take_at_all_is_told_and_tried_again(
    desk: Desk, door: FakeDoor, fault: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    door.refuses = lambda _: fault
    challenge = put(desk)
    assert answered(desk, challenge, response=right(challenge))["recorded"] is False
    assert "the door refuses what came of a challenge" in caplog.text
    rounds(desk)
    assert len(door.sent) == 1
    door.refuses = lambda _: None  # as when the pack has the event type
    at(desk, NOW + HOUR)
    rounds(desk)
    assert len(door.events) == 1


def test_ended_challenges_are_forgotten_when_the_door_would_not_take_them_any_more(
    desk: Desk, records: Records, door: FakeDoor
) -> None:
    challenge = put(desk, about=ABOUT)
    answered(desk, challenge, response=right(challenge))
    rounds(desk)
    for later, there in ((NOW + KEPT, True), (NOW + KEPT + 1, False)):
        at(desk, later)
        desk.office.outcomes._forgotten = None
        rounds(desk)
        assert (records.challenges.get(challenge["id"]) is not None) is there
    assert len(door.sent) == 1


def test_the_desk_goes_on_looking_whatever_fails(
    desk: Desk, door: FakeDoor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fairgate.entrypoints.desk.outcomes._PAUSE", 0.01)
    path = desk.office.settings.data / RECORDS
    assert not path.exists()

    async def story() -> None:
        running = asyncio.create_task(desk.office.outcomes.run())
        await asyncio.sleep(0.1)
        assert caplog.text == ""  # nobody was asked for anything yet
        path.write_bytes(b"no data base" * 999)
        await _until(lambda: "can't be looked after" in caplog.text)
        path.unlink()
        with open_records(path.parent):
            pass
        challenge = await asyncio.to_thread(put, desk)
        at(desk, NOW + DAY)
        await _until(lambda: challenge["id"] in door.events)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    asyncio.run(story())
    assert caplog.text.count("can't be looked after") == 1


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - what is waited for is a file or another thread's doing
            await asyncio.sleep(0.02)


# ------------------------------------------------------------------------------------------------- metrics and records


@pytest.mark.usefixtures("records")
def test_metrics_tell_what_became_of_challenges_and_how_long_it_took(desk: Desk) -> None:
    passed, failed, expired = (put(desk, ref=ref) for ref in "123")
    at(desk, NOW + 20 * SECOND)
    answered(desk, passed, response=right(passed))
    for _ in range(3):
        answered(desk, failed, response=wrong(failed))
    at(desk, NOW + DAY)
    rounds(desk)
    assert looked_at(desk, expired)["state"] == "expired"
    outcomes = {"issued": 3, "passed": 1, "failed": 1, "expired": 1, "wrong": 2}
    assert metrics(desk) == {
        **{f'fairgate_challenges_total{{kind="captcha",outcome="{name}"}}': n for name, n in outcomes.items()},
        'fairgate_challenge_seconds_count{kind="captcha"}': 1,
        'fairgate_challenge_seconds_sum{kind="captcha"}': 20,
        "fairgate_challenges_untold": 0,
    }


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/challenges", {"account": "anna", "kind": "captcha", "ref": "1"}),
        ("GET", "/v1/challenges/c?account=anna", None),
        ("POST", "/v1/challenges/c/answer", {"account": "anna", "response": "1"}),
        ("POST", "/v1/challenges/c/result", {"account": "anna", "passed": True}),
    ],
)
def test_without_records_that_is_said_and_broken_ones_are_told(
    desk: Desk, door: FakeDoor, method: str, path: str, body: object
) -> None:
    assert refusal(desk.ask(method, path, by="shop", json=body)) == (503, "no_records")
    (desk.office.settings.data / RECORDS).write_bytes(b"no data base" * 999)
    assert refusal(desk.ask(method, path, by="shop", json=body)) == (503, "records_unavailable")
    assert door.sent == []


def test_records_that_can_not_be_written_leave_it_open(desk: Desk, door: FakeDoor, records: Records) -> None:
    challenge = put(desk)
    with closing(sqlite3.connect(desk.office.settings.data / RECORDS)) as fault:
        fault.execute("create trigger fault before update of state on challenge begin select raise(abort, 'x'); end")
    assert refusal(tried(desk, challenge, response=right(challenge))) == (503, "records_unavailable")
    assert door.sent == []
    found = records.challenges.get(challenge["id"])
    assert found is not None
    assert found.state == "open"


@pytest.mark.usefixtures("records")
def test_a_door_that_is_down_is_asked_once_a_round_and_gets_all_in_the_end(desk: Desk, door: FakeDoor) -> None:
    for number in range(5):
        put(desk, kind="email", ref=f"{number}")
    at(desk, NOW + DAY)
    door.status = 503
    rounds(desk)
    assert len(door.sent) == 1
    door.status = 200
    at(desk, NOW + DAY + HOUR)
    rounds(desk)
    assert len(door.events) == 5
    assert {each["type"] for each in door.events.values()} == {"challenge.expired"}
