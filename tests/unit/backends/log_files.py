"""Small logs on disk, and ways to spoil them."""

from pathlib import Path

from fairgate.backends.embedded.segments import open_log

RECORDS = [b"", b"one", b"two" * 30, b"\0" * 20, b"five"]


def write(directory: Path, records: list[bytes], segment_bytes: int = 10_000) -> list[Path]:
    """Write a log, one commit a record, and return its segments."""
    with open_log(directory, segment_bytes=segment_bytes) as log:
        for record in records:
            log.append(record)
            log.commit()
    return sorted(directory.glob("*.log"))


def read_all(directory: Path, *, read_only: bool = False) -> list[bytes]:
    with open_log(directory, read_only=read_only) as log:
        return [record for _, record in log.read()]


def change(file: Path, offset: int, data: bytes) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[:offset] + data + whole[offset + len(data) :])
