"""The clerk's records at the desk: who is told what of them, page by page, and what metrics say of them."""

import asyncio
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fairgate.backends.embedded.segments import open_log
from fairgate.domain.access import Scope
from fairgate.domain.action import Action
from fairgate.domain.ledger import FOREVER, Entry, Subject, Undone
from fairgate.domain.windows import HOUR, SECOND
from fairgate.entrypoints.desk.records import DeskRecords, NoRecords
from fairgate.ports.ledger import Message, Read
from fairgate.ports.outbox import Letter
from fairgate.settings import Settings, WebhookSettings
from fairgate.wiring import RECORDS, Records, open_records
from tests.support import NOW, SetClock
from tests.unit.entrypoints.test_desk_app import Desk, refusal

ANNA = Subject("account", "anna")
WEBHOOKS = {"gateway": WebhookSettings(), "billing": WebhookSettings()}
PATHS = [
    ("GET", "/v1/webhooks"),
    ("GET", "/v1/webhooks/dead"),
    ("POST", "/v1/webhooks/dead/1/again"),
    ("GET", "/v1/accounts/anna/actions"),
]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    scopes = {
        "reader": frozenset({Scope.READ}),
        "insider": frozenset({Scope.READ, Scope.PERSONAL}),
        "enforcer": frozenset({Scope.ENFORCE}),
    }
    with ExitStack() as stack:
        yield Desk(tmp_path, stack, scopes, webhook=WEBHOOKS)


@pytest.fixture
def records(desk: Desk) -> Iterator[Records]:
    """What a clerk has open."""
    with open_records(desk.office.settings.data) as opened:
        yield opened


def entry(number: int, about: Subject = ANNA, **changes: object) -> Entry:
    made = Entry(number, about, Action.HOLD, NOW - HOUR, NOW + HOUR, ("burst",), ("rule",), "pack@1")
    return msgspec.structs.replace(made, **changes)


def write(records: Records, receiver: str, count: int, made: int = NOW, *, dead: bool = False) -> list[Letter]:
    """Letters to a receiver, which wait or were put aside."""
    bodies = [msgspec.json.encode({"data": {"account": "anna", "number": number}}) for number in range(count)]
    messages = [Message(f"action_{number}_taken", ANNA, "standing.changed", body) for number, body in enumerate(bodies)]
    records.ledger.take(Read(40, made), [], messages, [receiver])
    letters = records.outbox.waiting(receiver, -1, 1_000)[-count:]
    for letter in letters if dead else []:
        why = "status 400: who is anna?"
        records.outbox.give_up(msgspec.structs.replace(letter, attempts=3, why=why))
    return letters


def got(desk: Desk, path: str, by: str = "reader") -> Any:  # noqa: ANN401 - JSON
    answer = desk.ask("GET", path, by=by, headers={"Fairgate-Reason": "a test"})
    assert answer.status_code == 200, answer.text
    conforms(desk, path, answer)
    return answer.json()


def conforms(desk: Desk, path: str, answer: httpx.Response) -> None:
    """The answer has what its OpenAPI says, and nothing else."""
    told = desk.application.openapi()
    path = path.partition("?")[0]
    pattern = "/v1/accounts/{account}/actions" if path.startswith("/v1/accounts") else path
    schema = told["paths"][pattern]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    fits(told, schema, answer.json())


