"""A process that writes and drops the log is killed in the middle of it, three times over, under a reader's eyes.

Nothing acknowledged is lost, and nothing dropped comes back.
"""

import hashlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from fairgate.backends.embedded.segment_reader import SegmentReader
from fairgate.backends.embedded.segments import open_log, verify
from tests.contracts.naive_log import read_until_dropped

SEGMENT_BYTES = 50_000  # small, so that kills fall into roll-overs, too

HELD = 200  # records, or more
WRITER = """
import random
import sys
from pathlib import Path
from fairgate.backends.embedded.segments import open_log
from tests.e2e.test_log_crash import HELD, SEGMENT_BYTES, record_of

draw = random.Random()
with open_log(Path(sys.argv[1]), segment_bytes=SEGMENT_BYTES) as log:
    while True:
        for _ in range(log.end() % 50 + 1):
            log.append(record_of(log.end()))
        print("end", log.commit(), flush=True)
        if draw.random() < 0.3:
            before = max(log.begin(), log.end() - HELD - draw.randrange(HELD))
            print("dropping", before, flush=True)
            log.drop(before)
            print("dropped", before, flush=True)
"""


def record_of(sequence: int) -> bytes:
    digest = hashlib.sha256(str(sequence).encode()).digest()
    return digest * (digest[0] % 64)


@contextmanager
def writer(directory: Path, said: Path) -> Iterator[None]:
    """A process that writes a log, from its first acknowledgement on, until it is killed at the end."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", WRITER, str(directory)]
    with said.open("wb") as output, subprocess.Popen(command, cwd=root, stdout=output) as process:
        try:
            deadline = time.monotonic() + 60
            while b"\n" not in said.read_bytes():
                assert process.poll() is None, "the writer stopped by itself"
                assert time.monotonic() < deadline, "the writer acknowledges nothing"
                time.sleep(0.01)
            yield
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL


def last_said(said: Path) -> dict[str, int]:
    """The last number of each kind that the writer acknowledged."""
    *acknowledged, _ = said.read_text().split("\n")  # the kill may have cut the last line short
    return {word: int(number) for word, number in (line.split() for line in acknowledged)}


def follow_for(directory: Path, seconds: float) -> None:
    """Read along for so long, with one reader that follows and others that are opened, and check all they give out."""
    stop = time.monotonic() + seconds
    with closing(SegmentReader.open(directory)) as follower:
        enough = follower.end() + 4 * HELD
        while follower.refresh() < enough or time.monotonic() < stop:
            assert time.monotonic() < stop + 60, "the writer has stopped"
            assert verify(directory).problems == ()
            with closing(SegmentReader.open(directory)) as opened:
                for reader in (follower, opened):
                    found, told = read_until_dropped(reader.read())
                    assert all(record == record_of(sequence) for sequence, record in found)
                    assert told is None or told.sequence < told.begin


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.soak)])
def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path, kills: int) -> None:
    directory = tmp_path / "log"
    seed = random.SystemRandom().getrandbits(32)
    draw = random.Random(seed)
    survived = begin = 0
    for _ in range(kills):
        with writer(directory, tmp_path / "said"):
            follow_for(directory, draw.uniform(0.05, 0.5))
        said = {"dropping": begin, "dropped": begin} | last_said(tmp_path / "said")
        with open_log(directory, segment_bytes=SEGMENT_BYTES) as log:
            begin = log.begin()
            assert said["dropped"] <= begin <= said["dropping"], f"seed {seed}"
            assert survived < said["end"] <= log.end(), f"seed {seed}"
            for sequence, record in log.read():
                assert record == record_of(sequence), f"seed {seed}, record {sequence}"
            assert log.append(record_of(log.end())) == log.end() - 1
            survived = log.commit()
        report = verify(directory)
        assert (report.problems, report.torn_bytes) == ((), 0), f"seed {seed}"
        assert (report.first, report.records) == (begin, survived - begin), f"seed {seed}"
    assert begin > 0
    assert report.segments > 3
