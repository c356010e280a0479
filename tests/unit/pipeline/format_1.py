"""A log of format 1, as the version of Fairgate that had it wrote it (commit 094d110) for `tests.support.traffic`.

Two packs go live, three lists are changed and a rule is switched off between 28 events. Each line of the file is a
record, deflated, in base64.
"""

import base64
import zlib
from pathlib import Path

from fairgate.backends.embedded.segments import open_log
from tests.support import SECRET

RECORDS = [
    zlib.decompress(base64.b64decode(line))
    for line in (Path(__file__).parent / "log_format_1.txt").read_text("ascii").splitlines()
]
EVENTS = 28


def write_log(folder: Path, records: list[bytes]) -> None:
    """Write these records as the log in a folder."""
    with open_log(folder, segment_bytes=4_096) as log:
        for record in records:
            log.append(record)
        log.commit()


def make_folder(data: Path) -> None:
    """Make a data folder of format 1."""
    write_log(data / "log", RECORDS)
    (data / "secret").write_text(f"{SECRET:016x}")
    (data / "secret").chmod(0o600)
    (data / "snapshots" / f"{9:020d}").mkdir(parents=True)
    (data / "snapshots" / f"{9:020d}" / "extra").write_bytes(b"u12@example.com")
