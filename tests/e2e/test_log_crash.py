"""A process that writes the log is killed in the middle of it, three times over, and nothing acknowledged is lost."""

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fairgate.backends.embedded.segments import open_log, verify

SEGMENT_BYTES = 50_000  # small, so that kills fall into roll-overs, too

WRITER = """
import sys
from pathlib import Path
from fairgate.backends.embedded.segments import open_log
from tests.e2e.test_log_crash import SEGMENT_BYTES, record_of

with open_log(Path(sys.argv[1]), segment_bytes=SEGMENT_BYTES) as log:
    while True:
        for _ in range(log.end() % 50 + 1):
            log.append(record_of(log.end()))
        print(log.commit(), flush=True)
"""


def record_of(sequence: int) -> bytes:
    digest = hashlib.sha256(str(sequence).encode()).digest()
    return digest * (digest[0] % 64)


def write_until_killed(directory: Path, said: Path, seconds: float) -> int:
    """Return the last end that the writer acknowledged before it was killed, so long after its first."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", WRITER, str(directory)]
    with said.open("wb") as output, subprocess.Popen(command, cwd=root, stdout=output) as writer:
        try:
            deadline = time.monotonic() + 60
            while b"\n" not in said.read_bytes():
                assert writer.poll() is None, "the writer stopped by itself"
                assert time.monotonic() < deadline, "the writer acknowledges nothing"
                time.sleep(0.01)
            time.sleep(seconds)
        finally:
            writer.kill()
    assert writer.returncode == -signal.SIGKILL
    # The kill may have cut the last line short.
    *acknowledged, _ = said.read_text().split("\n")
    return int(acknowledged[-1])


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.soak)])
def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path, kills: int) -> None:
    directory = tmp_path / "log"
    seed = random.SystemRandom().getrandbits(32)
    draw = random.Random(seed)
    survived = 0
    for _ in range(kills):
        acknowledged = write_until_killed(directory, tmp_path / "said", draw.uniform(0.05, 0.5))
        with open_log(directory, segment_bytes=SEGMENT_BYTES) as log:
            assert survived < acknowledged <= log.end(), f"seed {seed}"
            for sequence, record in log.read():
                assert record == record_of(sequence), f"seed {seed}, record {sequence}"
            assert log.append(record_of(log.end())) == log.end() - 1
            survived = log.commit()
        report = verify(directory)
        assert (report.problems, report.torn_bytes, report.records) == ((), 0, survived), f"seed {seed}"
    assert report.segments > 3
