"""What was said by hand is on disk before it counts, read again at a start, and never guessed at."""

import os
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from fairgate.domain.errors import SharesUnusable
from fairgate.entrypoints.share.standings import Line, Resized, Said, Standings
from fairgate.share import Pool, Share, Standing
from tests.support import SetClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "share" / "standings.ndjson"


def writing(path: Path) -> "closing[Standings]":
    return closing(Standings(path, SetClock(0)))


def write(path: Path, *lines: Line) -> None:
    with writing(path) as standings:
        for line in lines:
            standings.append(line)


def said(account: str, version: int, **standing: float) -> Said:
    return Said("2026-01-05T00:00:00+00:00", "me", "a reason", account, version, Standing(**standing))  # type: ignore[arg-type]


def share_of(path: Path) -> Share:
    share = Share([Pool("default", 100.0)])
    with writing(path) as opened:
        opened.restore(share)
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
        standings.append(said("a", 1, ceil=0.1))
        monkeypatch.setattr(os, *(("fsync", fails) if fault == "fsync" else ("write", part)))
        with pytest.raises(SharesUnusable):
            standings.append(said("b", 1, ceil=0.2))
        monkeypatch.undo()
        standings.append(said("c", 1, ceil=0.3))
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
