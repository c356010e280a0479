"""A log opened for reading follows its writer, but never beyond what that has made durable."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest

from fairgate.backends.embedded import segment_begin
from fairgate.backends.embedded.segment_reader import SegmentReader
from fairgate.backends.embedded.segments import SegmentLog, open_log
from fairgate.domain.errors import LogBroken, LogDamaged


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SegmentLog]:
    with closing(SegmentLog.open(tmp_path / "log", 400)) as opened:
        yield opened


@pytest.fixture
def reader(log: SegmentLog) -> SegmentReader:
    return SegmentReader.open(log.directory)


def append(log: SegmentLog, count: int) -> list[bytes]:
    records = [f"record {log.end() + number}".encode() * 3 for number in range(count)]
    for record in records:
        log.append(record)
    return records


def test_newer_records_are_seen_across_segments(log: SegmentLog, reader: SegmentReader) -> None:
    written: list[bytes] = []
    for count in (1, 0, 3, 40, 1):
        written += append(log, count)
        log.commit()
        before = list(reader.read())
        assert reader.refresh() == reader.end() == len(written)
        assert [record for _, record in before] == written[: len(before)]
        assert [record for _, record in reader.read()] == written
        assert [reader.get(at) for at in range(len(written))] == written
    assert sum(1 for _ in log.directory.glob("*.log")) > 3


def test_what_is_pending_or_torn_is_not_seen(log: SegmentLog, reader: SegmentReader) -> None:
    written = append(log, 3)
    assert reader.refresh() == 0
    log.commit()
    [segment] = log.directory.glob("*.log")
    with segment.open("ab") as file:
        file.write(b"\x05\0\0\0torn")
    assert reader.refresh() == 3
    assert [record for _, record in reader.read()] == written


def test_what_a_failed_sync_left_is_not_seen_and_may_be_taken_back(log: SegmentLog, reader: SegmentReader) -> None:
    kept = append(log, 2)
    log.commit()
    append(log, 2)
    with mock.patch.object(os, "fdatasync", side_effect=OSError("no")), pytest.raises(LogBroken):
        log.commit()
    eager = SegmentReader.open(log.directory)
    assert eager.end() == 4
    assert reader.refresh() == eager.refresh() == 2
    again = log.reopen()
    with closing(again):
        again.append(b"other")
        again.commit()
        for each in (reader, eager):
            assert each.refresh() == 3
            assert [record for _, record in each.read()] == [*kept, b"other"]


def test_a_log_whose_writer_said_nothing_is_read_to_its_end(log: SegmentLog, reader: SegmentReader) -> None:
    append(log, 3)
    log.commit()
    (log.directory / "lock").write_text("1234\n")
    assert reader.refresh() == 3
    (log.directory / "lock").unlink()
    assert reader.refresh() == 3


def test_a_writer_knows_all_of_its_log(log: SegmentLog) -> None:
    append(log, 3)
    assert log.refresh() == 0
    log.commit()
    assert log.refresh() == 3


def test_damage_in_a_segment_that_is_over_is_told(log: SegmentLog, reader: SegmentReader) -> None:
    append(log, 30)
    log.commit()
    first = min(log.directory.glob("*.log"))
    spoilt = bytearray(first.read_bytes())
    spoilt[60] ^= 1
    first.write_bytes(spoilt)
    with pytest.raises(LogDamaged, match="the checksum is wrong"):
        reader.refresh()


def test_drops_between_its_looks_at_the_beginning_and_at_the_names_are_seen(
    log: SegmentLog, reader: SegmentReader
) -> None:
    written = append(log, 40)
    log.commit()
    reader.refresh()
    listed = segment_begin.held_paths
    moved = [30, 10]  # the beginning is 10 when the segments below 30 go

    def dropping(directory: Path, begin: int) -> list[Path]:
        if moved:
            log.drop(moved.pop())
        return listed(directory, begin)

    log.drop(5)
    with mock.patch.object(segment_begin, "held_paths", dropping):
        assert reader.refresh() == 40
    assert not moved
    assert reader.begin() == 30
    assert list(reader.read()) == list(enumerate(written))[30:]


def test_a_segment_that_is_missing_without_having_been_dropped_is_told(log: SegmentLog, reader: SegmentReader) -> None:
    append(log, 40)
    log.commit()
    reader.refresh()
    min(log.directory.glob("*.log")).unlink()
    with pytest.raises(LogDamaged, match="Restore the missing segments"):
        reader.refresh()


def test_a_closed_one_refuses(log: SegmentLog) -> None:
    with open_log(log.directory, read_only=True) as reader:
        pass
    with pytest.raises(ValueError, match="closed"):
        reader.refresh()