def fits(told: Any, schema: Any, value: Any) -> None:  # noqa: ANN401 - JSON
    if value is not None and "anyOf" in schema:
        schema = next(each for each in schema["anyOf"] if each != {"type": "null"})
    if "$ref" in schema:
        schema = told["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    match value:
        case dict() if "properties" in schema:
            assert set(schema["required"]) <= set(value) <= set(schema["properties"])
            for name, each in value.items():
                fits(told, schema["properties"][name], each)
        case list():
            for each in value:
                fits(told, schema["items"], each)
        case _:
            pass


# ----------------------------------------------------------------------------------------------------------- webhooks


def test_every_service_that_is_told_or_has_messages_is_shown(desk: Desk, records: Records) -> None:
    write(records, "gone", 2, NOW - 5 * SECOND, dead=True)
    write(records, "gone", 1, NOW - 3 * SECOND)
    write(records, "gateway", 4, NOW - 2 * SECOND)
    none = {"waiting": 0, "oldest": None, "dead": 0}
    assert got(desk, "/v1/webhooks")["webhooks"] == [
        {"receiver": "billing", "configured": True, **none},
        {"receiver": "gateway", "configured": True, "waiting": 4, "oldest": "2026-01-05T10:31:10Z", "dead": 0},
        {"receiver": "gone", "configured": False, "waiting": 1, "oldest": "2026-01-05T10:31:09Z", "dead": 2},
    ]


def test_what_was_put_aside_is_shown_page_by_page(desk: Desk, records: Records) -> None:
    first = [each.number for each in write(records, "gateway", 3, dead=True)]
    second = [each.number for each in write(records, "billing", 4, dead=True)]
    write(records, "gateway", 2)
    found, path = list[int](), "/v1/webhooks/dead?limit=3"
    after: int | None = -1
    pages = 0
    while after is not None:
        page = got(desk, f"{path}&after={after}")
        found += [each["number"] for each in page["dead"]]
        after, pages = page["next"], pages + 1
    assert (found, pages) == (first + second, 3)
    page = got(desk, "/v1/webhooks/dead?receiver=billing&limit=4")
    assert ([each["number"] for each in page["dead"]], page["next"]) == (second, None)
    assert got(desk, "/v1/webhooks/dead?receiver=nobody") == {"dead": [], "next": None}


def test_who_it_is_about_is_told_to_those_who_may_know(desk: Desk, records: Records) -> None:
    [letter] = write(records, "gateway", 1, dead=True)
    for by, why, body in (
        ("reader", "status 400", None),
        ("insider", "status 400: who is anna?", {"data": {"account": "anna", "number": 0}}),
    ):
        [shown] = got(desk, "/v1/webhooks/dead", by)["dead"]
        assert shown == {
            "number": letter.number,
            "receiver": "gateway",
            "message": "action_0_taken",
            "made": "2026-01-05T10:31:12Z",
            "attempts": 3,
            "why": why,
            "body": body,
        }


def test_what_was_put_aside_can_be_sent_again_once(
    desk: Desk, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    [letter, other] = write(records, "gateway", 2, dead=True)
    path = f"/v1/webhooks/dead/{letter.number}/again"
    with caplog.at_level(logging.INFO):
        answer = desk.ask("POST", path, by="enforcer")
    assert (answer.status_code, answer.json()) == (202, {"number": letter.number})
    assert [record.by for record in caplog.records if "is sent again" in record.message] == ["enforcer"]  # type: ignore[attr-defined]
    [waits] = records.outbox.waiting("gateway", -1, 9)
    assert (waits.message, waits.due, waits.attempts, waits.number > other.number) == ("action_0_taken", NOW, 0, True)
    for gone in (letter.number, waits.number, 0, 2**63 - 1):
        assert refusal(desk.ask("POST", f"/v1/webhooks/dead/{gone}/again", by="enforcer")) == (404, "not_found")
    assert [each.number for each in records.outbox.dead(None, -1, 9)] == [other.number]


# ------------------------------------------------------------------------------------------------------------ actions


def test_an_accounts_whole_history_is_shown_the_newest_first(desk: Desk, records: Records) -> None:
    over = entry(1, starts=NOW - 9 * HOUR, ends=NOW - 8 * HOUR)
    undone = entry(2, by="me", why="case 3", ref="3", ends=FOREVER, undone=Undone(NOW - SECOND, "you", "a mistake"))
    others = [entry(3, Subject("account", "ann")), entry(4, Subject("key", "anna"))]
    records.ledger.take(Read(40, NOW), [over, undone, *others, entry(5)], [], [])
    shown = got(desk, "/v1/accounts/anna/actions")
    assert [(each["number"], each["stands"]) for each in shown["actions"]] == [(5, True), (2, False), (1, False)]
    assert shown["next"] is None
    assert shown["actions"][1] == {
        "number": 2,
        "kind": "account",
        "value": "anna",
        "action": "hold",
        "stands": False,
        "since": "2026-01-05T09:31:12Z",
        "until": None,
        "reasons": ["burst"],
        "evidence": ["rule"],
        "pack": "pack@1",
        "by": "me",
        "why": "case 3",
        "ref": "3",
        "undone": {"at": "2026-01-05T10:31:11Z", "by": "you", "why": "a mistake"},
    }


@pytest.mark.parametrize(("count", "limit"), [(7, 3), (6, 3), (1, 1), (0, 5)])
def test_a_long_history_is_shown_page_by_page(desk: Desk, records: Records, count: int, limit: int) -> None:
    records.ledger.take(Read(40, NOW), [entry(number) for number in range(count)], [], [])
    found, before = list[int](), ""
    while True:
        page = got(desk, f"/v1/accounts/anna/actions?limit={limit}{before}")
        assert len(page["actions"]) <= limit
        found += [each["number"] for each in page["actions"]]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert found == list(range(count))[::-1]


@pytest.mark.parametrize("name", ["a/b", "a/actions", "ä %&?#", "../x", "' or 1=1 --", "a\0b"])
def test_an_account_may_be_called_anything(desk: Desk, records: Records, name: str) -> None:
    records.ledger.take(Read(40, NOW), [entry(0, Subject("account", name)), entry(1)], [], [])
    shown = got(desk, f"/v1/accounts/{quote(name, safe='')}/actions")["actions"]
    assert [(each["number"], each["value"]) for each in shown] == [(0, name)]


# ------------------------------------------------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/webhooks/dead?limit=0", "limit"),
        ("/v1/webhooks/dead?limit=501", "limit"),
        ("/v1/webhooks/dead?after=-2", "after"),
        (f"/v1/webhooks/dead?after={2**63}", "after"),
        ("/v1/webhooks/dead?after=x", "after"),
        (f"/v1/webhooks/dead?receiver={'x' * 201}", "receiver"),
        ("/v1/accounts/a/actions?limit=0", "limit"),
        ("/v1/accounts/a/actions?limit=501", "limit"),
        ("/v1/accounts/a/actions?before=-1", "before"),
        (f"/v1/accounts/a/actions?before={2**63}", "before"),
        (f"/v1/accounts/{'x' * 2_000}/actions", "account"),
    ],
)
def test_what_is_out_of_bounds_is_told_where(desk: Desk, records: Records, path: str, field: str) -> None:
    assert records
    answer = desk.ask("GET", path, by="reader")
    assert refusal(answer) == (422, "malformed")
    assert answer.json()["error"]["field"] == field


