"""What was said by hand is on disk before it counts, read again at a start, and never guessed at."""

import fcntl
import os
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from fairgate.domain.errors import SharesUnusable
from fairgate.entrypoints.share.decisions import Decisions
from fairgate.entrypoints.share.lines import Line, Resized, Said
from fairgate.entrypoints.share.standings import MANY, Standings
from fairgate.share import Pool, Share, Standing
from tests.contracts.failing_disk import DiskFailure, FailingDisk
from tests.support import SetClock
from tests.unit.entrypoints.test_share_decisions import decided, switched


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "share" / "standings.ndjson"


def writing(path: Path) -> "closing[Standings]":
    return closing(Standings(path, SetClock(0)))


def write(path: Path, *lines: Line) -> None:
    with writing(path) as standings:
        standings.append(lines)


def said(account: str, version: int, **standing: float) -> Said:
    return Said("2026-01-05T00:00:00+00:00", "me", "a reason", account, version, Standing(**standing))  # type: ignore[arg-type]


def share_of(path: Path) -> Share:
    share = Share([Pool("default", 100.0)])
    with writing(path) as opened:
        opened.restore(share, Decisions(0.001))
    return share


def test_lines_are_read_again_and_the_newest_version_holds(path: Path) -> None:
    write(path, said("a", 3, ceil=0.1), said("a", 2, ceil=0.9), said("b", 1, trust=0.2))
    share = share_of(path)
    assert share.standings == {"a": Standing(ceil=0.1), "b": Standing(trust=0.2)}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_that_a_crash_cut_short_is_dropped_and_the_next_one_is_whole(path: Path) -> None:
    write(path, said("a", 1, ceil=0.1))
    with path.open("ab") as file:
        file.write(b'{"what":"principal","acc')
    assert share_of(path).standings == {"a": Standing(ceil=0.1)}
    write(path, said("b", 1, ceil=0.2))
    assert set(share_of(path).standings) == {"a", "b"}


@pytest.mark.parametrize(
    "line",
    [
        b"nothing\n",
        b"\n",
        b'{"what":"else"}\n',
        msgspec.json.encode(said("x", 1)).replace(b'"trust":0.5', b'"trust":1.5') + b"\n",
        b"\xff\n",
    ],
)
def test_a_line_that_is_damaged_stops_the_start(path: Path, line: bytes) -> None:
    write(path, said("a", 1, ceil=0.1))
    with path.open("ab") as file:
        file.write(line)
    with pytest.raises(SharesUnusable, match="line 2 is not as it was written"):
        share_of(path)


