"""Every fault that the doctor is there for is planted, and found; a service that is well has none."""

import json
import shutil
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fairgate.backends.embedded import lake_manifest
from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.backends.embedded.lake_manifest import Manifest
from fairgate.backends.embedded.segments import open_log
from fairgate.domain.access import ApiKey, Scope
from fairgate.domain.action import Action
from fairgate.domain.appeal import Appeal, Ruling
from fairgate.domain.audit import Doing, Kind, signed
from fairgate.domain.bulk import Bulk, BulkState, Evidence, Happening, Order, Preview
from fairgate.domain.event import moment
from fairgate.domain.ledger import Subject
from fairgate.domain.memory import Memory, Remembered
from fairgate.domain.windows import DAY, HOUR, MINUTE
from fairgate.entrypoints import doctor_command
from fairgate.entrypoints.doctor import data as doctor_data
from fairgate.entrypoints.doctor import machine
from fairgate.entrypoints.doctor import memory as doctor_memory
from fairgate.entrypoints.doctor import records as doctor_records
from fairgate.entrypoints.doctor.finding import Finding, Installation, State
from fairgate.entrypoints.door.anchors import record_of
from fairgate.entrypoints.signing import new_secret
from fairgate.pipeline.records import ListRecord, MemoryRecord, Record, UndoRecord, decode, encode
from fairgate.ports.bulks import Step
from fairgate.ports.ledger import Message, Read
from fairgate.secret_file import secrets_of
from fairgate.settings import settings_of
from fairgate.wiring import RECORDS, open_records
from tests.support import PACK, SECRET, open_pipeline, traffic

EVENTS = traffic(60)
NOW = EVENTS[-1][1] + MINUTE
DOOR, DESK = "[door]\nport = {}\n", "[desk]\nport = {}\n"


class Patient(NamedTuple):
    """A service's folder, and its settings' text."""

    folder: Path
    text: str

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def say(self, text: str, *, instead: str = "") -> None:
        """Put text into the settings: at their end, or in the place of something."""
        changed = self.text.replace(instead, text) if instead else self.text + text
        (self.folder / "fairgate.toml").write_text(changed)

    def found(self, name: str, now: int = NOW) -> Finding:
        """What one check finds."""
        found = doctor_command.examine(self.folder / "fairgate.toml", {}, now)
        return next(each for check, each in found if check.name == name)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    (folder / "pack").mkdir()
    (folder / "pack" / "pack.toml").write_text(PACK)
    with open_pipeline(folder / "data") as pipeline:
        pipeline.take([pipeline.decoder.single(raw, received) for raw, received in EVENTS])
        pipeline.erase("a3", "test", "asked for it")
        pipeline.keep(pipeline.capture(pipeline.mark()))
    with open_log(folder / "data" / "log", read_only=True) as log:
        end = log.end()
    (folder / "data" / "secret").write_text(f"1:{SECRET:x}\n")
    (folder / "data" / "secret").chmod(0o600)
    (folder / "data" / "lake").mkdir()
    lake_manifest.write(folder / "data" / "lake", Manifest(lake_manifest.FORMAT, end, 0, (), ()))
    with open_api_keys(folder / "data" / "keys.db") as keys:
        keys.add(key("one", last_used=NOW))
    return folder


@pytest.fixture
def patient(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Patient:
    """A service that is well, on free ports. Only the webhook `well` has a secret."""
    monkeypatch.setenv("FAIRGATE_WEBHOOK_WELL", new_secret())
    shutil.copytree(sound, tmp_path / "service", symlinks=True)
    text = 'pack = "pack"\ndata = "data"\n' + DOOR.format(free_port()) + DESK.format(free_port())
    (tmp_path / "service" / "fairgate.toml").write_text(text)
    return Patient(tmp_path / "service", text)


def key(name: str, *, created: int = NOW, expires: int | None = None, last_used: int | None = None) -> ApiKey:
    return ApiKey(name, name, frozenset({Scope.DECIDE}), name.encode(), created, expires, last_used=last_used)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def answering(port: int, status: int, body: bytes) -> Iterator[None]:
    """Something that answers so, whatever it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certificate(folder: Path, ends: timedelta) -> None:
    """A certificate, `cert.pem`, that ends so much after now, and its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "door.test")])
    built = x509.CertificateBuilder(
        name, name, private.public_key(), 7, moment(NOW) - timedelta(days=400), moment(NOW) + ends
    ).sign(private, hashes.SHA256())
    (folder / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


# --------------------------------------------------------------------------------------------------------------- faults


def with_text(path: str, old: bytes, new: bytes) -> Callable[[Patient], object]:
    """Replace bytes in a file."""
    return lambda patient: (patient.folder / path).write_bytes((patient.folder / path).read_bytes().replace(old, new))


def damage_the_log(patient: Patient) -> None:
    segment = next((patient.data / "log").glob("*.log"))
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 2] ^= 1
    segment.write_bytes(raw)


