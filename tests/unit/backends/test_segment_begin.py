"""A log that begins later than with 0: its file, what a drop removes and leaves, crashes, failures, and readers."""

import errno
import os
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from zlib import crc32

import pytest

from fairgate.backends.embedded import segment_begin, segment_index
from fairgate.backends.embedded.segment_begin import encode_begin, keeping_segments, read_begin, save_begin
from fairgate.backends.embedded.segment_file import SegmentFile
from fairgate.backends.embedded.segment_reader import SegmentReader
from fairgate.backends.embedded.segments import SegmentLog, open_log, verify
from fairgate.domain.errors import LogBroken, LogDamaged, LogError, LogTooNew, LogUnavailable, NoSuchRecord
from tests.unit.backends.log_files import change

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "log-format.md"
RECORDS = [b"%03d" % number for number in range(25)]
PER_SEGMENT = 5
SEGMENT_BYTES = 32 + PER_SEGMENT * 19


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SegmentLog]:
    """A log of five whole segments, each begun by a multiple of five."""
    with closing(SegmentLog.open(tmp_path / "log", SEGMENT_BYTES)) as made:
        append(made, *RECORDS)
        yield made


@pytest.fixture
def folder(log: SegmentLog) -> Path:
    return log.directory


def append(log: SegmentLog, *records: bytes) -> None:
    for record in records:
        log.append(record)
        log.commit()


def begun_by(folder: Path, suffix: str = ".log") -> list[int]:
    return sorted(int(path.stem) for path in folder.glob(f"*{suffix}"))


def held(log: SegmentReader) -> dict[int, bytes]:
    return dict(log.read())


def expected(begin: int) -> dict[int, bytes]:
    return dict(list(enumerate(RECORDS))[begin:])


# ----------------------------------------------------------------------------------------------------- what a drop does


def test_the_bytes_are_those_of_the_format(log: SegmentLog, folder: Path) -> None:
    assert not (folder / "begin").exists()
    log.drop(7)
    head = b"FGATEBEG" + struct.pack("<IQ", 1, 7)
    assert (folder / "begin").read_bytes() == head + struct.pack("<I", crc32(head))


@pytest.mark.parametrize(
    ("begin", "segments"),
    [(0, [0, 5, 10, 15, 20]), (4, [0, 5, 10, 15, 20]), (5, [5, 10, 15, 20]), (19, [15, 20]), (25, [20])],
)
def test_whole_segments_go_with_their_sidecars(log: SegmentLog, folder: Path, begin: int, segments: list[int]) -> None:
    log.drop(begin)
    assert begun_by(folder) == segments
    assert begun_by(folder, ".idx") == segments[:-1]
    append(log, b"next")
    report = verify(folder)
    assert (report.problems, report.records, report.first, report.last) == ((), 26 - begin, begin, 25)
    log.close()
    for read_only in (False, True):
        with open_log(folder, read_only=read_only) as again:
            assert (again.begin(), again.end()) == (begin, 26)
            assert held(again) == expected(begin) | {25: b"next"}


def test_an_empty_drop_touches_nothing(log: SegmentLog, folder: Path) -> None:
    log.drop(0)
    assert not (folder / "begin").exists()
    log.drop(7)
    written = (folder / "begin").stat().st_ino
    log.drop(7)
    assert (folder / "begin").stat().st_ino == written


def test_a_reader_drops_nothing(log: SegmentLog, folder: Path) -> None:
    with open_log(folder, read_only=True) as reader, pytest.raises(OSError, match="opened for reading only"):
        reader.drop(5)
    assert log.begin() == 0