@pytest.mark.parametrize("fault", ["fsync", "short"])
def test_a_failing_disk_leaves_whole_lines(path: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = os.write

    def fails(_file: int) -> None:
        raise OSError(5, "Input/output error")

    def part(file: int, text: bytes) -> int:
        return honest(file, text[:10])

    with writing(path) as standings:
        standings.append([said("a", 1, ceil=0.1)])
        monkeypatch.setattr(os, *(("fsync", fails) if fault == "fsync" else ("write", part)))
        with pytest.raises(SharesUnusable):
            standings.append([said("b", 1, ceil=0.2)])
        monkeypatch.undo()
        standings.append([said("c", 1, ceil=0.3)])
    assert set(share_of(path).standings) == {"a", "c"}


def test_one_sidecar_has_it_at_a_time(path: Path) -> None:
    with writing(path), pytest.raises(SharesUnusable, match="another sidecar uses it"):
        writing(path)
    write(path, said("a", 1, ceil=0.1))


def test_a_folder_in_its_place_is_told(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(SharesUnusable, match=r"standings\.ndjson"):
        Standings(path, SetClock(0))


def test_a_capacity_holds_for_the_settings_that_it_was_said_for(path: Path) -> None:
    line = Resized("2026-01-05T00:00:00+00:00", "me", "an outage", "default", 5.0, 100.0)
    write(path, line, msgspec.structs.replace(line, pool="gone"))
    assert share_of(path).stocks["default"].capacity == 5.0
    write(path, msgspec.structs.replace(line, capacity=7.0, instead_of=200.0))
    assert share_of(path).stocks["default"].capacity == 5.0


# -------------------------------------------------------------------------------- decisions, and what is taken out


def everything(path: Path) -> tuple[object, ...]:
    """All that a sidecar would know after a start."""
    share, decisions = Share([Pool("default", 100.0)]), Decisions(0.01)
    with writing(path) as opened:
        opened.restore(share, decisions)
        words = [decisions.last(account) for account in sorted(decisions.accounts)]
        return share.standings, share.bounds, opened.versions, share.stocks["default"].capacity, words, len(decisions)


#: Of each kind the last word, and others that came before or after it.
LASTING: list[Line] = [
    said("a", 7, ceil=0.1),
    Resized("2026-01-05T00:00:00+00:00", "me", "an outage", "default", 5.0, 100.0),
    Resized("2026-01-05T00:00:00+00:00", "me", "an outage", "default", 6.0, 200.0),
    decided(9, account="a", use=True, rate=0.5, action="throttle"),
    decided(9, "another of that time", account="a"),
    decided(3, account="b"),
    switched(2, "action:ban", off=True),
]
STALE: list[Line] = [
    said("a", 6, trust=0.2),
    Resized("2026-01-05T00:00:00+00:00", "me", "before", "default", 4.0, 100.0),
    decided(8, account="a"),
    decided(2, account="b", use=True),
    switched(1, "action:ban", off=False),
]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few lines that no longer count are many."""
    monkeypatch.setattr("fairgate.entrypoints.share.standings.MANY", 3)


def test_what_decisions_came_to_stands_after_a_start(path: Path) -> None:
    write(path, *STALE, *LASTING)
    standings, bounds, versions, capacity, words, needed = everything(path)
    assert (standings, versions, capacity) == ({"a": Standing(ceil=0.1)}, {"a": 7}, 5.0)
    assert bounds == {"a": 0.0, "b": 0.0}
    assert (words, needed) == ([LASTING[4], LASTING[5]], 4)


@pytest.mark.usefixtures("few")
def test_lines_that_no_longer_count_are_taken_out_and_those_by_hand_kept_beside(path: Path) -> None:
    write(path, *STALE, *STALE, *LASTING, *STALE[2:])
    before, lines = everything(path), path.read_bytes().splitlines()
    assert [msgspec.json.decode(each, type=Line) for each in lines] == LASTING
    assert everything(path) == before
    past = path.with_name("standings.past.ndjson")
    hand = [each for each in STALE if isinstance(each, Said | Resized)]
    assert [msgspec.json.decode(each, type=Line) for each in past.read_bytes().splitlines()] == hand * 2
    assert path.stat().st_mode & 0o777 == past.stat().st_mode & 0o777 == 0o600
    write(path, decided(10, account="b", use=True))
    assert everything(path)[1] == {"a": 0.0}
    assert sorted(each.name for each in path.parent.iterdir()) == ["standings.ndjson", "standings.past.ndjson"]


def test_few_lines_that_no_longer_count_stay(path: Path) -> None:
    write(path, *[decided(second) for second in range(MANY + 1)])
    everything(path)
    assert len(path.read_bytes().splitlines()) == MANY + 1
    write(path, decided(MANY + 1))
    everything(path)
    assert path.read_bytes().count(b"\n") == 1


def test_more_that_count_than_those_that_do_not_are_left_alone(path: Path, few: None) -> None:  # noqa: ARG001
    write(path, *STALE, *[decided(1, account=f"x{number}") for number in range(20)], *LASTING)
    everything(path)
    assert len(path.read_bytes().splitlines()) == len(STALE) + 20 + len(LASTING)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("names", range(8))
def test_at_whatever_step_power_is_lost_all_that_counts_stands(path: Path, tmp_path: Path, names: int) -> None:
    """Each sync and each renaming in turn fails, and what was not synced is gone: all names, none, or some of them."""
    write(tmp_path / "other" / "standings.ndjson", *LASTING)
    before = everything(tmp_path / "other" / "standings.ndjson")
    path.parent.mkdir()
    failed = 0
    with FailingDisk(path.parent) as disk:
        for step in range(20):
            disk.steps_left = None
            for each in path.parent.iterdir():
                each.unlink()
            write(path, *STALE, *STALE, *LASTING)
            disk.steps_left = step
            try:
                everything(path)
            except DiskFailure:
                failed += 1
            disk.steps_left = None
            disk.lose_power(0, None, names)
            assert everything(path) == before
            write(path, decided(10, account="b", use=True))
            disk.lose_power(0, None, names)
            assert everything(path)[1] == {"a": 0.0}, "what was appended since is on disk"
    assert failed >= 5


@pytest.mark.usefixtures("few")
def test_what_is_appended_right_after_lines_were_taken_out_is_on_disk(path: Path) -> None:
    path.parent.mkdir()
    with FailingDisk(path.parent) as disk:
        write(path, *STALE, *STALE, *LASTING)
        with writing(path) as opened:
            opened.restore(Share([Pool("default", 100.0)]), Decisions(0.01))
            opened.append([decided(10, account="b", use=True)])
        disk.lose_power(0, None)
        assert everything(path)[1] == {"a": 0.0}


def test_what_was_written_and_not_synced_by_who_was_killed_stays_once_it_was_read(path: Path) -> None:
    """Else its repeat would be answered as known, and a loss of power take both."""
    path.parent.mkdir()
    with FailingDisk(path.parent) as disk:
        write(path, decided(1))
        with path.open("ab") as file:
            file.write(msgspec.json.encode(decided(1, account="b")) + b"\n")
        with writing(path):
            disk.lose_power(0, None)
        assert everything(path)[1] == {"a": 0.0, "b": 0.0}


@pytest.mark.usefixtures("few")
def test_where_there_is_no_room_to_take_lines_out_they_stay(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write(path, *STALE, *STALE, *LASTING)
    whole = path.read_bytes()
    monkeypatch.setattr(Path, "rename", _full)
    before = everything(path)
    assert "can't be taken out" in caplog.text
    assert path.read_bytes() == whole
    monkeypatch.undo()
    assert everything(path) == before


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.usefixtures("few")
def test_a_file_that_was_written_anew_is_still_for_one_sidecar(path: Path) -> None:
    write(path, *STALE, *STALE, *LASTING)
    with writing(path) as opened:
        opened.restore(Share([Pool("default", 100.0)]), Decisions(0.01))
        assert path.read_bytes().count(b"\n") == len(LASTING)
        with pytest.raises(SharesUnusable, match="another sidecar uses it"):
            writing(path)


def test_who_has_opened_the_file_just_before_it_was_put_in_anothers_place_does_not_use_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(path, *LASTING)
    lock = fcntl.flock

    def late(file: int, how: int) -> None:
        other = path.with_name("another")
        other.write_bytes(path.read_bytes())
        other.rename(path)
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(SharesUnusable, match="another sidecar uses it"):
        writing(path)


def test_what_could_not_be_cut_off_is_cut_off_before_the_next_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(path) as standings:
        standings.append([said("a", 1, ceil=0.1)])
        monkeypatch.setattr(os, "fsync", _full)
        monkeypatch.setattr(os, "ftruncate", _full)
        with pytest.raises(SharesUnusable):
            standings.append([said("b", 1, ceil=0.2)])
        monkeypatch.undo()
        standings.append([said("c", 1, ceil=0.3)])
    assert set(share_of(path).standings) == {"a", "c"}
