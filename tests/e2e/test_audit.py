"""The audit log of a running service: who reads is noted, whatever is killed, and the event log vouches."""

import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fairgate.domain.access import Scope
from fairgate.domain.audit import Doing, Kind, signed
from fairgate.domain.ledger import Subject
from fairgate.domain.secret import Secrets
from fairgate.entrypoints.door.anchors import asked_for
from fairgate.secret_file import secrets_of
from fairgate.wiring import open_records
from tests.e2e import test_appeals
from tests.e2e.desks import audited, children_of, until
from tests.e2e.doors import fairgate
from tests.e2e.test_appeals import PERSON, SUSPEND, Service, told

KEYS = {
    "ann": PERSON | {Scope.DECIDE, Scope.READ, Scope.PERSONAL},
    "lead": frozenset({Scope.AUDIT}),
    "root": frozenset({Scope.ADMIN, Scope.READ}),
}
SIGNUP = {
    "specversion": "1.0",
    "source": "t",
    "id": "1",
    "type": "account.signup",
    "data": {"account": "a1", "email": "anna@example.com"},
}
WHY = {"fairgate-reason": "ticket 7"}


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(test_appeals, "KEYS", KEYS)
    with ExitStack() as stack:
        yield Service(tmp_path, stack)


def stopped(service: Service) -> None:
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(30) == 0


def verified(service: Service, code: int = 0) -> dict[str, Any]:
    done = fairgate("audit", "verify", "--json", "--config", service.config)
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def clerk_of(service: Service) -> int:
    children = children_of(service.process.pid)
    return next(pid for pid in children if b"clerk_command" in Path(f"/proc/{pid}/cmdline").read_bytes())


def reads(service: Service) -> list[Doing]:
    return [each for each in audited(service.settings) if each.what == Kind.READ]


def test_who_reads_is_noted_and_shown_to_those_who_lead(service: Service) -> None:
    with service.as_("ann") as (door, _):
        number = told(door.post("/v1/decide", json=SIGNUP))["sequence"]
        hidden = door.get(f"/v1/decisions/{number}")
        assert (hidden.headers["fairgate-personal"], "anna@" in hidden.text) == ("hidden; no reason", False)
        shown = door.get(f"/v1/decisions/{number}", headers=WHY)
        assert (shown.headers["fairgate-personal"], "anna@" in shown.text) == ("shown", True)
        assert door.get("/v1/entities/email/anna@example.com", headers=WHY).json()["value"] == "anna@example.com"
        for unfit in ("x", "x" * 301, "case 12"):
            assert "anna@" not in door.get(f"/v1/decisions/{number}", headers={"fairgate-reason": unfit}).text
        os.kill(clerk_of(service), signal.SIGKILL)
        told(door.post("/v1/actions", json=SUSPEND), 201)
    until(lambda: any(each.what == Kind.ACTED for each in audited(service.settings)))
    first, second = reads(service)
    assert (first.by, first.about, first.why) == ("ann", Subject("decision", str(number)), "ticket 7")
    assert (second.about.kind, second.about.value[:3]) == ("email", "t1:")
    with service.as_("lead") as (_, desk):
        rows = told(desk.get("/v1/audit?by=ann&what=personal.read"))["rows"]
        assert [each["why"] for each in rows] == ["ticket 7", "ticket 7"]
        assert told(desk.get("/v1/audit/notices"))["unusual"] == []
    stopped(service)
    checked = verified(service)
    assert checked["vouched"] == checked["rows"] == len(audited(service.settings))
    assert all(b"anna@" not in path.read_bytes() for path in service.settings.data.glob("records.db*"))


def test_what_is_cut_off_is_found_and_acknowledged(service: Service) -> None:
    records = service.settings.data / "records.db"
    with service.as_("ann") as (door, _):
        told(door.post("/v1/actions", json=SUSPEND), 201)
        until(lambda: any(each.what == Kind.ACTED for each in audited(service.settings)))
    stopped(service)
    rows = verified(service)["rows"]
    shutil.copy(records, records.with_suffix(".whole"))
    with closing(sqlite3.connect(records)) as connection, connection:
        connection.execute("delete from audit_row where number = ?", (rows,))
    listed = fairgate("audit", "list", "--config", service.config).stdout
    assert "pack.live" in listed
    assert "action.taken" not in listed
    [fault] = verified(service, 1)["faults"]
    assert (fault["kind"], fault["first"], fault["last"]) == ("cut off", rows, rows)
    asked = ("audit", "acknowledge", "--config", service.config, "--by", "eve", "--why", "restored a backup")
    assert fairgate(*asked).returncode == 0
    assert verified(service)["acknowledged"] == 1
    again = fairgate(*asked)
    assert (again.returncode, "Nothing is cut off" in again.stderr) == (1, True)
    with closing(sqlite3.connect(records)) as connection, connection:
        connection.execute("update audit_row set done_by = 'nobody' where number = 1")
    assert fairgate("audit", "verify", "--config", service.config).stdout.count("row 1: changed") == 1
    refused = fairgate(*asked)
    assert (refused.returncode, "More is wrong" in refused.stderr) == (1, True)


def test_an_anchor_must_be_signed_by_the_installations_secret(service: Service) -> None:
    data = service.settings.data
    with service.as_("root") as (door, _):
        until(lambda: (data / "records.db").exists() and bool(audited(service.settings)))
        with open_records(data) as records:
            head = records.audit.head()
        own, others = secrets_of(data, make=False), Secrets({1: 5})
        forged, named, sound = signed(head, others), signed(head, own, kept=0, by="ann", why="so"), signed(head, own)
        for anchor, status in ((forged, 403), (named, 422), (sound, 200)):
            answer = door.post("/v1/audit/anchors", content=msgspec.json.encode(asked_for(anchor)))
            assert answer.status_code == status, answer.text
        assert door.post("/v1/audit/anchors", json={"count": 1}).status_code == 422
    with service.as_("ann") as (door, _):
        assert door.post("/v1/audit/anchors", content=msgspec.json.encode(asked_for(sound))).status_code == 403
    stopped(service)
    assert verified(service)["anchors"] == 2
