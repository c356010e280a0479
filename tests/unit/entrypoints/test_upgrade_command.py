"""A data folder is upgraded whole or not at all, whenever it is cut short; a service finds the old log or the new."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from fairgate.backends.embedded.segments import open_log, verify
from fairgate.domain.errors import (
    BadRequest,
    BadSettings,
    CopyFailed,
    FairgateError,
    LogLocked,
    LogTooNew,
    RecordUnreadable,
    UpgradeImpossible,
)
from fairgate.entrypoints import upgrade_command
from fairgate.pipeline.online import Answer
from fairgate.pipeline.records import EventRecord, decode, encode
from fairgate.pipeline.upgrade import Upgrade
from fairgate.settings import Settings
from tests.support import PACK, open_pipeline, traffic
from tests.unit.pipeline.format_1 import EVENTS, RECORDS, make_folder, write_log


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder of format 1."""
    make_folder(tmp_path / "data")
    return tmp_path / "data"


def upgrade(data: Path, *, remove_old: bool = False) -> str:
    """Upgrade; returns what was said."""
    said: list[str] = []
    assert upgrade_command.run(Settings(data=data), said.append, remove_old=remove_old) == 0
    return "\n".join(said)


def old_decisions() -> dict[str, bytes]:
    """The decisions of the old log, by event, as they stood there."""
    records = [msgspec.msgpack.decode(raw) for raw in RECORDS]
    return {record[3]: encode(record[8]) for record in records if record[0] == "event"}


def read(log: Path) -> list[bytes]:
    with open_log(log, read_only=True) as opened:
        return [raw for _, raw in opened.read()]


def is_upgraded(data: Path) -> bool:
    """Whether the new log stands in its place, and the old one beside it, both whole; nothing else is left."""
    assert sorted(path.name for path in data.iterdir()) == ["log", "log.format-1", "secret", "subjects.keys"]
    assert read(data / "log.format-1") == RECORDS
    assert verify(data / "log").problems == ()
    found = [decode(at, raw) for at, raw in enumerate(read(data / "log"))]
    decisions = {record.id: encode(record.decision) for record in found if isinstance(record, EventRecord)}
    assert decisions == old_decisions()
    return True


def test_a_service_goes_on_in_what_was_upgraded(data: Path) -> None:
    said = upgrade(data)
    assert f"{len(RECORDS)} records compared: the same events, decisions and features" in said
    assert is_upgraded(data)
    with open_pipeline(data, PACK) as pipeline:
        outcomes = pipeline.take([pipeline.decoder.single(raw, received) for raw, received in traffic(EVENTS + 9)])
        answers = [(each.id, each.repeated, encode(each.decision)) for each in outcomes if isinstance(each, Answer)]
        assert "throwaway" in pipeline.engine.brakes.off
        assert pipeline.engine.lists.canonical("bad_mail", "U12@example.com")
    assert {name: decision for name, repeated, decision in answers if repeated} == old_decisions()
    assert [repeated for _, repeated, _ in answers] == [True] * EVENTS + [False] * 9


def test_nothing_personal_stays_in_the_clear_once_the_old_log_is_removed(data: Path) -> None:
    assert "personal data stands in the clear" in upgrade(data)
    assert f"{data / 'log.format-1'} is removed" in upgrade(data, remove_old=True)
    for path in data.rglob("*"):
        if path.is_file():
            assert re.search(rb"(?i)u\d+@(example|mailinator)\.com", path.read_bytes()) is None, path


def test_an_upgraded_folder_is_left_as_it_is(data: Path) -> None:
    upgrade(data)
    before = read(data / "log")
    assert "nothing is to be upgraded" in upgrade(data)
    assert read(data / "log") == before
    assert is_upgraded(data)


class Cut(Exception):
    """The process ends here."""


def after(count: int, function: Callable[..., object]) -> Callable[..., object]:
    """A function that works so many times, and ends the process then."""
    calls = iter(range(count))

    def counted(*args: object, **given: object) -> object:
        if next(calls, None) is None:
            raise Cut
        return function(*args, **given)

    return counted


#: Where it is cut short: a function, and whether the log is the new one then (None: one or the other).
PLACES: list[tuple[object, str, bool | None]] = [
    (Upgrade, "upgraded", False),
    (Upgrade, "_event", False),
    (Upgrade, "compare", False),
    (Upgrade, "_same", False),
    (upgrade_command, "_exchange", False),
    (upgrade_command, "_end", True),
    (upgrade_command, "sync_directory", True),
    (Path, "rename", None),
]


@pytest.mark.parametrize("cut", PLACES, ids=[name for _, name, _ in PLACES])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_an_upgrade_that_is_cut_short_is_done_again_or_ended(
    data: Path, monkeypatch: pytest.MonkeyPatch, cut: tuple[object, str, bool | None], count: int
) -> None:
    place, name, is_new = cut
    with monkeypatch.context() as patch:
        patch.setattr(place, name, after(count, getattr(place, name)))
        try:
            upgrade(data)
        except Cut:
            found = read(data / "log")
            if found == RECORDS:
                with pytest.raises(RecordUnreadable, match="Run `fairgate upgrade`"):
                    decode(0, found[0])
                assert is_new is not True
            else:
                assert is_new is not False
                assert len([decode(at, raw) for at, raw in enumerate(found)]) == len(RECORDS)
    upgrade(data)
    assert is_upgraded(data)


def test_no_door_may_be_running(data: Path) -> None:
    with open_log(data / "log"), pytest.raises(LogLocked):
        upgrade(data)
    assert read(data / "log") == RECORDS


def without_secret(data: Path) -> None:
    (data / "secret").unlink()


def with_a_damaged_record(data: Path) -> None:
    replace_log(data, [*RECORDS[:9], b"\xc1", *RECORDS[10:]])


def with_another_log_in_the_way(data: Path) -> None:
    write_log(data / "log.format-1", [b"another"])


def of_a_newer_format(data: Path) -> None:
    replace_log(data, [encode(["pack", 1, 99])])


def replace_log(data: Path, records: list[bytes]) -> None:
    for path in (data / "log").iterdir():
        path.unlink()
    write_log(data / "log", records)


@pytest.mark.parametrize(
    ("plant", "error", "words"),
    [
        (without_secret, BadSettings, "There is no"),
        (with_a_damaged_record, UpgradeImpossible, "Record 9: "),
        (with_another_log_in_the_way, CopyFailed, "left from an earlier upgrade"),
        (of_a_newer_format, LogTooNew, "its records have format 99, this Fairgate reads 2"),
    ],
)
def test_what_cannot_be_upgraded_stays_as_it_is(
    data: Path, plant: Callable[[Path], None], error: type[FairgateError], words: str
) -> None:
    plant(data)
    before = read(data / "log")
    with pytest.raises(error, match=words):
        upgrade(data)
    assert read(data / "log") == before


def test_a_folder_without_a_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="There is no log in"):
        upgrade(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_that_cannot_exchange_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrade_command, "_RENAME_EXCHANGE", 1 << 10)
    with pytest.raises(CopyFailed, match=r"it can't change places with .*: Invalid argument"):
        upgrade(data)
    assert read(data / "log") == RECORDS