@pytest.mark.parametrize("number", ["-1", str(2**63), "x", "1.5"])
def test_a_number_that_is_none_is_told(desk: Desk, number: str) -> None:
    answer = desk.ask("POST", f"/v1/webhooks/dead/{number}/again", by="enforcer")
    assert refusal(answer) == (422, "malformed")


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_without_records_that_is_said_and_none_are_made(desk: Desk, method: str, path: str) -> None:
    by = "reader" if method == "GET" else "enforcer"
    assert refusal(desk.ask(method, path, by=by)) == (503, "no_records")
    assert not (desk.office.settings.data / RECORDS).exists()


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_records_that_are_broken_are_said_so_and_mended_ones_are_read(
    desk: Desk, method: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    data, by = desk.office.settings.data, "reader" if method == "GET" else "enforcer"
    (data / RECORDS).write_bytes(b"no data base" * 999)
    answer = desk.ask(method, path, by=by)
    assert refusal(answer) == (503, "records_unavailable")
    assert str(data) not in answer.text
    assert "file is not a database" in caplog.text
    (data / RECORDS).unlink()
    with open_records(data):
        assert desk.ask(method, path, by=by).status_code == (200 if method == "GET" else 404)


def test_the_desk_answers_while_the_records_are_slow(desk: Desk, records: Records) -> None:
    """A query that waits for the disk holds up nobody but those that need the records, too."""
    assert records
    go, room = threading.Event(), desk.office.records

    async def asked() -> Sequence[bool]:
        slow = asyncio.create_task(room.do(lambda _: go.wait(60)))
        behind = asyncio.create_task(room.backlogs())
        for _ in range(20):
            await asyncio.sleep(0.001)
        waited = slow.done() or behind.done()
        go.set()
        return [waited, await slow, len(await behind) == 2]

    assert asyncio.run(asked()) == [False, True, True]


# ------------------------------------------------------------------------------------------------------------ metrics


def metrics(desk: Desk) -> dict[tuple[str, str], float]:
    """The figures of the records, by name and receiver."""
    answer = desk.ask("GET", "/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    samples = [each for family in families for each in family.samples]
    wanted = ("fairgate_records_", "fairgate_webhook_")
    return {
        (each.name, each.labels.get("receiver", "")): each.value for each in samples if each.name.startswith(wanted)
    }


def test_metrics_tell_what_waits_and_how_far_the_records_are_behind(desk: Desk, records: Records) -> None:
    write(records, "gateway", 3, NOW - 7 * SECOND)
    write(records, "gone", 2, dead=True)
    found = metrics(desk)
    assert found == {
        ("fairgate_records_up", ""): 1,
        **{("fairgate_webhook_waiting", name): n for name, n in (("billing", 0), ("gateway", 3), ("gone", 0))},
        **{("fairgate_webhook_oldest_seconds", name): n for name, n in (("billing", 0), ("gateway", 7), ("gone", 0))},
        **{("fairgate_webhook_dead", name): n for name, n in (("billing", 0), ("gateway", 0), ("gone", 2))},
    }
    with open_log(desk.office.settings.data / "log") as log:
        for number in range(45):
            log.append(b"%d" % number)
        log.commit()
        assert metrics(desk)["fairgate_records_lag_records", ""] == 5
    records.ledger.take(Read(45, NOW), [], [], [])
    for letter in records.outbox.dead("gone", -1, 9):
        records.outbox.again(letter.number, NOW)
    records.outbox.arrived([each.number for each in records.outbox.waiting("gone", -1, 9)])
    found = metrics(desk)
    assert found["fairgate_records_lag_records", ""] == 0
    assert not [name for name, receiver in found if receiver == "gone"]


def test_metrics_are_there_whatever_the_records_are(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    path = desk.office.settings.data / RECORDS
    assert metrics(desk) == {}
    path.write_bytes(b"no data base" * 999)
    for _ in range(2):
        assert metrics(desk) == {("fairgate_records_up", ""): 0}
    assert caplog.text.count("the clerk's records can't be read") == 1
    path.unlink()
    with open_records(path.parent):
        assert metrics(desk)["fairgate_records_up", ""] == 1


def test_records_are_not_made_by_whoever_asks_for_them(tmp_path: Path) -> None:
    room = DeskRecords(Settings(data=tmp_path), SetClock())
    with pytest.raises(NoRecords):
        asyncio.run(room.backlogs())
    assert list(tmp_path.iterdir()) == []