def write_a_newer_log(patient: Patient) -> None:
    shutil.rmtree(patient.data / "log")
    with open_log(patient.data / "log") as log:
        log.append(b"\x99\xa4pack\x00\x63\xa1d\x80\x80\x80\x80\x80")
        log.commit()


def put_an_erased_key_back(patient: Patient) -> None:
    path = patient.data / "subjects.keys"
    raw = path.read_bytes()
    at = raw.index(bytes(32), 32)
    assert at % 32 == 0
    path.write_bytes(raw[:at] + b"k" * 32 + raw[at + 32 :])


def drop_the_beginning(patient: Patient) -> None:
    """As if a log that was restated had been cut: its last record is the pack's, said again."""
    with open_log(patient.data / "log") as log:
        log.append(log.get(0))
        log.drop(log.commit() - 1)


def lose_the_snapshots_of_a_cut_log(patient: Patient) -> None:
    drop_the_beginning(patient)
    shutil.rmtree(patient.data / "snapshots")


def cut_the_log_above_the_lake(patient: Patient) -> None:
    put_the_lake_at(3)(patient)
    drop_the_beginning(patient)


def keep_the_log_too_short_for_the_pack(patient: Patient) -> None:
    patient.say("[log]\ndays = 32\n")
    with_text("pack/pack.toml", b'over="24h") >= 2', b'over="90d") >= 2')(patient)


def put_the_lake_at(sequence: int) -> Callable[[Patient], object]:
    return lambda patient: lake_manifest.write(
        patient.data / "lake", Manifest(lake_manifest.FORMAT, sequence, 0, (), ())
    )


def keys_of(*given: ApiKey, revoke: bool = False) -> Callable[[Patient], None]:
    """Only these keys."""

    def plant(patient: Patient) -> None:
        (patient.data / "keys.db").unlink()
        with open_api_keys(patient.data / "keys.db") as keys:
            for each in given:
                keys.add(each)
                if revoke:
                    keys.revoke(each.id, NOW)

    return plant


def listen_everywhere_without_keys(patient: Patient) -> None:
    (patient.data / "keys.db").unlink()
    patient.say('[door]\nhost = "0.0.0.0"', instead="[door]")


def tls_with(ends: timedelta, *, of_another: bool = False) -> Callable[[Patient], None]:
    """TLS with a certificate that ends then, with the key of another one if asked."""

    def plant(patient: Patient) -> None:
        certificate(patient.folder, ends)
        if of_another:
            kept = (patient.folder / "cert.pem").read_bytes()
            certificate(patient.folder, ends)
            (patient.folder / "cert.pem").write_bytes(kept)
        patient.say('[door]\ntls_cert = "cert.pem"\ntls_key = "key.pem"', instead="[door]")

    return plant


def read_so_far(sequence: int, *more: Callable[[Patient], object]) -> Callable[[Patient], None]:
    """A clerk has read so far; and more."""

    def plant(patient: Patient) -> None:
        with open_records(patient.data) as records:
            records.ledger.take(Read(sequence, NOW), [], [], [])
        for each in more:
            each(patient)

    return plant


def letters(receiver: str, count: int, made: int, *, dead: bool = False) -> Callable[[Patient], None]:
    """Messages to a service wait, or were put aside."""

    def plant(patient: Patient) -> None:
        about = Subject("account", "a")
        with open_records(patient.data) as records:
            messages = [Message(f"action_{number}_taken", about, "standing.changed", b"{}") for number in range(count)]
            records.ledger.take(Read(62, made), [], messages, [receiver])
            for letter in records.outbox.waiting(receiver, -1, count) if dead else []:
                records.outbox.give_up(letter)

    return plant


