"""The embedded log opened again after its disk has failed: what was acknowledged is there, even after a power cut."""

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fairgate.backends.embedded.segment_writer import SegmentWriter
from fairgate.backends.embedded.segments import SegmentLog, verify
from fairgate.domain.errors import LogBroken, LogLocked, LogUnavailable

SMALL = 200


@dataclass
class ForgetfulDisk:
    """What a power cut would leave of each segment, on a kernel that forgets pages whose sync has failed.

    Such pages look written, and no later sync writes them; only what is written anew is. `failing` counts the syncs
    that fail from now on.
    """

    failing: int = 0
    kept: dict[int, bytes] = field(default_factory=dict)
    forgotten: dict[int, int] = field(default_factory=dict)

    def sync(self, fd: int) -> None:
        state, path = os.fstat(fd), Path(f"/proc/self/fd/{fd}").readlink()
        is_segment = path.is_file() and path.name != "probe.tmp"
        if self.failing:
            self.failing -= 1
            if is_segment:
                self.forgotten.setdefault(state.st_ino, len(self.kept.get(state.st_ino, b"")))
            raise OSError(errno.EIO, "Input/output error")
        if is_segment:
            data = path.read_bytes()
            place = self.forgotten.get(state.st_ino, len(data))
            self.kept[state.st_ino] = data[:place] + bytes(len(data) - place)

    def truncate(self, fd: int, size: int) -> None:
        os.truncate(fd, size)
        inode = os.fstat(fd).st_ino
        if inode in self.forgotten and size <= self.forgotten[inode]:
            del self.forgotten[inode]

    def lose_power(self, directory: Path) -> None:
        for path in directory.glob("*.log"):
            path.write_bytes(self.kept[path.stat().st_ino])


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> ForgetfulDisk:
    made = ForgetfulDisk()
    monkeypatch.setattr(os, "fsync", made.sync)
    monkeypatch.setattr(os, "fdatasync", made.sync)
    monkeypatch.setattr(os, "ftruncate", made.truncate)
    return made


def commit(log: SegmentLog, *records: bytes) -> None:
    for record in records:
        log.append(record)
    log.commit()


def records(log: SegmentLog) -> list[bytes]:
    return [record for _, record in log.read()]


@pytest.mark.parametrize("before", range(6))
def test_what_was_acknowledged_outlives_failures_and_a_loss_of_power(
    tmp_path: Path, disk: ForgetfulDisk, before: int
) -> None:
    known = [b"%d" % number * 20 for number in range(before)]
    log = SegmentLog.open(tmp_path, SMALL)
    for record in known:
        commit(log, record)
    for attempt in range(3):
        lost = [b"lost %d" % attempt, b"lost" * 60, b"lost"]
        log.append(lost[0])
        disk.failing = 1 + attempt % 2
        with pytest.raises(LogBroken):
            commit(log, *lost[1:])
        while disk.failing:
            with pytest.raises(LogUnavailable, match="mend the disk"):
                log.reopen()
        log = log.reopen()
        kept = records(log)
        assert kept[: len(known)] == known
        assert set(kept[len(known) :]) <= set(lost)  # of a full segment, which had been synced
        known = [*kept, b"new %d" % attempt]
        commit(log, known[-1])
    assert records(log) == known
    log.close()
    assert not verify(tmp_path).problems
    disk.lose_power(tmp_path)
    assert not verify(tmp_path).problems
    log = SegmentLog.open(tmp_path, SMALL)
    assert records(log) == known
    log.close()


def test_the_test_finds_a_log_that_trusts_the_kernel(
    tmp_path: Path, disk: ForgetfulDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SegmentWriter, "cut", lambda _: None)
    with pytest.raises(AssertionError):
        test_what_was_acknowledged_outlives_failures_and_a_loss_of_power(tmp_path, disk, 2)


def test_a_log_that_is_well_loses_nothing(tmp_path: Path) -> None:
    log = SegmentLog.open(tmp_path)
    commit(log, b"one")
    log.append(b"pending")
    log = log.reopen()
    assert records(log) == [b"one", b"pending"]
    log.close()
    log = log.reopen()
    assert records(log) == [b"one", b"pending"]
    log.close()


def test_what_another_has_written_meanwhile_stays(tmp_path: Path, disk: ForgetfulDisk) -> None:
    log = SegmentLog.open(tmp_path)
    commit(log, b"one")
    disk.failing = 1
    with pytest.raises(LogBroken):
        commit(log, b"lost")
    with pytest.raises(LogLocked):
        SegmentLog.open(tmp_path)
    log = log.reopen()
    log.close()
    other = SegmentLog.open(tmp_path)
    commit(other, b"another's")
    with pytest.raises(LogLocked):
        log.reopen()
    other.close()
    log = log.reopen()
    assert records(log) == [b"one", b"another's"]
    log.close()


def test_a_pending_record_that_can_not_be_written_is_cut_off(tmp_path: Path, disk: ForgetfulDisk) -> None:
    log = SegmentLog.open(tmp_path)
    commit(log, b"one")
    log.append(b"lost")
    disk.failing = 1
    log = log.reopen()
    assert records(log) == [b"one"]
    assert not (tmp_path / "probe.tmp").exists()
    log.close()
