"""What the desk puts in the audit log, that it is there before anything is shown, and who may see it."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

import pytest

from fairgate.domain.access import Granted, Scope
from fairgate.domain.audit import Doing, Kind, Row, fingerprint, more_of
from fairgate.domain.errors import DeskUnwritable, RecordsUnavailable
from fairgate.domain.ledger import Subject
from fairgate.domain.reading import Sight
from fairgate.domain.windows import DAY, HOUR
from fairgate.entrypoints.desk.audit import DeskAudit
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.ports.audit import Sought
from fairgate.settings import Settings
from fairgate.wiring import RECORDS, Records, open_records
from tests.support import NOW, SetClock
from tests.unit.entrypoints.test_desk_app import Desk, refusal

QUERY = "select * from decisions where account = 'anna@example.com'"
ANALYST = Granted("abcd1234", "analyst", frozenset({Scope.SQL, Scope.PERSONAL}))
SEEN, HIDDEN = Sight(shown=True, told="shown", why="ticket 7"), Sight(shown=False, told="")


def rows(folder: Path) -> list[Row]:
    with open_records(folder) as records:
        return records.audit.rows(0, 1_000)


def audit_in(folder: Path) -> DeskAudit:
    return DeskAudit(DeskRecords(Settings(data=folder), SetClock()))


def test_who_asked_what_and_what_became_of_it(tmp_path: Path) -> None:
    audit = audit_in(tmp_path)
    asyncio.run(audit.asked("q1", ANALYST, "sql", QUERY, SEEN))
    asyncio.run(audit.asked("q2", ANALYST, "export", QUERY, HIDDEN))
    asyncio.run(audit.ended("q1", ANALYST, 200, 17))
    asked, hidden, ended = (each.doing for each in rows(tmp_path))
    print_ = sha256(QUERY.encode()).hexdigest()
    more = more_of(kind="sql", sha256=print_, characters=len(QUERY))
    assert asked == Doing(
        NOW, "analyst", "abcd1234", Kind.ASKED_PERSONAL, Subject("query", "q1"), "ticket 7", more=more
    )
    assert (hidden.what, hidden.why) == (Kind.ASKED, "")
    assert (ended.what, ended.about, json.loads(ended.more)) == (
        Kind.ENDED,
        Subject("query", "q1"),
        {"status": 200, "rows": 17},
    )
    assert b"anna" not in b"".join(path.read_bytes() for path in tmp_path.glob(f"{RECORDS}*"))


def test_an_older_desks_file_is_vouched_for_once_and_stays(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    audit = audit_in(tmp_path)
    asyncio.run(audit.take_over(file))
    assert not (tmp_path / RECORDS).exists()
    file.write_bytes(b'{"what":"asked"}\n')
    for _ in range(2):
        asyncio.run(audit.take_over(file))
    [row] = rows(tmp_path)
    assert (row.doing.what, row.doing.by, row.doing.about) == (
        Kind.OLD_FILE,
        "fairgate desk",
        Subject("file", "audit.jsonl"),
    )
    assert json.loads(row.doing.more) == {"sha256": sha256(b'{"what":"asked"}\n').hexdigest(), "bytes": 17}
    assert file.read_bytes() == b'{"what":"asked"}\n'


def test_an_older_desks_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    with pytest.raises(DeskUnwritable, match=r"audit\.jsonl"):
        asyncio.run(audit_in(tmp_path).take_over(tmp_path / "audit.jsonl"))


def test_what_cannot_be_noted_is_told(tmp_path: Path) -> None:
    (tmp_path / RECORDS).write_bytes(b"none" * 999)
    with pytest.raises(RecordsUnavailable):
        asyncio.run(audit_in(tmp_path).ended("q1", ANALYST, 200, 1))


def test_any_text_has_a_fingerprint() -> None:
    assert len({fingerprint(each) for each in ("", "a", "\ud800", "\0")}) == 4


# ------------------------------------------------------------------------------------------------------------ over HTTP


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with ExitStack() as stack:
        scopes = {"lead": frozenset({Scope.AUDIT}), "insider": frozenset({Scope.READ, Scope.SQL, Scope.PERSONAL})}
        yield Desk(tmp_path, stack, scopes)


@pytest.fixture
def records(desk: Desk) -> Iterator[Records]:
    with open_records(desk.office.settings.data) as opened:
        yield opened


def doing(what: Kind, time: int, by: str = "ann", value: str = "1") -> Doing:
    return Doing(time, by, "", what, Subject("decision", value), "ticket 7")


def test_rows_are_shown_the_newest_first_page_by_page(desk: Desk, records: Records) -> None:
    kinds = [Kind.READ, Kind.ALLOWED, Kind.LISTED]
    records.audit.append([doing(kinds[at % 3], NOW + at, "ann" if at % 2 else "bob") for at in range(7)])
    first = desk.ask("GET", "/v1/audit?limit=3", by="lead")
    assert (first.status_code, first.headers["cache-control"]) == (200, "no-store")
    assert ([each["number"] for each in first.json()["rows"]], first.json()["next"]) == ([7, 6, 5], 5)
    second = desk.ask("GET", "/v1/audit?limit=4&before=5", by="lead").json()
    assert ([each["number"] for each in second["rows"]], second["next"]) == ([4, 3, 2, 1], None)
    assert second["rows"][-1]["why"] == "ticket 7"

    def numbers(asked: str) -> list[int]:
        answer = desk.ask("GET", f"/v1/audit?{asked}", by="lead")
        assert answer.status_code == 200, answer.text
        return [each["number"] for each in answer.json()["rows"]]

    assert numbers("by=ann") == [6, 4, 2]
    assert numbers("what=allow.put&what=list.put") == [6, 5, 3, 2]
    assert numbers("kind=decision&value=2") == []
    assert numbers("since=2026-01-05T10:31:12.000003Z&until=2026-01-05T10:31:12.000005Z") == [5, 4]
    for bad in ("what=nothing", "kind=decision", "since=2026-01-05T10:31:12", "limit=0", "before=-1"):
        assert refusal(desk.ask("GET", f"/v1/audit?{bad}", by="lead")) == (422, "malformed")


def test_those_who_lead_see_unusual_reading_and_every_allow_listing(desk: Desk, records: Records) -> None:
    usual = [doing(Kind.READ, NOW - day * DAY, by) for day in range(1, 9) for by in ("ann", "bob") for _ in range(5)]
    much = [doing(Kind.READ, NOW - HOUR, "bob", str(at)) for at in range(26)]
    records.audit.append([*usual, *much, doing(Kind.ALLOWED, NOW), doing(Kind.ALLOWED, NOW - 30 * DAY)])
    told = desk.ask("GET", "/v1/audit/notices", by="lead").json()
    assert {(each["by"], each["within"], each["times"]) for each in told["unusual"]} == {
        ("bob", "hour", 26),
        ("bob", "day", 26),
    }
    assert [(each["what"], each["time"]) for each in told["allowed"]] == [("allow.put", "2026-01-05T10:31:12Z")]
    assert told["next"] is None


def test_an_export_with_personal_values_is_noted_each_time_it_is_fetched(desk: Desk) -> None:
    why = {"Fairgate-Reason": "ticket 7"}
    masked = desk.ask("POST", "/v1/exports", by="insider", json={"query": QUERY})
    assert (masked.json()["job"]["personal"], masked.headers["fairgate-personal"]) == (False, "hidden; no reason")
    desk.office.jobs.cancel(next(iter(desk.office.jobs.folders.all())))
    made = desk.ask("POST", "/v1/exports", by="insider", headers=why, json={"query": QUERY})
    assert (made.json()["job"]["personal"], made.headers["fairgate-personal"]) == (True, "shown")
    folders, job = desk.office.jobs.folders, made.json()["job"]["id"]
    kept = folders.get(job)
    assert kept is not None
    (folders.folder(kept) / kept.file).write_bytes(b"PAR1")
    folders.put(type(kept)(**{name: getattr(kept, name) for name in kept.__slots__} | {"state": "done"}))
    assert refusal(desk.ask("GET", f"/v1/jobs/{job}/file", by="insider")) == (403, "no_reason")
    assert desk.ask("GET", f"/v1/jobs/{job}/file", by="insider", headers=why).content == b"PAR1"
    with open_records(desk.office.settings.data) as records:
        found = records.audit.found(Sought(what=(Kind.READ,)), 1_000, 9)
    assert [(each.doing.by, each.doing.about, each.doing.why) for each in found] == [
        ("insider", Subject("export", job), "ticket 7")
    ]