def audited(statement: str, *, anchored: bool = False, age: int = 0) -> Callable[[Patient], None]:
    """Three rows of the audit log, to which something is done, and perhaps an anchor from before, so old."""

    def keep(patient: Patient) -> None:
        doing = Doing(NOW, "ann", "", Kind.READ, Subject("decision", "1"), "ticket 7")
        with open_records(patient.data) as records:
            records.audit.append([doing] * 3)
            head = records.audit.head()
        if anchored:
            anchor = record_of(signed(head, secrets_of(patient.data, make=False)), NOW - age)
            with open_log(patient.data / "log") as log:
                log.append(encode(anchor))
                log.commit()
        with closing(sqlite3.connect(patient.data / RECORDS)) as connection, connection:
            connection.execute(statement)

    return keep


def appeals(count: int, due: int) -> Callable[[Patient], None]:
    """So many appeals that are due then, and another that was decided late."""

    def file(patient: Patient) -> None:
        with open_records(patient.data) as records:
            for number in range(count + 1):
                asked = Appeal(
                    -1, number, Subject("account", "a"), "ann", due, "desk", due + number, "why?", f"{number}"
                )
                filed = records.appeals.file(asked)
            records.appeals.decide(filed.appeal.number, Ruling(granted=False, at=NOW, by="bob", why="so"))

    return file


def bulks(state: BulkState, since: int) -> Callable[[Patient], None]:
    """A bulk action on four accounts, one of which is done, in a state since then."""

    def keep(patient: Patient) -> None:
        order = Order(Action.SUSPEND, "7d", ("ring",), (), "one ring")
        preview = Preview(4, {}, "use", None, None, 4, Evidence(30, 4, 0, ("a",)), 5, ())
        with open_records(patient.data) as records:
            asked = Bulk(-1, "1", since, "ann", since + HOUR, order, "", preview, second=False)
            number = records.bulks.draft(asked, ["a", "b", "c", "d"]).bulk.number
            records.bulks.settle(number, {"a": 0}, {})
            step = Step(BulkState.DRAFT, Happening(since, "ann", state), problem="the key has ended")
            assert records.bulks.step(number, step)

    return keep


def remembers(patient: Patient) -> None:
    """The pack remembers banned accounts."""
    with (patient.folder / "pack" / "pack.toml").open("a") as pack:
        pack.write('[[list]]\nname = "mailboxes"\nentity = "email"\n')
        pack.write('remembers = { of = ["ban"], on = "account.signup", for = "365d", shared_by = 2 }\n')


def memories(patient: Patient, *records: Record) -> None:
    """What is remembered, and what was done to it."""
    with open_log(patient.data / "log") as log:
        for each in records:
            log.append(encode(each))
        log.commit()


def told(*names: str, more: str = "") -> Callable[[Patient], None]:
    """These services are to be told."""
    return lambda patient: patient.say("".join(f"[webhook.{name}]\n" for name in names) + more)


def several(*planted: Callable[[Patient], object]) -> Callable[[Patient], None]:
    """More than one fault."""

    def plant(patient: Patient) -> None:
        for each in planted:
            each(patient)

    return plant


