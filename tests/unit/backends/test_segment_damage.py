"""Damage to the embedded log's files: always told, with file, byte and remedy, and found by the full check."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fairgate.backends.embedded.segment_file import Position, SegmentFile
from fairgate.backends.embedded.segment_writer import SegmentWriter
from fairgate.backends.embedded.segments import open_log, verify
from fairgate.domain.errors import LogDamaged, LogError, LogTooNew, LogUnavailable
from tests.unit.backends.log_files import RECORDS, change, read_all, write

# --------------------------------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize("place", range(32, 32 + 16 + 19))
@pytest.mark.parametrize("flip", [0x01, 0x80])
def test_damage_before_a_whole_frame_names_file_and_byte(tmp_path: Path, place: int, flip: int) -> None:
    [file] = write(tmp_path, RECORDS)
    change(file, place, bytes([file.read_bytes()[place] ^ flip]))
    begins = 32 if place < 48 else 48
    for read_only in (False, True):
        with pytest.raises(LogDamaged) as caught, open_log(tmp_path, read_only=read_only):
            pass
        assert (caught.value.where, caught.value.offset) == (file, begins)
    [problem] = verify(tmp_path).problems
    assert (problem.file, problem.offset) == (file, begins)
    lost = 0 if begins == 32 else 1
    assert f"record {lost} can't be read" in problem.what
    assert f"begin again at byte {48 + 19 * lost} with record {lost + 1}" in problem.what


def test_a_frame_that_is_missing_or_there_twice_is_told(tmp_path: Path) -> None:
    [file] = write(tmp_path, RECORDS)
    whole = file.read_bytes()
    for spoilt, found, offset in [(whole[:48] + whole[67:], 2, 48), (whole[:67] + whole[48:], 1, 67)]:
        file.write_bytes(spoilt)
        with pytest.raises(LogDamaged, match=f"record {found} stands in its place") as caught, open_log(tmp_path):
            pass
        assert caught.value.offset == offset


def test_damage_can_be_told_across_a_border_of_the_upper_bytes(tmp_path: Path) -> None:
    writer = SegmentWriter.create(tmp_path, 2**24 - 2, 0, 10_000)
    writer.write([b"a", b"b", b"c"], 0)
    writer.close()
    file = SegmentFile.load(writer.file.path)
    change(file.path, 32, b"\xff")
    with file.path.open("rb") as opened:
        for after, found in [(33, Position(2**24 - 1, 49)), (50, Position(2**24, 66)), (67, None)]:
            assert file.find_frame(opened.fileno(), Position(2**24 - 2, after), 83) == found


def test_the_remedy_for_damage_works(tmp_path: Path) -> None:
    files = write(tmp_path, RECORDS, segment_bytes=120)
    assert len(files) == 3
    change(files[1], 40, b"\xff")
    with open_log(tmp_path) as log, pytest.raises(LogDamaged, match="delete the segments after it") as caught:
        list(log.read())
    os.truncate(files[1], caught.value.offset)
    files[2].unlink()
    with open_log(tmp_path) as log:
        assert log.append(b"new") == 2
    assert read_all(tmp_path) == [*RECORDS[:2], b"new"]
    assert verify(tmp_path).problems == ()


def test_damage_in_a_sealed_segment_is_met_where_it_is_read(tmp_path: Path) -> None:
    files = write(tmp_path, [b"%03d" % number for number in range(200)], segment_bytes=32 + 19 * 100)
    change(files[0], 32 + 19 * 70 + 16, b"x")
    with open_log(tmp_path) as log:
        assert log.get(69) == b"069"
        assert log.get(71) == b"071"
        records = log.read(65)
        assert [next(records)[0] for _ in range(5)] == [65, 66, 67, 68, 69]
        for read in (lambda: next(records), lambda: log.get(70)):
            with pytest.raises(LogDamaged, match="record 70 can't be read") as caught:
                read()
            assert (caught.value.where, caught.value.offset) == (files[0], 32 + 19 * 70)
    change(files[0], 32 + 19 * 72 + 8, b"\xff")
    with open_log(tmp_path) as log, pytest.raises(LogDamaged, match="no frame of it begins here") as caught:
        log.get(73)
    assert caught.value.offset == 32 + 19 * 72


def test_files_that_shrink_vanish_or_cannot_be_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_fd: int, _size: int, _offset: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    files = write(tmp_path, RECORDS, segment_bytes=120)
    with open_log(tmp_path) as log:
        os.truncate(files[0], 40)
        with pytest.raises(LogDamaged, match="the file ends before it"):
            log.get(0)
        files[1].unlink()
        with pytest.raises(LogUnavailable, match="No such file"):
            log.get(2)
        with monkeypatch.context() as patch:
            patch.setattr(os, "pread", fail)
            with pytest.raises(LogUnavailable, match=f"{files[2]}: Input/output error"):
                log.get(3)


def lose_middle(files: list[Path]) -> tuple[Path, int, str]:
    files[1].unlink()
    return files[2], 16, "end before record 2, and it begins with 3"


def lose_first(files: list[Path]) -> tuple[Path, int, str]:
    files[0].unlink()
    return files[1], 16, "begins with record 0, and it, the first of its segments, with 2"


def lose_end_of_sealed(files: list[Path]) -> tuple[Path, int, str]:
    os.truncate(files[0], files[0].stat().st_size - 1)
    return files[0], 48, "record 1 can't be read, the file ends within it"


def take_from_another_log(files: list[Path]) -> tuple[Path, int, str]:
    other = write(files[0].parent / "other", [b"x" * len(record) for record in RECORDS], segment_bytes=120)
    files[1].write_bytes(other[1].read_bytes())
    return files[1], 24, "from another log"


def rename(files: list[Path]) -> tuple[Path, int, str]:
    files[2].rename(files[2].with_name(f"{7:020}.log"))
    return files[2].with_name(f"{7:020}.log"), 16, "its header says that record 3 is its first"


def spoil_header(files: list[Path]) -> tuple[Path, int, str]:
    change(files[1], 12, b"\0\0\0\0")
    return files[1], 0, "the header's checksum is wrong"


def replace_by_something_else(files: list[Path]) -> tuple[Path, int, str]:
    files[1].write_bytes(b"not a log")
    return files[1], 0, "this is no segment"


@pytest.mark.parametrize(
    "harm",
    [
        lose_middle,
        lose_first,
        lose_end_of_sealed,
        take_from_another_log,
        rename,
        spoil_header,
        replace_by_something_else,
    ],
)
def test_segments_that_do_not_belong_together_are_told(
    tmp_path: Path, harm: Callable[[list[Path]], tuple[Path, int, str]]
) -> None:
    files = write(tmp_path, RECORDS, segment_bytes=120)
    assert [int(file.stem) for file in files] == [0, 2, 3]
    file, offset, what = harm(files)
    for read_only in (False, True):
        with pytest.raises(LogDamaged, match=what) as caught, open_log(tmp_path, read_only=read_only):
            pass
        assert (caught.value.where, caught.value.offset) == (file, offset)
        assert f"{file}, byte {offset}: " in str(caught.value)
    problem = verify(tmp_path).problems[0]
    assert (problem.file, problem.offset) == (file, offset)
    assert what in problem.what


def test_a_newer_format_is_no_damage(tmp_path: Path) -> None:
    [file] = write(tmp_path, RECORDS)
    change(file, 8, b"\x02")
    with (
        pytest.raises(LogTooNew, match=r"version 2, this program reads version 1\. Upgrade Fairgate\."),
        open_log(tmp_path),
    ):
        pass
    assert verify(tmp_path).problems[0].remedy == "Upgrade Fairgate."


# --------------------------------------------------------------------------------------------------------------- verify


def test_verify_counts_what_is_there(tmp_path: Path) -> None:
    files = write(tmp_path, RECORDS, segment_bytes=120)
    report = verify(tmp_path)
    assert (report.segments, report.records, report.first, report.last) == (3, 5, 0, 4)
    assert report.bytes == sum(file.stat().st_size for file in files)
    assert (report.torn_bytes, report.problems) == (0, ())
    write(tmp_path / "empty", [])
    report = verify(tmp_path / "empty")
    assert (report.segments, report.records, report.first, report.last, report.bytes) == (1, 0, None, None, 32)


def test_verify_goes_on_behind_damage(tmp_path: Path) -> None:
    files = write(tmp_path, [b"%03d" % number for number in range(300)], segment_bytes=32 + 19 * 100)
    change(files[0], 32 + 19 * 10, b"\xff" * 38)
    change(files[0], 32 + 19 * 50 + 16, b"x")
    change(files[1], 32 + 19 * 99, b"\xff")
    change(files[2], 0, b"F ")
    report = verify(tmp_path)
    assert [(problem.file, problem.offset) for problem in report.problems] == [
        (files[0], 32 + 19 * 10),
        (files[0], 32 + 19 * 50),
        (files[1], 32 + 19 * 99),
        (files[2], 0),
    ]
    assert (report.records, report.first, report.last) == (97 + 99, 0, 198)


def test_errors_say_what_where_and_what_to_do(tmp_path: Path) -> None:
    [file] = write(tmp_path, RECORDS)
    change(file, 40, b"\xff")
    with pytest.raises(LogError) as caught, open_log(tmp_path):
        pass
    assert str(caught.value) == (
        f"The event log is not as it was written. {file}, byte 32: record 0 can't be read, the checksum is wrong. "
        "Restore the file from a backup; without one, keep a copy of the log, cut the file off at this byte and "
        "delete the segments after it: the records from 0 on are lost then."
    )