def test_commits_go_on_while_files_go(log: SegmentLog, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    removing, go_on = threading.Event(), threading.Event()
    unlink = os.unlink

    def slow(path: Path) -> None:
        removing.set()
        assert go_on.wait(10)
        unlink(path)

    monkeypatch.setattr(os, "unlink", slow)
    dropping = threading.Thread(target=log.drop, args=(15,))
    dropping.start()
    assert removing.wait(10)
    append(log, *[b"new"] * 7)  # into other segments
    assert begun_by(folder) == [0, 5, 10, 15, 20, 25, 30]
    closing_it = threading.Thread(target=log.close)
    closing_it.start()
    closing_it.join(0.05)
    assert closing_it.is_alive()  # another writer must not open the log before the files are gone
    go_on.set()
    dropping.join()
    closing_it.join()
    monkeypatch.undo()
    assert begun_by(folder) == [15, 20, 25, 30]
    with open_log(folder) as again:
        assert (again.begin(), again.end()) == (15, 32)


# ----------------------------------------------------------------------------------------------- what a crash may leave


@pytest.mark.parametrize("left", [["0", "5"], ["0"], ["5"]])
@pytest.mark.parametrize("suffixes", [[".log", ".idx"], [".log"], [".idx"]])
def test_what_is_left_below_the_beginning_is_no_problem_and_a_writer_removes_it(
    log: SegmentLog, folder: Path, tmp_path: Path, left: list[str], suffixes: list[str]
) -> None:
    shutil.copytree(folder, tmp_path / "before")
    log.drop(12)
    log.close()
    for number in left:
        for suffix in suffixes:
            name = f"{int(number):020}{suffix}"
            shutil.copy(tmp_path / "before" / name, folder / name)
    report = verify(folder)
    assert (report.problems, report.segments, report.first, report.records) == ((), 3, 12, 13)
    with closing(SegmentReader.open(folder)) as reader:
        assert held(reader) == expected(12)
    with open_log(folder) as again:
        assert held(again) == expected(12)
        assert begun_by(folder) == [10, 15, 20]
        assert begun_by(folder, ".idx") == [10, 15]


def test_a_beginning_found_after_a_crash_is_made_durable_before_anything_goes(
    log: SegmentLog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.close()
    save_begin(folder, 12)  # and the process is killed
    done: list[str] = []
    unlink, fsync = os.unlink, os.fsync

    def watched_unlink(path: Path) -> None:
        done.append("unlink")
        unlink(path)

    def watched_fsync(fd: int) -> None:
        done.append("sync" if os.path.isdir(f"/proc/self/fd/{fd}") else "sync of a file")  # noqa: PTH112 - a descriptor
        fsync(fd)

    monkeypatch.setattr(os, "unlink", watched_unlink)
    monkeypatch.setattr(os, "fsync", watched_fsync)
    with open_log(folder) as again:
        assert again.begin() == 12
    assert done[:6] == ["sync", *["unlink"] * 4, "sync"]


def test_files_of_other_names_stay(log: SegmentLog, folder: Path) -> None:
    others = [folder / name for name in ("notes", "0.txt", "a.idx")]
    for path in others:
        path.write_text("mine")
    log.drop(25)
    assert all(path.exists() for path in others)


# --------------------------------------------------------------------------------------------------------------- damage


def open_both_ways(folder: Path) -> Iterator[LogError]:
    for read_only in (False, True):
        with pytest.raises(LogError) as caught, open_log(folder, read_only=read_only):
            pass
        yield caught.value


@pytest.mark.parametrize("place", range(24))
@pytest.mark.parametrize("flip", [0x01, 0x80])
def test_a_beginning_with_a_wrong_bit_is_told(log: SegmentLog, folder: Path, place: int, flip: int) -> None:
    log.drop(7)
    log.close()
    file = folder / "begin"
    change(file, place, bytes([file.read_bytes()[place] ^ flip]))
    for error in open_both_ways(folder):
        assert isinstance(error, LogDamaged)
        assert (error.where, error.offset, error.what) == (file, 0, "it is not what was written there")
        assert 'write the file anew as "The beginning" in docs/reference/log-format.md shows' in error.remedy
    [problem] = verify(folder).problems
    assert (problem.file, problem.offset) == (file, 0)


def test_a_beginning_of_another_length_is_told(log: SegmentLog, folder: Path) -> None:
    log.drop(7)
    log.close()
    whole = (folder / "begin").read_bytes()
    for spoilt in (whole[:-1], whole + b"\0", b"", b"x" * 24):
        (folder / "begin").write_bytes(spoilt)
        for error in open_both_ways(folder):
            assert isinstance(error, LogDamaged)
        assert len(verify(folder).problems) == 1


def signed(head: bytes) -> bytes:
    return head + struct.pack("<I", crc32(head))


def test_another_file_and_a_newer_format_are_told_apart(log: SegmentLog, folder: Path) -> None:
    log.close()
    (folder / "begin").write_bytes(signed(b"FGATEEND" + struct.pack("<IQ", 1, 7)))
    for error in open_both_ways(folder):
        assert isinstance(error, LogDamaged)
        assert error.what == "this is no beginning of a log"
    (folder / "begin").write_bytes(signed(b"FGATEBEG" + struct.pack("<IQ", 2, 7)))
    for error in open_both_ways(folder):
        assert isinstance(error, LogTooNew)
    assert verify(folder).problems[0].remedy == "Upgrade Fairgate."


def test_a_log_that_lost_its_beginning_is_damaged_and_the_documented_way_out_works(
    log: SegmentLog, folder: Path
) -> None:
    log.drop(12)
    log.close()
    (folder / "begin").unlink()
    for error in open_both_ways(folder):
        assert isinstance(error, LogDamaged)
        assert (error.where, error.offset) == (folder / f"{10:020}.log", 16)
        assert error.what == "the log begins with record 0, and it, the first of its segments, with 10"
    [problem] = verify(folder).problems
    assert problem.file == folder / f"{10:020}.log"
    [command] = [line.strip() for line in DOCS.read_text().splitlines() if line.strip().startswith("python -c")]
    script = command.partition('"')[2].rpartition('"')[0].replace("DIRECTORY", str(folder)).replace("FIRST", "10")
    subprocess.run([sys.executable, "-c", script], check=True)
    with open_log(folder) as again:
        assert held(again) == expected(10)
    assert verify(folder).problems == ()


def test_a_segment_that_is_held_and_missing_is_told(log: SegmentLog, folder: Path) -> None:
    log.drop(12)
    log.close()
    lost = folder / f"{10:020}.log"
    whole = lost.read_bytes()
    lost.unlink()
    for error in open_both_ways(folder):
        assert error.what == "the log begins with record 12, and it, the first of its segments, with 15"
    lost.write_bytes(whole)
    (folder / f"{15:020}.log").unlink()
    for error in open_both_ways(folder):
        assert error.what == "the segments before it end before record 15, and it begins with 20"


@pytest.mark.parametrize("how", ["the last is cut", "none is left"])
def test_a_log_that_ends_before_it_begins_is_told(log: SegmentLog, folder: Path, how: str) -> None:
    log.drop(25)
    log.close()
    file = folder / f"{20:020}.log"
    if how == "none is left":
        file.unlink()
    else:
        os.truncate(file, file.stat().st_size - 1)
        [problem] = verify(folder).problems
        assert problem.file == folder / "begin"
    for error in open_both_ways(folder):
        assert isinstance(error, LogDamaged)
        assert (error.where, error.offset) == (folder / "begin", 12)
        assert error.what == f"the log begins with record 25, and its segments end before record {24 * file.exists()}"


def test_the_links_between_what_is_held_are_checked(log: SegmentLog, folder: Path, tmp_path: Path) -> None:
    log.drop(12)
    log.close()
    with closing(SegmentLog.open(tmp_path / "other", SEGMENT_BYTES)) as other:
        append(other, *[record[::-1] for record in RECORDS])
        shutil.copy(other.directory / f"{15:020}.log", folder)
    for error in open_both_ways(folder):
        assert "from another log" in error.what
    assert "from another log" in verify(folder).problems[0].what


def test_a_first_segment_that_says_something_was_before_it_is_told(log: SegmentLog, folder: Path) -> None:
    log.close()
    file = SegmentFile.load(folder / f"{0:020}.log")
    header = type(file.header)(0, file.header.salt, 17)
    change(file.path, 0, header.encode())
    for error in open_both_ways(folder):
        assert error.what == "it says that a segment was before it"


# -------------------------------------------------------------------------------------------------------- failing disks


def failing_after(count: int, call: Callable[..., None]) -> Callable[..., None]:
    """A call that works so many times, and then fails."""
    left = [count]

    def either(*args: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        call(*args)

    return either


@pytest.mark.parametrize(
    ("failing", "known"),
    [
        (("fsync", 0), 0),
        (("rename", 0), 0),
        (("fsync", 1), 0),
        (("unlink", 0), 12),
        (("unlink", 3), 12),
        (("fsync", 2), 12),
    ],
)
def test_a_drop_that_fails_loses_nothing_and_can_be_tried_again(
    log: SegmentLog, folder: Path, monkeypatch: pytest.MonkeyPatch, failing: tuple[str, int], known: int
) -> None:
    name, works = failing
    with monkeypatch.context() as patch:
        patch.setattr(os, name, failing_after(works, getattr(os, name)))
        with pytest.raises(LogUnavailable, match=r"Input/output error.*Nothing is lost, and the log goes on"):
            log.drop(12)
    assert log.begin() == known
    assert held(log) == expected(known)
    append(log, b"next")
    assert verify(folder).problems == ()
    with closing(SegmentReader.open(folder)) as reader:
        assert held(reader) == expected(reader.begin()) | {25: b"next"}
        assert reader.begin() in {0, 12}
        log.drop(12)
        assert reader.refresh() == 26
        assert reader.begin() == log.begin() == 12
        assert held(reader) == held(log) == expected(12) | {25: b"next"}
    assert begun_by(folder) == [10, 15, 20, 25]
    assert not list(folder.glob("*.tmp"))


def test_after_a_drop_that_failed_less_can_be_dropped(
    log: SegmentLog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing_after(1, os.fsync))
        with pytest.raises(LogUnavailable):
            log.drop(12)
    with closing(SegmentReader.open(folder)) as reader:
        assert reader.begin() == 12
        log.drop(7)
        assert held(log) == expected(7)
        assert reader.refresh() == 25
        assert reader.begin() == 12  # which it has given out already
        assert held(reader) == expected(12)


def test_a_log_that_has_stopped_drops_nothing(log: SegmentLog, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing_after(0, os.fdatasync))
        with pytest.raises(LogBroken):
            append(log, b"lost")
    for call in (lambda: log.drop(5), log.begin):
        with pytest.raises(LogBroken):
            call()
    again = log.reopen()
    with closing(again):
        again.drop(12)
        assert held(again) == expected(12)
    assert begun_by(folder)[0] == 10


def test_segments_that_someone_keeps_go_with_the_next_drop(log: SegmentLog, folder: Path) -> None:
    with keeping_segments(folder), keeping_segments(folder):
        log.drop(12)
        assert (log.begin(), held(log)) == (12, expected(12))
        assert begun_by(folder) == [0, 5, 10, 15, 20]
        assert verify(folder).problems == ()
    log.drop(12)
    assert begun_by(folder) == [10, 15, 20]
    with keeping_segments(folder):
        log.drop(20)
        log.close()
        with open_log(folder):
            assert begun_by(folder) == [10, 15, 20]
    with open_log(folder):
        assert begun_by(folder) == [20]


# -------------------------------------------------------------------------------------------------------------- readers


def test_a_reader_sees_the_new_beginning_and_lets_go(log: SegmentLog, folder: Path) -> None:
    with closing(SegmentReader.open(folder)) as reader:
        records = reader.read()
        assert next(records) == (0, RECORDS[0])
        log.drop(12)
        assert reader.begin() == 0
        assert reader.get(12) == RECORDS[12]
        with pytest.raises(NoSuchRecord, match="Asked for 3; numbers below 25 have been given, and those below 12"):
            reader.get(3)
        assert reader.begin() == 12
        assert [at for at, _ in (next(records) for _ in range(4))] == [1, 2, 3, 4]  # the file is still open
        with pytest.raises(NoSuchRecord) as caught:
            next(records)
        assert (caught.value.sequence, caught.value.begin) == (5, 12)
        assert reader.refresh() == 25
        assert (reader.begin(), held(reader)) == (12, expected(12))


def test_a_reader_whose_segments_are_all_gone_starts_anew(log: SegmentLog, folder: Path) -> None:
    with closing(SegmentReader.open(folder)) as reader:
        append(log, *[b"%03d" % number for number in range(25, 60)])
        log.drop(52)
        with pytest.raises(NoSuchRecord):
            list(reader.read(20))
        assert reader.refresh() == 60
        assert (reader.begin(), list(held(reader))) == (52, list(range(52, 60)))
        append(log, b"more")
        assert reader.refresh() == 61
        assert reader.get(60) == b"more"


def dropping_before(call: Callable[..., object], log: SegmentLog, upto: list[int]) -> Callable[..., object]:
    """A call before which the log is dropped, as far as is next on the list."""

    def either(*args: object) -> object:
        if upto:
            log.drop(upto.pop(0))
        return call(*args)

    return either


@pytest.mark.parametrize(
    ("owner", "name"), [(SegmentFile, "load"), (segment_index, "load"), (segment_begin, "held_paths")]
)
def test_a_log_is_opened_and_followed_while_it_is_dropped(
    log: SegmentLog, folder: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    with closing(SegmentReader.open(folder)) as reader:
        append(log, *[b"%03d" % number for number in range(25, 60)])
        for begins in ([12, 22], [33, 52]):
            upto = list(begins)
            with monkeypatch.context() as patch:
                patch.setattr(owner, name, dropping_before(getattr(owner, name), log, upto))
                with closing(SegmentReader.open(folder)) as opened:
                    assert opened.begin() in begins
                    assert opened.refresh() == reader.refresh() == 60
            assert not upto
        for each in (reader, log):
            each.refresh()
            assert list(held(each)) == list(range(52, 60))


def test_a_segment_that_is_missing_for_another_reason_is_told(log: SegmentLog, folder: Path) -> None:
    log.drop(12)
    with closing(SegmentReader.open(folder)) as reader:
        (folder / f"{15:020}.log").unlink()
        for call in (lambda: reader.get(17), lambda: list(reader.read())):
            with pytest.raises(LogUnavailable, match="No such file"):
                call()
        for path in folder.glob("*.log"):
            path.unlink()
        with pytest.raises(LogUnavailable, match="it holds no segments"):
            reader.refresh()


def test_the_beginning_is_what_was_saved_last(tmp_path: Path) -> None:
    assert read_begin(tmp_path) == 0
    for sequence in (3, 2**64 - 1):
        save_begin(tmp_path, sequence)
        assert read_begin(tmp_path) == sequence
        assert (tmp_path / "begin").read_bytes() == encode_begin(sequence)