BAD, WARN = State.BAD, State.WARN
FAULTS: list[tuple[str, Callable[[Patient], object], State, str]] = [
    ("settings", lambda patient: patient.say("prot = 1\n"), BAD, "there is no `prot` here"),
    ("pack", with_text("pack/pack.toml", b'plan == "enterprise"', b'plam == "enterprise"'), BAD, "`plam`"),
    ("pack", lambda patient: patient.say("[retention.nothing]\ndays = 1\n"), BAD, "the pack has no such event type"),
    ("folder", lambda patient: (patient.data / "secret").chmod(0o640), BAD, "secret can be read by others"),
    ("folder", lambda patient: (patient.data / "subjects.keys").chmod(0o604), BAD, "subjects.keys can be read by"),
    ("log", damage_the_log, BAD, "can't be read, the checksum is wrong"),
    ("log", write_a_newer_log, BAD, "records from here on have format 99"),
    ("secret", lambda patient: (patient.data / "secret").unlink(), BAD, "There is no"),
    (
        "secret",
        lambda patient: (patient.data / "secret").write_text("1:no"),
        BAD,
        "must be 16 to 64 hexadecimal digits",
    ),
    ("secret", with_text("data/secret", b"1:5eed", b"1:5eee"), BAD, "is not what the log was written with"),
    ("secret", with_text("data/secret", b"1:5eed", b"2:5eed"), BAD, "version 1 of FAIRGATE_SECRET is gone"),
    ("secret", lambda patient: (patient.data / "subjects.keys").unlink(), BAD, "Restore it from the backup"),
    (
        "snapshot",
        lambda patient: (
            patient.say("[door]\nsnapshot_events = 20", instead="[door]"),
            with_text("pack/pack.toml", b'version = "1"', b'version = "2"')(patient),
        ),
        WARN,
        "none fits this pack and version: a start reads all",
    ),
    ("snapshot", lose_the_snapshots_of_a_cut_log, BAD, "there is none, and the log's old records are dropped"),
    ("age", keep_the_log_too_short_for_the_pack, BAD, "days is 32, and the pack looks back over 90 days"),
    ("lake", cut_the_log_above_the_lake, BAD, "and the log has dropped what came before"),
    ("erased", put_an_erased_key_back, BAD, "1 of 1 erased accounts can still be read"),
    ("lake", put_the_lake_at(1_000), BAD, "it goes to record 1,000"),
    ("lake", lambda patient: (patient.data / "lake" / "lake.json").write_text("{"), BAD, "can't be understood"),
    ("records", lambda patient: (patient.data / RECORDS).write_bytes(b"none" * 999), BAD, "Restore it from a backup"),
    ("records", read_so_far(63), BAD, "they go to record 63, and the log only to 62"),
    ("records", read_so_far(3, drop_the_beginning), BAD, "they go to record 3, and the log has dropped"),
    (
        "folder",
        read_so_far(3, lambda patient: (patient.data / RECORDS).chmod(0o644)),
        BAD,
        "records.db can be read by others",
    ),
    (
        "records",
        lambda patient: (patient.data / RECORDS).write_bytes(b"none" * 999),
        BAD,
        "audit log stand in it alone",
    ),
    ("records", read_so_far(63), BAD, "Appeals and the audit log stand nowhere else, and go with it"),
    ("audit", audited("update audit_row set why = 'x' where number = 2"), BAD, "row 2 is not as it was: changed"),
    ("audit", audited("delete from audit_row where number = 3", anchored=True), BAD, "row 3 is not as it was: cut off"),
    (
        "audit",
        audited("select 1"),
        WARN,
        "the last 3 of 3 rows are as they were written, and none of them is vouched for",
    ),
    ("audit", audited("select 1", anchored=True, age=3 * DAY), WARN, "the log vouched for row 3 3 d ago"),
    ("appeals", appeals(3, NOW - 2 * DAY), WARN, "3 are open, 3 of them overdue, the first for 2 d"),
    ("bulk", bulks(BulkState.RUNNING, NOW - 2 * HOUR), WARN, "is running for 2 h: 3 accounts left of 4"),
    ("bulk", bulks(BulkState.UNDOING, NOW - 2 * HOUR), WARN, "is undoing for 2 h: 0 undone of 1"),
    ("bulk", bulks(BulkState.STOPPED, NOW - DAY), WARN, "stopped, 3 of 4 accounts are left: the key has ended"),
    (
        "bulk",
        several(bulks(BulkState.RUNNING, NOW), lambda patient: patient.say("enabled = false\n")),
        WARN,
        "and the desk, which carries it out, is switched off",
    ),
    (
        "memory",
        several(remembers, lambda patient: patient.say("enabled = false\n")),
        WARN,
        "nothing is remembered in mailboxes, and the desk is switched off",
    ),
    ("webhooks", told("gate-way"), BAD, "needs a secret in the environment variable FAIRGATE_WEBHOOK_GATE_WAY"),
    ("webhooks", several(told("well"), letters("well", 3, NOW, dead=True)), WARN, "3 messages to well were put aside"),
    (
        "webhooks",
        several(told("well"), letters("well", 2, NOW - 3 * HOUR)),
        WARN,
        "2 messages wait for well, the oldest for 3 h",
    ),
    ("webhooks", letters("gone", 2, NOW), WARN, "2 messages wait for gone, which the settings don't have"),
    ("leftovers", lambda patient: (patient.data / "log.format-1").mkdir(), WARN, "holds log.format-1"),
    ("tls", tls_with(timedelta(days=20)), WARN, "is valid until"),
    ("tls", tls_with(timedelta(days=-20)), BAD, "the certificate ended on"),
    ("tls", tls_with(timedelta(days=90), of_another=True), BAD, "can't be used together"),
    (
        "tls",
        lambda patient: patient.say('[door]\ntls_cert = "none.pem"\ntls_key = "none.pem"', instead="[door]"),
        BAD,
        "none.pem: No such file",
    ),
    ("tls", lambda patient: patient.say('[door]\nhost = "192.0.2.1"', instead="[door]"), WARN, "192.0.2.1"),
    ("keys", lambda patient: (patient.data / "keys.db").unlink(), WARN, "everyone on this machine may ask"),
    ("keys", listen_everywhere_without_keys, BAD, "none is active, while 0.0.0.0 is open"),
    ("keys", keys_of(key("gone"), revoke=True), BAD, "none is active, so nobody may ask"),
    ("keys", keys_of(key("ends", expires=NOW + 9 * DAY, last_used=NOW)), WARN, "ends will end within 30 days"),
    ("keys", keys_of(key("idle", created=NOW - 40 * DAY)), WARN, "idle was never used"),
    ("keys", lambda patient: (patient.data / "keys.db").write_bytes(b"none" * 999), BAD, "API keys cannot be read"),
]


