"""The embedded log's files: format, torn tails, sidecars, the writer's lock, and failing disks."""

import errno
import io
import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import pytest

from fairgate.backends.embedded.segment_file import Position, SegmentFile
from fairgate.backends.embedded.segments import open_log, verify
from fairgate.domain.errors import LogBroken, LogDamaged, LogLocked, LogUnavailable, NoSuchRecord
from fairgate.ports.event_log import EventLog
from tests.unit.backends.log_files import RECORDS, change, read_all, write


def test_the_bytes_are_those_of_the_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda count: b"\x78\x56\x34\x12"[:count])
    first, second = write(tmp_path, [b"a", b"bc"], segment_bytes=40)
    frames = []
    for number, (file, record, chain) in enumerate([(first, b"a", 0), (second, b"bc", None)]):
        checksum = crc32(struct.pack("<Q", number) + record, 0x12345678)
        frames.append(checksum)
        head = b"FGATELOG" + struct.pack("<IIQI", 1, 0x12345678, number, frames[0] if chain is None else chain)
        frame = struct.pack("<IIQ", len(record), checksum, number) + record
        assert file.name == f"{number:020}.log"
        assert file.read_bytes() == head + struct.pack("<I", crc32(head)) + frame


def test_a_segment_is_begun_when_the_next_record_would_not_fit(tmp_path: Path) -> None:
    files = write(tmp_path, [bytes(84), bytes(84), bytes(500), b"", b""], segment_bytes=232)
    assert [(int(file.stem), file.stat().st_size) for file in files] == [(0, 232), (2, 548), (3, 64)]
    assert read_all(tmp_path) == [bytes(84), bytes(84), bytes(500), b"", b""]


@pytest.mark.parametrize("segment_bytes", [32, 2**30 + 1])
def test_absurd_segment_sizes_are_refused(tmp_path: Path, segment_bytes: int) -> None:
    with (
        pytest.raises(ValueError, match="must be above 32, at most 1073741824"),
        open_log(tmp_path, segment_bytes=segment_bytes),
    ):
        pass


# ----------------------------------------------------------------------------------------------------------- torn tails


@pytest.mark.parametrize("kept", range(16 + 4))
def test_a_frame_cut_anywhere_is_taken_off_and_the_log_goes_on(tmp_path: Path, kept: int) -> None:
    [file] = write(tmp_path, RECORDS)
    whole = file.stat().st_size - 20
    os.truncate(file, whole + kept)
    assert read_all(tmp_path, read_only=True) == RECORDS[:-1]
    assert verify(tmp_path).torn_bytes == kept
    assert file.stat().st_size == whole + kept
    with open_log(tmp_path) as log:
        assert log.torn_bytes == kept
        assert file.stat().st_size == whole
        assert log.append(b"again") == 4
    assert read_all(tmp_path) == [*RECORDS[:-1], b"again"]
    assert verify(tmp_path).problems == ()


@pytest.mark.parametrize("place", range(16 + 4))
def test_a_last_frame_with_a_wrong_bit_is_torn(tmp_path: Path, place: int) -> None:
    [file] = write(tmp_path, RECORDS)
    at = file.stat().st_size - 20 + place
    change(file, at, bytes([file.read_bytes()[at] ^ 0x01]))
    with open_log(tmp_path) as log:
        assert log.torn_bytes == 20
        assert [record for _, record in log.read()] == RECORDS[:-1]


def test_blocks_that_were_lost_are_a_torn_tail(tmp_path: Path) -> None:
    [file] = write(tmp_path, RECORDS)
    os.truncate(file, file.stat().st_size + 3_000_000)
    with open_log(tmp_path) as log:
        assert log.torn_bytes == 3_000_000
        assert log.end() == 5


def test_a_record_cannot_pass_for_a_frame(tmp_path: Path) -> None:
    forged = struct.pack("<IIQ", 2, crc32(struct.pack("<Q", 3) + b"hi"), 3) + b"hi"
    [file] = write(tmp_path, [b"a", b"b", forged * 3])
    os.truncate(file, file.stat().st_size - 1)
    assert read_all(tmp_path) == [b"a", b"b"]


def test_an_unfinished_segment_is_forgotten(tmp_path: Path) -> None:
    write(tmp_path, RECORDS)
    draft = tmp_path / f"{5:020}.log.tmp"
    draft.write_bytes(b"half a header")
    assert read_all(tmp_path, read_only=True) == RECORDS
    assert draft.exists()
    assert read_all(tmp_path) == RECORDS
    assert not draft.exists()


