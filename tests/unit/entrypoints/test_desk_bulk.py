"""Bulk actions at the desk: who may do what and when, and what a page that is cut short leaves behind."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.domain.access import Scope
from fairgate.domain.action import Action
from fairgate.domain.bulk import Bulk, BulkState, Evidence, Order, Preview
from fairgate.domain.ledger import FOREVER, Entry, Subject
from fairgate.domain.windows import HOUR
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.ports.ledger import Read
from fairgate.settings import DoorSettings
from fairgate.wiring import Records, open_records
from tests.support import NOW, PACK
from tests.unit.entrypoints.test_desk_app import Desk, refusal
from tests.unit.entrypoints.test_desk_appeals import FakeDoor, at, go_live, granted_by

ENFORCES = frozenset({Scope.ENFORCE, Scope.READ})
KEYS = {"ann": ENFORCES, "bob": ENFORCES}
ORDER = Order(Action.SUSPEND, "7d", ("burst",), ("case 7",), "one ring")
ACCOUNTS = ["a", "b", "c"]


def draft(ref: str = "1", *, second: bool = True, by: str = "ann") -> Bulk:
    preview = Preview(3, {}, "use", None, None, 3, Evidence(30, 3, 0, ()), 5, ())
    return Bulk(-1, ref, NOW, by, NOW + HOUR, ORDER, "", preview, second)


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor()


def made(folder: Path, stack: ExitStack, door: FakeDoor, *, keys: bool = True) -> Desk:
    go_live(folder, PACK)
    desk = Desk(folder, stack, KEYS if keys else {}, DoorSettings(port=door.port))
    stack.enter_context(door.open())
    return desk


@pytest.fixture
def desk(tmp_path: Path, door: FakeDoor) -> Iterator[Desk]:
    with ExitStack() as stack:
        yield made(tmp_path, stack, door)


@pytest.fixture
def records(desk: Desk) -> Iterator[Records]:
    with open_records(desk.office.settings.data) as opened:
        yield opened


def kept(records: Records, bulk: Bulk) -> int:
    return records.bulks.draft(bulk, ACCOUNTS).bulk.number


def asked(desk: Desk, by: str, number: int, what: str, **body: object) -> Any:  # noqa: ANN401 - JSON
    return desk.ask("POST", f"/v1/bulk/{number}/{what}", by=by, json=body)


def confirmed(desk: Desk, number: int, by: str = "ann") -> Any:  # noqa: ANN401 - JSON
    return asked(desk, by, number, "confirm", typed="suspend 3 accounts")


def state(records: Records, number: int) -> tuple[BulkState, str]:
    found = records.bulks.get(number)
    assert found is not None
    return found.state, found.problem


def once(desk: Desk) -> bool:
    return asyncio.run(desk.office.bulk_runner.once())


def answers(door: FakeDoor, *numbers: int) -> None:
    door.status, door.body = 200, json.dumps({"taken": len(numbers), "numbers": numbers, "refused": []}).encode()


def test_only_somebody_else_approves_and_only_in_time(desk: Desk, records: Records) -> None:
    number = kept(records, draft())
    assert refusal(asked(desk, "bob", number, "approve")) == (409, "not_now")
    assert refusal(asked(desk, "ann", number, "confirm", typed="suspend 4 accounts")) == (422, "not_as_said")
    assert confirmed(desk, number, "bob").json()["state"] == "waiting"
    assert refusal(confirmed(desk, number)) == (409, "not_now")
    assert refusal(asked(desk, "ann", number, "approve")) == (403, "drafted_it")
    assert refusal(asked(desk, "bob", number, "approve")) == (403, "confirmed_it")
    at(desk, NOW + HOUR)
    assert refusal(asked(desk, "bob", number, "approve")) == (409, "expired")
    assert refusal(asked(desk, "bob", number, "cancel", why="no")) == (409, "expired")
    assert desk.ask("GET", f"/v1/bulk/{number}", by="bob").json()["state"] == "expired"
    other = kept(records, draft("2"))
    assert refusal(confirmed(desk, other)) == (409, "expired")
    assert refusal(asked(desk, "bob", 77, "approve")) == (404, "not_found")


def test_one_that_is_rejected_or_cancelled_does_nothing(desk: Desk, records: Records, door: FakeDoor) -> None:
    first, second = kept(records, draft()), kept(records, draft("2", second=False))
    assert confirmed(desk, first).status_code == 200
    assert asked(desk, "bob", first, "reject", why="students").json()["state"] == "rejected"
    assert refusal(asked(desk, "ann", first, "undo", why="so")) == (409, "not_now")
    assert asked(desk, "ann", second, "cancel", why="so").json()["state"] == "cancelled"
    assert once(desk) is False
    assert door.asked == []


def test_it_runs_in_the_approvers_name(desk: Desk, records: Records, door: FakeDoor) -> None:
    number = kept(records, draft())
    confirmed(desk, number)
    assert asked(desk, "bob", number, "approve").json()["state"] == "running"
    answers(door, 4, 5, 6)
    assert once(desk) is once(desk) is True
    assert once(desk) is False
    [(path, key, sent)] = door.asked
    assert (path, sent["values"], sent["ref"], sent["for"]) == ("/v1/actions/batch", ACCOUNTS, f"bulk-{number}", "7d")
    assert (granted_by(desk, key).by, granted_by(desk, key).scopes) == ("bob", ENFORCES)
    assert state(records, number) == (BulkState.DONE, "")


def test_a_key_that_is_revoked_stops_it(desk: Desk, records: Records, door: FakeDoor) -> None:
    number = kept(records, draft(second=False))
    confirmed(desk, number)
    with open_api_keys(desk.office.settings.data / "keys.db") as keys:
        [ann] = [each.id for each in keys.all() if each.name == "ann"]
        keys.revoke(ann, NOW)
    desk.office.access.refresh()
    once(desk)
    stopped, problem = state(records, number)
    assert (stopped, "key" in problem, door.asked) == (BulkState.STOPPED, True, [])


def test_a_door_that_is_away_is_asked_again_and_one_that_refuses_ends_it(
    desk: Desk, records: Records, door: FakeDoor
) -> None:
    number = kept(records, draft(second=False))
    confirmed(desk, number)
    door.refuses(503, "busy")
    with pytest.raises(Refusal):
        once(desk)
    assert state(records, number) == (BulkState.RUNNING, "")
    door.refuses(422, "unknown_reason")
    once(desk)
    assert state(records, number) == (BulkState.STOPPED, "the door: as it says")


def test_the_page_under_way_is_finished_when_it_is_cancelled(desk: Desk, records: Records, door: FakeDoor) -> None:
    number = kept(records, draft(second=False))
    confirmed(desk, number)
    assert records.bulks.page(number, 2) == ACCOUNTS[:2]  # sent, and then the desk was killed
    assert asked(desk, "bob", number, "cancel", why="enough").json()["state"] == "cancelling"
    answers(door, 4, 5)
    once(desk)
    assert state(records, number) == (BulkState.CANCELLED, "")
    assert [sent["values"] for _, _, sent in door.asked] == [ACCOUNTS[:2]]
    progress = records.bulks.progress(number)
    assert (progress.taken, progress.left) == (2, 1)


def test_an_undo_finds_what_a_page_did_that_was_cut_short(desk: Desk, records: Records, door: FakeDoor) -> None:
    number = kept(records, draft(second=False))
    confirmed(desk, number)
    records.bulks.page(number, 3)
    door.refuses(403, "scope_missing")
    once(desk)
    entry = Entry(4, Subject("account", "a"), Action.SUSPEND, NOW - 9, FOREVER, ("burst",), (), "p", "ann", "so")
    ours = replace(entry, ref=f"bulk-{number}/a")
    ended = replace(ours, number=5, subject=Subject("account", "b"), ref=f"bulk-{number}/b", ends=NOW)
    records.ledger.take(Read(0, NOW), [ours, ended, replace(entry, number=6)], [], [])
    assert asked(desk, "bob", number, "undo", why="wrong").json()["state"] == "undoing"
    door.asked.clear()
    assert once(desk) is False  # the clerk has not read all of the log
    records.ledger.take(Read(1_000, NOW), [], [], [])
    door.status, door.body = 200, b'{"undone": 1, "missing": []}'
    assert once(desk) is once(desk) is True
    assert [(path, sent["numbers"]) for path, _, sent in door.asked] == [("/v1/actions/batch/undo", [4])]
    progress = records.bulks.progress(number)
    assert (progress.fates, progress.refused) == ({"undone": 1, "ended": 1}, {"stopped": 1})
    assert state(records, number)[0] == BulkState.UNDONE


def test_without_keys_nobody_is_a_second_person(tmp_path: Path, door: FakeDoor) -> None:
    with ExitStack() as stack:
        desk = made(tmp_path, stack, door, keys=False)
        records = stack.enter_context(open_records(tmp_path))
        many, few = (kept(records, draft(ref, second=ref == "1", by="x")) for ref in ("1", "2"))
        assert confirmed(desk, many, "").json()["state"] == "waiting"
        assert refusal(asked(desk, "", many, "approve")) == (403, "not_told_apart")
        assert confirmed(desk, few, "").json()["state"] == "running"
        answers(door, 1, 2, 3)
        assert once(desk)
        assert records.bulks.progress(few).taken == 3