@pytest.mark.parametrize(
    ("name", "plant", "state", "words"), FAULTS, ids=[f"{name}: {words}" for name, _, _, words in FAULTS]
)
def test_a_planted_fault_is_found(
    patient: Patient, name: str, plant: Callable[[Patient], object], state: State, words: str
) -> None:
    plant(patient)
    finding = patient.found(name)
    assert words in finding.words + finding.remedy
    assert finding.state == state
    assert finding.remedy or "." in finding.words


def test_nothing_is_found_where_all_is_well(patient: Patient) -> None:
    found = doctor_command.examine(patient.folder / "fairgate.toml", {}, NOW)
    assert [(check.name, each) for check, each in found if each.state != State.OK] == []
    assert len(found) == len(doctor_command.CHECKS) + 1


def test_nothing_is_found_in_a_folder_that_was_only_just_made(tmp_path: Path) -> None:
    given = {"data": tmp_path / "new", "door.port": free_port(), "desk.port": free_port()}
    found = doctor_command.examine(None, given, NOW)
    assert {check.name: each.state for check, each in found if each.state != State.OK} == {"keys": State.WARN}
    assert not (tmp_path / "new").exists()


def test_every_check_has_a_planted_fault() -> None:
    elsewhere = {"kernel", "events", "clock", "room", "disk", "door", "desk"}
    planted = {name for name, *_ in FAULTS} | elsewhere
    assert {check.name for check in doctor_command.CHECKS} | {"settings"} == planted


def test_what_depends_on_a_damaged_log_points_to_it(patient: Patient) -> None:
    damage_the_log(patient)
    assert patient.found("secret") == Finding(WARN, "can't be told", "See `log`.")
    found = doctor_command.examine(patient.folder / "fairgate.toml", {}, NOW)
    assert [check.name for check, each in found if each.state == BAD] == ["log"]


# -------------------------------------------------------------------------------------------- time, disk, neighbours


def test_times_that_cannot_be(patient: Patient) -> None:
    late = patient.found("events", NOW + 3 * DAY)
    assert (late.state, "3 d old" in late.words) == (WARN, True)
    ahead = patient.found("clock", NOW - HOUR)
    assert (ahead.state, "59 min ahead" in ahead.words) == (BAD, True)


def test_a_lake_that_is_behind_for_long(patient: Patient) -> None:
    put_the_lake_at(2)(patient)
    assert patient.found("lake").state == State.OK
    behind = patient.found("lake", NOW + 2 * HOUR)
    assert (behind.state, "of 62 records are not in it" in behind.words) == (WARN, True)