# ------------------------------------------------------------------------------------------------------------- sidecars


def numbered(count: int) -> list[bytes]:
    return [str(number).encode() * (number % 5) for number in range(count)]


def spoil(sidecar: Path) -> None:
    sidecar.write_bytes(sidecar.read_bytes()[:-1])


def point_astray(sidecar: Path) -> None:
    data = sidecar.read_bytes()[:-4]
    data = data[:44] + struct.pack("<Q", 33) + data[52:]
    sidecar.write_bytes(data + struct.pack("<I", crc32(data)))


def take_another(sidecar: Path) -> None:
    write(sidecar.parent / "other", numbered(300), segment_bytes=4000)
    sidecar.write_bytes((sidecar.parent / "other" / sidecar.name).read_bytes())


@pytest.mark.parametrize("harm", [Path.unlink, spoil, take_another])
def test_a_sidecar_that_does_not_fit_is_made_anew(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    write(tmp_path, numbered(300), segment_bytes=4000)
    sidecar = tmp_path / f"{0:020}.idx"
    sound = sidecar.read_bytes()
    harm(sidecar)
    with open_log(tmp_path, read_only=True) as log:
        assert [log.get(number) for number in range(300)] == numbered(300)
    assert not sidecar.exists() or sidecar.read_bytes() != sound
    assert [problem.file for problem in verify(tmp_path).problems] == [sidecar] * sidecar.exists()
    assert read_all(tmp_path) == numbered(300)
    assert sidecar.read_bytes() == sound
    assert verify(tmp_path).problems == ()


def test_a_sidecar_that_leads_astray_is_told(tmp_path: Path) -> None:
    write(tmp_path, numbered(300), segment_bytes=4000)
    point_astray(tmp_path / f"{0:020}.idx")
    with open_log(tmp_path) as log, pytest.raises(LogDamaged, match="no frame of it begins here"):
        log.get(1)
    [problem] = verify(tmp_path).problems
    assert problem.what == "the index doesn't agree with its segment"


def test_opening_reads_the_last_segment_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write(tmp_path, numbered(300), segment_bytes=4000)
    read: set[Path] = set()
    frames = SegmentFile.frames

    def watched(self: SegmentFile, fd: int, start: Position, end: Position) -> object:
        read.add(self.path)
        return frames(self, fd, start, end)

    monkeypatch.setattr(SegmentFile, "frames", watched)
    with open_log(tmp_path):
        assert read == {files[-1]}


# -------------------------------------------------------------------------------------------------- one writer, readers


def test_a_second_writer_is_told_the_first_ones_pid(tmp_path: Path) -> None:
    with (
        open_log(tmp_path),
        pytest.raises(LogLocked, match=f"process {os.getpid()} is writing to it"),
        open_log(tmp_path),
    ):
        pass
    assert read_all(tmp_path) == []


def test_a_failed_opening_leaves_the_log_to_others(tmp_path: Path) -> None:
    files = write(tmp_path, RECORDS, segment_bytes=120)
    files[1].rename(tmp_path / "aside")
    with pytest.raises(LogDamaged), open_log(tmp_path):
        pass
    (tmp_path / "aside").rename(files[1])
    assert read_all(tmp_path) == RECORDS


def test_a_reader_stands_beside_the_writer_and_sees_what_was_there(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.append(b"before")
        log.commit()
        with open_log(tmp_path, read_only=True) as reader:
            log.append(b"after")
            log.commit()
            assert reader.end() == 1
            assert list(reader.read()) == [(0, b"before")]
            assert reader.get(0) == b"before"
            with pytest.raises(NoSuchRecord, match="Asked for 1; numbers below 1 have been given"):
                reader.get(1)
            for call in (reader.commit, lambda: reader.append(b"")):
                with pytest.raises(io.UnsupportedOperation, match="opened for reading only"):
                    call()
        with pytest.raises(ValueError, match="closed"):
            reader.end()
        assert read_all(tmp_path, read_only=True) == [b"before", b"after"]


@pytest.mark.parametrize("make", [lambda _path: None, Path.mkdir])
def test_reading_what_is_no_log_is_an_error(tmp_path: Path, make: Callable[[Path], None]) -> None:
    directory = tmp_path / "log"
    make(directory)
    before = list(tmp_path.rglob("*"))
    for attempt in (lambda: open_log(directory, read_only=True).__enter__(), lambda: verify(directory)):
        with pytest.raises(LogUnavailable, match="cannot be opened or read"):
            attempt()
    assert list(tmp_path.rglob("*")) == before


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LogUnavailable, match="File exists"), open_log(tmp_path / "file" / "log"):
        pass
    with open_log(tmp_path / "a" / "b" / "log") as log:
        assert log.end() == 0


# -------------------------------------------------------------------------------------------------------- failing disks


@contextmanager
def log_that_breaks(directory: Path) -> Iterator[EventLog]:
    """Open a log, and see that it doesn't close as if nothing had happened."""
    opened = open_log(directory, segment_bytes=120)
    yield opened.__enter__()
    with pytest.raises(LogBroken):
        opened.__exit__(None, None, None)


def full_after(count: int) -> Callable[[int, bytes, int], int]:
    """A `pwrite` for a disk that has room for `count` bytes more, and writes at most 7 at once."""
    pwrite, left = os.pwrite, [count]

    def write_some(fd: int, data: bytes, offset: int) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = pwrite(fd, data[: min(7, left[0])], offset)
        left[0] -= written
        return written

    return write_some


def test_short_writes_are_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", full_after(100_000))
    write(tmp_path, RECORDS, segment_bytes=120)
    monkeypatch.undo()
    assert read_all(tmp_path) == RECORDS


@pytest.mark.parametrize("room", [0, 30])
def test_a_log_that_cannot_be_begun_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(os, "pwrite", full_after(room))
    with pytest.raises(LogUnavailable, match="No space left on device"), open_log(tmp_path):
        pass
    monkeypatch.undo()
    assert read_all(tmp_path) == []
    assert verify(tmp_path).problems == ()


@pytest.mark.parametrize("room", [0, 10, 16, 50, 120])
def test_a_full_disk_stops_the_log_and_costs_nothing_that_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    with log_that_breaks(tmp_path) as log:
        log.append(b"acknowledged")
        log.commit()
        for record in RECORDS:
            log.append(record)
        monkeypatch.setattr(os, "pwrite", full_after(room))
        with pytest.raises(LogBroken, match=r"No space left on device\. Make room"):
            log.commit()
        monkeypatch.undo()
        calls: list[Callable[[], object]] = [log.commit, log.end, log.read, lambda: log.get(0), lambda: log.append(b"")]
        for call in calls:
            with pytest.raises(LogBroken):
                call()
    with open_log(tmp_path) as log:
        survivors = [record for _, record in log.read()]
        assert survivors == [b"acknowledged", *RECORDS][: len(survivors)]
        assert survivors
        log.append(b"on")
    assert verify(tmp_path).problems == ()


def test_a_failed_sync_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fail(fd: int) -> None:
        calls.append(fd)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with log_that_breaks(tmp_path) as log:
        log.append(b"lost, perhaps")
        monkeypatch.setattr(os, "fdatasync", fail)
        monkeypatch.setattr(os, "fsync", fail)
        for _ in range(3):
            with pytest.raises(LogBroken, match="Input/output error"):
                log.commit()
    assert len(calls) == 1


def test_a_log_whose_end_cannot_be_synced_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    write(tmp_path, RECORDS)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(LogUnavailable, match="Input/output error"), open_log(tmp_path):
        pass
    monkeypatch.setattr("fairgate.backends.embedded.segments.sync_directory", lambda _directory: None)
    with pytest.raises(LogUnavailable, match="Input/output error"), open_log(tmp_path):
        pass
    monkeypatch.undo()
    assert read_all(tmp_path) == RECORDS


def test_an_interrupted_commit_stops_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_fd: int) -> None:
        raise KeyboardInterrupt

    with log_that_breaks(tmp_path) as log:
        log.append(b"")
        monkeypatch.setattr(os, "fdatasync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            log.commit()
        with pytest.raises(LogBroken, match="KeyboardInterrupt"):
            log.commit()


def test_commits_that_wait_are_done_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncing, go_on, syncs = threading.Event(), threading.Event(), []

    def slow(fd: int) -> None:
        syncs.append(fd)
        syncing.set()
        assert go_on.wait(10)

    with open_log(tmp_path) as log:
        monkeypatch.setattr(os, "fdatasync", slow)
        log.append(b"")
        threads = [threading.Thread(target=log.commit)]
        threads[0].start()
        assert syncing.wait(10)
        for _ in range(5):
            log.append(b"")
            threads.append(threading.Thread(target=log.commit))
            threads[-1].start()
        go_on.set()
        for thread in threads:
            thread.join()
        assert len(list(log.read())) == 6
        assert len(syncs) == 2
