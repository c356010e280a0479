"""A backup is whole, taken at one instant, and says so when it is not; what it restores is what there was."""

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from unittest import mock

import msgspec
import pytest

from fairgate.backends.embedded import backup, lake_manifest
from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.backends.embedded.backup import Backup, back_up, check_backup, left_out, restore
from fairgate.backends.embedded.lake_manifest import Manifest, Part
from fairgate.backends.embedded.segments import open_log, verify
from fairgate.domain.access import ApiKey, Scope
from fairgate.domain.action import Action
from fairgate.domain.errors import BackupUnusable, CopyFailed, LogDamaged
from fairgate.domain.ledger import FOREVER, Entry, Subject
from fairgate.pipeline.records import EventRecord, decode
from fairgate.pipeline.seals import NOBODY
from fairgate.ports.event_log import EventLog
from fairgate.ports.ledger import Message, Read
from fairgate.ports.outbox import Letter
from fairgate.wiring import Records, open_records
from tests.support import SECRET, open_pipeline, seals_in, traffic

ABOUT = Backup(backup.FORMAT, "0.0", 2, 17, 0, has_secret=False, files={})
TEXTS = {"fairgate.toml": 'data = "data"\n', "pack/pack.toml": "# a pack"}


def fill(data: Path, events: int = 40, *, erase: str = "") -> None:
    """A data folder with some events in it, two snapshots, a key, a lake, a secret, and what is in no backup."""
    with open_pipeline(data) as pipeline:
        for raw, received in traffic(events):
            pipeline.take([pipeline.decoder.single(raw, received)])
            if received % 5 == 0:
                pipeline.keep(pipeline.capture(pipeline.mark()))
        pipeline.keep(pipeline.capture(pipeline.mark()))
        if erase:
            pipeline.erase(erase, "test", "asked for it")
        pipeline.commit()
    with open_api_keys(data / "keys.db") as keys:
        keys.add(ApiKey("one", "first", frozenset({Scope.DECIDE}), bytes(32), 1))
    with open_records(data) as written:
        told(written, 3)
        told(written, 5)
        written.outbox.arrived([1])
        written.outbox.give_up(written.outbox.waiting("gateway", -1, 1)[0])
    part = Part("account.signup", date(2026, 1, 5), 1, 9, 3, 5, 0)
    for path in (part.path(data / "lake"), part.path(data / "lake").with_name("part-10-12.parquet")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"PAR1.")
    lake_manifest.write(data / "lake", Manifest(lake_manifest.FORMAT, 10, 0, (), (part,)))
    (data / "secret").write_text(f"1:{SECRET:x}\n")
    (data / "desk").mkdir()
    (data / "desk" / "audit.jsonl").write_text('{"query": 1}\n')
    (data / "desk" / "jobs").mkdir()
    (data / "share").mkdir()
    (data / "share" / "standings.ndjson").write_text('{"what": "principal"}\n')
    (data / "share" / "standings.past.ndjson").write_text('{"what": "principal", "version": 0}\n')
    (data / "notes").write_text("mine")


def take(data: Path, destination: Path, *, with_secret: bool = False) -> Backup:
    """Back a data folder up."""
    return back_up(data, destination, ABOUT, TEXTS, with_secret=with_secret)


def told(written: Records, sequence: int) -> None:
    """What a clerk writes when it has read so far: of each record an entry, with a letter for each."""
    numbers = range(written.ledger.read().sequence, sequence)
    about = Subject("account", "a")
    entries = [Entry(number, about, Action.HOLD, number, FOREVER, ("burst",), (), "pack@1") for number in numbers]
    messages = [Message(f"action_{number}_taken", about, "standing.changed", b"{}") for number in numbers]
    written.ledger.take(Read(sequence, sequence), entries, messages, ["gateway"])