def test_a_clerk_that_is_far_behind(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert patient.found("records") == Finding(State.OK, "there are none yet; the clerk makes them")
    read_so_far(40)(patient)
    assert patient.found("records") == Finding(State.OK, "22 of 62 records of the log are not in them yet")
    monkeypatch.setattr(doctor_records, "_FAR", 22)
    assert patient.found("records").state == State.OK
    monkeypatch.setattr(doctor_records, "_FAR", 21)
    running = patient.found("records")
    assert (running.state, "Is the clerk running?" in running.remedy) == (WARN, True)
    patient.say("[clerk]\nenabled = false\n")
    off = patient.found("records")
    assert "Appeals and the audit log stand nowhere else" in off.remedy
    assert (off.state, "and the clerk is switched off" in off.words) == (WARN, True)


def test_what_a_running_service_has_done_since_the_log_was_looked_at_is_no_fault(patient: Patient) -> None:
    at = Installation(settings_of(patient.folder / "fairgate.toml", {}), NOW)
    assert at.log is not None
    end = at.log.end()
    with open_log(patient.data / "log") as log:
        for _ in range(3):
            log.append(log.get(0))
        log.commit()
        several(read_so_far(end + 2), put_the_lake_at(end + 2))(patient)
        assert doctor_records.records(at).words == f"1 of {end + 3} records of the log are not in them yet"
        assert doctor_data.lake(at).state == State.OK


def test_an_appeal_is_overdue_when_its_time_has_come(patient: Patient) -> None:
    assert patient.found("appeals") == Finding(State.OK, "there are none yet")
    assert not (patient.data / RECORDS).exists()
    appeals(2, NOW)(patient)
    assert patient.found("appeals", NOW - 1) == Finding(State.OK, "2 are open, 0 of them overdue")
    assert patient.found("appeals").words == "2 are open, 1 of them overdue, the first for 0 s"


def test_bulk_actions_that_get_on_are_well(patient: Patient) -> None:
    assert patient.found("bulk") == Finding(State.OK, "there are none yet")
    bulks(BulkState.RUNNING, NOW - MINUTE)(patient)
    assert patient.found("bulk") == Finding(State.OK, "bulk action 1 is running for 60 s: 3 accounts left of 4")


@pytest.mark.parametrize(
    ("state", "age"), [(BulkState.DONE, 0), (BulkState.CANCELLED, 0), (BulkState.STOPPED, 8 * DAY)]
)
def test_bulk_actions_that_are_over_are_not_told(patient: Patient, state: BulkState, age: int) -> None:
    bulks(state, NOW - age)(patient)
    assert patient.found("bulk").words == "none is under way, and none has stopped of late"


def test_what_is_remembered_of_banned_accounts_is_counted(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert patient.found("memory") == Finding(State.OK, "the pack has no list that remembers")
    remembers(patient)
    assert patient.found("memory") == Finding(State.OK, "nothing is remembered in mailboxes")

    def memory(action: int, *tokens: str, until: int) -> Memory:
        items = tuple(Remembered("mailboxes", token, until) for token in tokens)
        return Memory(action, Subject("account", "a"), items, until)

    end, later = NOW + 30 * DAY, NOW + 60 * DAY
    several_ = (memory(1, "t1:a", "t1:b", until=end), memory(2, "t1:a", until=later), memory(3, "t1:c", until=NOW))
    memories(patient, MemoryRecord(NOW, several_, "fairgate", ""))
    words = f"2 identifiers of banned accounts are remembered, the last until {moment(later):%Y-%m-%d}"
    assert patient.found("memory") == Finding(State.OK, words)
    monkeypatch.setattr(doctor_memory, "_MANY", 1)
    assert patient.found("memory").state == WARN
    memories(patient, UndoRecord(NOW, (2,), "ann", "so"), ListRecord(NOW, "mailboxes", "t1:b", NOW, "ann", "so"))
    words = f"1 identifiers of banned accounts are remembered, the last until {moment(end):%Y-%m-%d}"
    assert patient.found("memory") == Finding(State.OK, words)
    memories(patient, MemoryRecord(NOW, (memory(1, until=end),), "fairgate", "erased"))
    assert patient.found("memory").words == "nothing is remembered in mailboxes"


def test_what_is_told_and_arrives_is_well(patient: Patient) -> None:
    told("well")(patient)
    assert patient.found("webhooks").words == "nothing is held up of what is told to well"
    assert not (patient.data / RECORDS).exists()
    letters("well", 3, NOW - HOUR)(patient)
    assert patient.found("webhooks").state == State.OK
    assert patient.found("webhooks", NOW + 1).state == WARN


def test_several_things_that_keep_messages_are_told_together(patient: Patient) -> None:
    several(told("well", "new"), letters("well", 1, NOW - 2 * HOUR), letters("gone", 1, NOW))(patient)
    found = patient.found("webhooks")
    assert found.state == BAD
    assert [words in found.words for words in ("FAIRGATE_WEBHOOK_NEW", "wait for well", "wait for gone")] == [True] * 3
    assert len(found.words.split("\n")) == 3
    patient.say("[webhook.new]\n[clerk]\nenabled = false\n")
    assert patient.found("webhooks") == Finding(State.OK, "the clerk, which sends them, is switched off")


@pytest.mark.parametrize(("free", "state"), [(1 << 20, BAD), (600 << 20, BAD), (1 << 30, WARN), (1 << 40, State.OK)])
def test_room_is_measured_by_growth(patient: Patient, monkeypatch: pytest.MonkeyPatch, free: int, state: State) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, free))
    monkeypatch.setattr(machine, "_days_of_log", lambda _: 0.0001)
    assert patient.found("room").state == state


