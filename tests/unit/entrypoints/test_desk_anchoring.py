"""The desk's anchors: one where rows have come, none else but daily, and none once vouched rows are gone."""

import asyncio
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from fairgate.domain.access import Granted, Scope
from fairgate.domain.audit import Doing, Kind
from fairgate.domain.ledger import Subject
from fairgate.domain.secret import Secrets
from fairgate.domain.windows import DAY
from fairgate.entrypoints.desk.anchoring import Anchoring
from fairgate.entrypoints.desk.at_the_door import AtTheDoor
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.entrypoints.door.anchors import PostAnchor
from fairgate.entrypoints.passes import passes_of
from fairgate.settings import Settings
from fairgate.wiring import RECORDS, open_records
from tests.support import NOW, SetClock

DOING = Doing(NOW, "ann", "", Kind.READ, Subject("decision", "1"), "ticket 7")


class Posted(AtTheDoor):
    """Notes what would be posted to a door, which may be shut."""

    def __init__(self, settings: Settings, clock: SetClock) -> None:
        super().__init__(settings.door, passes_of(settings, clock))
        self.posted: list[tuple[str, PostAnchor, Granted]] = []
        self.shut = False

    async def post(self, path: str, body: msgspec.Struct, granted: Granted) -> bytes:
        if self.shut:
            raise Refusal(503, "door_unavailable", "the door can't be reached")
        assert isinstance(body, PostAnchor)
        self.posted.append((path, body, granted))
        return b""


def test_where_the_audit_log_ends_is_posted_when_it_has_grown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock, settings = SetClock(), Settings(data=tmp_path)
    door = Posted(settings, clock)
    anchoring = Anchoring(DeskRecords(settings, clock), door, lambda: Secrets({1: 7}), 5)

    def counts() -> list[int]:
        asyncio.run(anchoring.anchor())
        return [anchor.count for _, anchor, _ in door.posted]

    assert counts() == []
    assert not (tmp_path / RECORDS).exists()
    with open_records(tmp_path) as records:
        records.audit.append([DOING, DOING])
        assert (counts(), counts()) == ([2], [2])
        records.audit.append([DOING])
        door.shut = True
        with caplog.at_level(logging.ERROR):
            assert (counts(), counts()) == ([2], [2])
        assert len(caplog.messages) == 1
        door.shut = False
        assert counts() == [2, 3]
        clock.time += DAY
        assert (counts(), counts()) == ([2, 3, 3], [2, 3, 3])
    path, _, granted = door.posted[0]
    assert (path, granted) == ("/v1/audit/anchors", Granted("", "fairgate desk", frozenset({Scope.ADMIN})))
    with closing(sqlite3.connect(tmp_path / RECORDS)) as connection, connection:
        connection.execute("delete from audit_row where number = 3")
    clock.time += DAY
    assert counts() == [2, 3, 3]
    assert "fairgate audit verify" in caplog.messages[-1]