def recorded(data: Path) -> tuple[int, list[int], list[Letter], list[Letter]]:
    """How far the clerk of a data folder has read, its entries, and the letters that wait and that were given up."""
    with open_records(data) as written:
        entries = [each.number for each in written.ledger.held(0, -1, 1_000_000)]
        waiting, dead = written.outbox.waiting("gateway", -1, 1_000_000), written.outbox.dead("gateway", -1, 9)
        return written.ledger.read().sequence, entries, waiting, dead


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data`, `backup` and, restored from it, `other`. Not to be changed."""
    folder = tmp_path_factory.mktemp("full")
    fill(folder / "data")
    take(folder / "data", folder / "backup")
    restore(folder / "backup", check_backup(folder / "backup"), folder / "other")
    return folder


@pytest.fixture
def taken(full: Path, tmp_path: Path) -> Path:
    """A backup to be spoilt."""
    take(full / "data", tmp_path / "backup")
    return tmp_path / "backup"


def records(data: Path) -> list[bytes]:
    with open_log(data / "log", read_only=True) as log:
        return [record for _, record in log.read()]


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def spoil(backup_folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change what a backup says of itself."""
    said = json.loads((backup_folder / "backup.json").read_text())
    change(said)
    (backup_folder / "backup.json").write_text(json.dumps(said))


# ------------------------------------------------------------------------------------------------------------- whole


def test_what_is_restored_is_what_there_was(full: Path) -> None:
    assert records(full / "other" / "data") == records(full / "data")
    assert verify(full / "other" / "data" / "log").problems == ()
    lines = ("desk/audit.jsonl", "share/standings.ndjson", "share/standings.past.ndjson")
    for name in ("subjects.keys", "lake/lake.json", *lines):
        assert (full / "other" / "data" / name).read_bytes() == (full / "data" / name).read_bytes()
    assert (full / "other" / "pack" / "pack.toml").read_text() == "# a pack"
    with open_api_keys(full / "other" / "data" / "keys.db") as keys:
        assert [key.id for key in keys.all()] == ["one"]


def test_letters_that_had_not_arrived_are_there_again_as_they_were(full: Path) -> None:
    kept = recorded(full / "data")
    assert recorded(full / "other" / "data") == kept
    sequence, entries, waiting, dead = kept
    assert (sequence, entries) == (5, [0, 1, 2, 3, 4])
    assert [each.message for each in waiting] == ["action_2_taken", "action_3_taken", "action_4_taken"]
    assert [each.message for each in dead] == ["action_1_taken"]


def test_a_restored_service_goes_on_where_the_backup_was_taken(full: Path, tmp_path: Path) -> None:
    restore(full / "backup", check_backup(full / "backup"), tmp_path / "other")
    with open_pipeline(tmp_path / "other" / "data") as pipeline:
        taken = [pipeline.decoder.single(raw, received) for raw, received in traffic(60)]
        outcomes = pipeline.take(taken)
    assert [getattr(each, "repeated", None) for each in outcomes] == [True] * 40 + [False] * 20


def test_only_the_newest_snapshot_and_the_files_that_the_lake_names_are_in_it(full: Path) -> None:
    found = names(full / "backup")
    [snapshot] = {name.split("/")[2] for name in found if name.startswith("data/snapshots/")}
    newest = max(path.name for path in (full / "data" / "snapshots").iterdir())
    assert snapshot == newest
    assert {f"data/snapshots/{newest}/{name}" for name in names(full / "data" / "snapshots" / newest)} <= found
    assert [name for name in found if name.endswith(".parquet")] == [
        "data/lake/account.signup/_day=2026-01-05/part-1-9.parquet"
    ]


def test_it_says_what_is_in_it(full: Path) -> None:
    found = check_backup(full / "backup")
    assert found.end == len(records(full / "data"))
    assert set(found.files) | {"backup.json"} == names(full / "backup")
    assert found.bytes == sum((full / "backup" / name).stat().st_size for name in found.files)
    assert (found.made, found.records_format, found.fairgate, found.has_secret) == (17, 2, "0.0", False)


def test_what_is_left_out_is_named(full: Path) -> None:
    assert left_out(full / "data") == ["desk/jobs", "notes"]


def test_no_path_of_the_machine_and_no_secret_is_in_it(full: Path) -> None:
    for name in names(full / "backup"):
        content = (full / "backup" / name).read_bytes()
        assert str(full).encode() not in content, name
        assert f"{SECRET:x}".encode() not in content, name


def test_the_secret_is_in_it_when_that_is_asked_for(full: Path, tmp_path: Path) -> None:
    assert take(full / "data", tmp_path / "backup", with_secret=True).has_secret
    assert (tmp_path / "backup" / "data" / "secret").read_text() == f"1:{SECRET:x}\n"


def test_all_of_it_is_for_its_owner_alone(full: Path) -> None:
    assert (full / "backup").stat().st_mode & 0o077 == 0
    assert [name for name in names(full / "other") if (full / "other" / name).stat().st_mode & 0o077] == []


def test_what_was_erased_before_cannot_be_read_in_it(tmp_path: Path) -> None:
    fill(tmp_path / "data", erase="a3")
    take(tmp_path / "data", tmp_path / "backup")
    found = [decode(at, raw) for at, raw in enumerate(records(tmp_path / "backup" / "data"))]
    events = [each for each in found if isinstance(each, EventRecord) and each.key != NOBODY]
    with seals_in(tmp_path / "backup" / "data") as seals:
        readable = {each.public[0]: seals.open(each.key, each.sealed) is not None for each in events}
    assert readable.pop("a3") is False
    assert set(readable.values()) == {True}
    for name in names(tmp_path / "backup"):
        assert b"u3@mailinator.com" not in (tmp_path / "backup" / name).read_bytes(), name


# -------------------------------------------------------------------------------------------------------- one instant


def test_the_log_is_copied_to_its_last_whole_record(tmp_path: Path) -> None:
    with open_log(tmp_path / "data" / "log", segment_bytes=200) as log:
        for number in range(20):
            log.append(b"%d" % number * 20)
            log.commit()
        end = log.end()
        segment = max((tmp_path / "data" / "log").glob("*.log"))
        with segment.open("ab") as file:
            file.write(b"half a record")
        found = take(tmp_path / "data", tmp_path / "backup")
    assert found.end == end == 20
    report = verify(tmp_path / "backup" / "data" / "log")
    assert (report.records, report.torn_bytes, report.problems) == (20, 0, ())
    assert report.segments > 3


def numbered(log: EventLog, count: int) -> None:
    for number in range(log.end(), log.end() + count):
        log.append(b"%d" % number * 20)
        log.commit()


@pytest.mark.parametrize("begin", [0, 7, 20])
def test_the_log_in_it_begins_where_the_log_did_whatever_is_dropped_meanwhile(tmp_path: Path, begin: int) -> None:
    copy_file = backup._Copy.file

    def dropping(self: backup._Copy, source: Path, name: str, size: int | None = None) -> None:
        numbered(log, 5)
        log.drop(log.end() - 1)
        copy_file(self, source, name, size)

    folder = tmp_path / "data" / "log"
    with open_log(folder, segment_bytes=200) as log:
        numbered(log, 20)
        log.drop(begin)
        held = set(folder.glob("*.log"))
        with mock.patch.object(backup._Copy, "file", dropping):
            found = take(tmp_path / "data", tmp_path / "backup")
        assert log.begin() == log.end() - 1
        assert held < set(folder.glob("*.log"))
        log.drop(log.end())
        assert len(list(folder.glob("*.log"))) == 1
    restore(tmp_path / "backup", check_backup(tmp_path / "backup"), tmp_path / "other")
    report = verify(tmp_path / "other" / "data" / "log")
    assert (report.problems, report.records) == ((), 20 - begin)
    with open_log(tmp_path / "other" / "data" / "log") as log:
        assert (log.begin(), log.end()) == (begin, found.end) == (begin, 20)
        assert list(log.read()) == [(number, b"%d" % number * 20) for number in range(begin, 20)]
    assert (folder / "begin").exists()
    assert (tmp_path / "backup" / "data" / "log" / "begin").exists() == (begin > 0)


def test_a_log_that_begins_where_nobody_can_tell_is_not_backed_up(tmp_path: Path) -> None:
    with open_log(tmp_path / "data" / "log") as log:
        numbered(log, 3)
        log.drop(2)
    (tmp_path / "data" / "log" / "begin").write_text("2")
    with pytest.raises(LogDamaged, match="begin, byte 0"):
        take(tmp_path / "data", tmp_path / "backup")


def test_what_is_written_meanwhile_is_in_none_or_whole(tmp_path: Path) -> None:
    with open_pipeline(tmp_path / "data") as pipeline:
        events = iter(traffic(2_000))
        copy_file = backup._Copy.file

        def busy(self: backup._Copy, source: Path, name: str, size: int | None = None) -> None:
            for raw, received in [next(events) for _ in range(50)]:
                pipeline.take([pipeline.decoder.single(raw, received)])
                if len(kept_at) < 3:  # so that the snapshot goes that is being copied
                    pipeline.keep(pipeline.capture(pipeline.mark()))
                    kept_at.append(received)
            pipeline.commit()
            copy_file(self, source, name, size)

        busy_before = len(records(tmp_path / "data"))
        pipeline.keep(pipeline.capture(pipeline.mark()))
        kept_at: list[int] = []
        with mock.patch.object(backup._Copy, "file", busy):
            found = take(tmp_path / "data", tmp_path / "backup")
        assert found.end > busy_before
    kept = records(tmp_path / "backup" / "data")
    assert len(kept) == found.end
    assert kept == records(tmp_path / "data")[: found.end]
    snapshots = [path.name for path in (tmp_path / "backup" / "data" / "snapshots").iterdir()]
    assert len(snapshots) == 1
    assert busy_before < int(snapshots[0]) <= found.end
    with seals_in(tmp_path / "backup" / "data") as seals:
        for at, raw in enumerate(kept):
            record = decode(at, raw)
            if isinstance(record, EventRecord) and record.key != NOBODY:
                assert seals.open(record.key, record.sealed) is not None


def test_a_snapshot_that_is_being_removed_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    snapshots = tmp_path / "data" / "snapshots"
    copy_tree = backup._Copy.tree
    made: list[Path] = []

    def racing(self: backup._Copy, source: Path, name: str) -> None:
        if len(made) < races:
            for _ in range(2):
                made.append(snapshots / f"{int(max(snapshots.iterdir()).name) + 1:020}")
                shutil.copytree(source, made[-1])
            min(source.iterdir()).unlink()
        copy_tree(self, source, name)

    with mock.patch.object(backup._Copy, "tree", racing):
        races = 4
        found = take(tmp_path / "data", tmp_path / "backup")
        assert {name.split("/")[2] for name in found.files if "/snapshots/" in name} == {made[-1].name}
        assert names(tmp_path / "backup" / "data" / "snapshots") == {
            f"{made[-1].name}/{path.name}" for path in made[-1].iterdir()
        }
        races = 1_000
        with pytest.raises(CopyFailed, match="each snapshot was removed while it was copied"):
            take(tmp_path / "data", tmp_path / "other")


def test_keys_are_those_that_were_committed(tmp_path: Path) -> None:
    fill(tmp_path / "data", 3)
    other = sqlite3.connect(tmp_path / "data" / "keys.db", isolation_level=None)
    other.execute("begin immediate")
    other.execute("update key set name = 'not yet'")
    take(tmp_path / "data", tmp_path / "backup")
    other.close()
    assert not list((tmp_path / "backup" / "data").glob("keys.db-*"))
    with open_api_keys(tmp_path / "backup" / "data" / "keys.db") as keys:
        assert [key.name for key in keys.all()] == ["first"]


def test_the_clerks_records_are_never_newer_than_the_log_they_are_with(tmp_path: Path) -> None:
    """Whatever is copied, the log has grown, the clerk has read it, and the log has dropped what that had read."""
    file, database = backup._Copy.file, backup._Copy.database

    def grow() -> None:
        numbered(log, 3)
        told(written, log.end())
        log.drop(written.ledger.read().sequence - 1)

    def growing_file(self: backup._Copy, source: Path, name: str, size: int | None = None) -> None:
        grow()
        file(self, source, name, size)

    def growing_database(self: backup._Copy, source: Path, name: str) -> None:
        grow()
        database(self, source, name)
        grow()

    fill(tmp_path / "data", 3)
    shutil.rmtree(tmp_path / "data" / "log")
    (tmp_path / "data" / "records.db").unlink()
    with open_log(tmp_path / "data" / "log", segment_bytes=200) as log, open_records(tmp_path / "data") as written:
        grow()
        with (
            mock.patch.object(backup._Copy, "file", growing_file),
            mock.patch.object(backup._Copy, "database", growing_database),
        ):
            found = take(tmp_path / "data", tmp_path / "backup")
    restore(tmp_path / "backup", check_backup(tmp_path / "backup"), tmp_path / "other")
    with open_log(tmp_path / "other" / "data" / "log", read_only=True) as log:
        begin = log.begin()
    sequence, entries, waiting, _ = recorded(tmp_path / "other" / "data")
    assert begin < sequence < found.end
    assert entries == list(range(sequence))
    assert [each.message for each in waiting] == [f"action_{number}_taken" for number in range(sequence)]


def test_records_are_copied_as_of_one_moment_while_a_clerk_writes_them(tmp_path: Path) -> None:
    with open_log(tmp_path / "data" / "log") as log:
        numbered(log, 1)
    stop, seen = threading.Event(), set[int]()

    def write() -> None:
        with open_records(tmp_path / "data") as written:
            while not stop.is_set():
                told(written, written.ledger.read().sequence + 40)

    clerk = threading.Thread(target=write)
    clerk.start()
    try:
        for at in range(200):
            take(tmp_path / "data", tmp_path / f"backup{at}")
            if (tmp_path / f"backup{at}" / "data" / "records.db").exists():
                sequence, entries, waiting, _ = recorded(tmp_path / f"backup{at}" / "data")
                assert entries == list(range(sequence))
                assert len(waiting) == sequence
                seen.add(sequence)
            if len(seen) > 5:
                break
    finally:
        stop.set()
        clerk.join()
    assert len(seen) > 5
    assert not list(tmp_path.glob("backup*/data/records.db-*"))
    assert left_out(tmp_path / "data") == []


def test_a_new_service_without_anything_but_a_log_can_be_backed_up(tmp_path: Path) -> None:
    with open_log(tmp_path / "data" / "log"):
        assert take(tmp_path / "data", tmp_path / "backup").end == 0
    assert len(check_backup(tmp_path / "backup").files) == 3


# -------------------------------------------------------------------------------------------------------------- refused


def test_a_backup_that_was_cut_short_is_none(full: Path, tmp_path: Path) -> None:
    with (
        mock.patch.object(backup, "sync_directory", side_effect=OSError(28, "No space left on device")),
        pytest.raises(CopyFailed, match="No space left on device"),
    ):
        take(full / "data", tmp_path / "backup")
    assert "data/subjects.keys" in names(tmp_path / "backup")
    with pytest.raises(BackupUnusable, match=r"backup\.json: there is no such file: the backup was not finished"):
        check_backup(tmp_path / "backup")
    with pytest.raises(CopyFailed, match="it is not empty"):
        take(full / "data", tmp_path / "backup")


def test_every_file_is_checked(full: Path, taken: Path) -> None:
    for name in names(full / "backup") - {"backup.json"}:
        whole = (taken / name).read_bytes()
        (taken / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(BackupUnusable, match="it is not as it was written") as caught:
            check_backup(taken)
        assert caught.value.where == taken / name
        (taken / name).unlink()
        with pytest.raises(BackupUnusable, match="the backup has lost it"):
            check_backup(taken)
        (taken / name).write_bytes(whole)
    check_backup(taken)


@pytest.mark.parametrize("name", ["/etc/passwd", "../out", "data/../../out", "backup.json"])
def test_a_name_that_leads_out_of_it_is_refused(taken: Path, name: str) -> None:
    spoil(taken, lambda said: said.update(files={name: {"bytes": 0, "sha256": ""}}))
    with pytest.raises(BackupUnusable, match="can't be in a backup"):
        check_backup(taken)


def test_what_cannot_be_understood_is_refused(taken: Path) -> None:
    spoil(taken, lambda said: said.update(format=2))
    with pytest.raises(BackupUnusable, match="its format is 2, this Fairgate reads 1"):
        check_backup(taken)
    spoil(taken, lambda said: said.update(format=1, more=1))
    with pytest.raises(BackupUnusable, match="can't be understood"):
        check_backup(taken)
    (taken / "backup.json").write_text("{")
    with pytest.raises(BackupUnusable, match="can't be understood"):
        check_backup(taken)


def test_a_folder_with_something_in_it_is_not_restored_to(taken: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine").write_text("")
    with pytest.raises(CopyFailed, match="it is not empty"):
        restore(taken, check_backup(taken), tmp_path / "other")
    assert names(tmp_path / "other") == {"mine"}


def test_a_restore_that_is_cut_short_leaves_nothing_in_its_place(taken: Path, tmp_path: Path) -> None:
    found = check_backup(taken)
    (taken / "pack" / "pack.toml").write_text("changed")
    with pytest.raises(BackupUnusable, match="it has changed while it was read"):
        restore(taken, found, tmp_path / "other")
    assert not names(tmp_path / "other")
    with pytest.raises(CopyFailed, match=r"left from a restore that was cut short\. Remove it"):
        restore(taken, found, tmp_path / "other")


def test_where_nothing_can_be_written_is_named(full: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CopyFailed, match="Not a directory"):
        take(full / "data", tmp_path / "file" / "backup")


def test_the_manifest_is_readable_by_people(full: Path) -> None:
    text = (full / "backup" / "backup.json").read_text()
    assert '\n "end": ' in text
    assert msgspec.json.decode(text, type=Backup) == check_backup(full / "backup")