def test_a_slow_disk(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_synced", lambda _: [1.0] * 49 + [600.0])
    slow = patient.found("disk")
    assert (slow.state, "600.0 ms at p99" in slow.words) == (WARN, True)
    monkeypatch.setattr(machine, "_synced", lambda _: [1.0] * 49 + [60.0])
    assert patient.found("disk").state == State.OK
    patient.say("[call_site.signup]\ndeadline_ms = 100\n")
    assert "the shortest is 100 ms" in patient.found("disk").remedy


def test_compiled_code_that_cannot_be_kept(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "kept_in", lambda: None)
    assert patient.found("kernel").state == WARN


@pytest.mark.parametrize("name", ["door", "desk"])
@pytest.mark.parametrize(
    ("status", "body", "state", "words"),
    [
        (200, b'{"status": "ready"}', State.OK, "it answers at 127.0.0.1"),
        (200, b"<html>", BAD, "something that is not Fairgate"),
        (404, b"{}", BAD, "something that is not Fairgate"),
    ],
)
def test_whoever_has_the_port_is_asked(  # noqa: PLR0913, PLR0917 - a case
    patient: Patient, name: str, status: int, body: bytes, state: State, words: str
) -> None:
    port = int(patient.text.split(f"[{name}]\nport = ")[1].split("\n")[0])
    with answering(port, status, body):
        finding = patient.found(name)
    assert (finding.state, words in finding.words) == (state, True)


def test_a_door_that_is_not_ready(patient: Patient) -> None:
    port = int(patient.text.split("[door]\nport = ")[1].split("\n")[0])
    with answering(port, 503, b'{"error": {"code": "stopped", "reason": "the disk is full"}}'):
        finding = patient.found("door")
    assert (finding.state, "the disk is full" in finding.words) == (BAD, True)


def test_a_door_that_has_the_log_and_does_not_answer(patient: Patient) -> None:
    with open_log(patient.data / "log"):
        assert "has the log open, and nothing answers" in patient.found("door").words
        assert patient.found("desk").state == WARN
        patient.say("[desk]\nenabled = false", instead="[desk]")
        assert patient.found("desk").state == State.OK
    assert "none is running" in patient.found("door").words


# ------------------------------------------------------------------------------------------------------------ how told


def test_what_is_found_is_told_as_a_table_and_as_json(patient: Patient) -> None:
    (patient.data / "secret").chmod(0o644)
    said: list[str] = []
    assert doctor_command.run(patient.folder / "fairgate.toml", {}, said.append, as_json=False) == 1
    line = next(at for at, each in enumerate(said) if each.startswith("bad   folder"))
    assert said[line + 1].strip().startswith("-> chmod 600")
    assert said[-1].startswith("1 bad, ")
    told: list[str] = []
    assert doctor_command.run(patient.folder / "fairgate.toml", {}, told.append, as_json=True) == 1
    [folder] = [each for each in json.loads(told[0]) if each["name"] == "folder"]
    assert folder["state"] == "bad"
    assert folder["remedy"].startswith("chmod 600")


def test_warnings_alone_are_no_failure(patient: Patient) -> None:
    (patient.data / "keys.db").unlink()
    assert patient.found("keys").state == WARN
    shutil.rmtree(patient.data / "log")  # whose clock is not the machine's
    shutil.rmtree(patient.data / "lake")
    assert doctor_command.run(patient.folder / "fairgate.toml", {}, lambda _: None, as_json=False) == 0


def test_the_planted_newer_log_is_a_record_that_another_version_might_write(patient: Patient) -> None:
    write_a_newer_log(patient)
    with open_log(patient.data / "log", read_only=True) as log, pytest.raises(Exception, match="format 99"):
        decode(0, log.get(0))


def test_the_time_of_the_tests_is_that_of_their_events() -> None:
    assert moment(NOW) > datetime(2026, 1, 5, tzinfo=UTC)
