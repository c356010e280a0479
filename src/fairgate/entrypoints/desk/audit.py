"""Who asked what: a line for every query, on disk before the query runs; and who was kept from deciding."""

import logging
import os
from hashlib import sha256
from pathlib import Path

import msgspec

from fairgate.domain.errors import DeskUnwritable
from fairgate.domain.event import moment
from fairgate.ports.clock import Clock

_log = logging.getLogger(__name__)


class Asked(msgspec.Struct, frozen=True, tag="asked", tag_field="what"):
    """A query that is about to run. `query` is the SHA-256 of its text, in hexadecimal.

    The text itself is not kept: it may name a person, and what names a person must go when that person is erased. Who
    knows a query can prove by the hash that it was, or was not, asked.
    """

    time: str
    id: str
    by: str
    key: str
    kind: str
    query: str
    characters: int
    personal: bool


class Ended(msgspec.Struct, frozen=True, tag="ended", tag_field="what"):
    """What became of it: `status` as HTTP has it, and the rows that were given."""

    time: str
    id: str
    status: int
    rows: int


class NotAllowed(msgspec.Struct, frozen=True, tag="refused", tag_field="what"):
    """Somebody was not allowed to decide on something of a kind, by its number; `why` is the code that was answered."""

    time: str
    by: str
    key: str
    kind: str
    number: int
    why: str


def fingerprint(query: str) -> str:
    """The hash that stands for a query's text. A lone surrogate is as good a text as any here."""
    return sha256(query.encode("utf-8", "surrogatepass")).hexdigest()


class Audit:
    """Appends lines of JSON to a file that only its owner can read. A line is on disk when a method returns.

    Any thread may call. Raises `DeskUnwritable`.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":  # a crash cut the last line short
                os.write(self._file, b"\n")
        except OSError as error:
            raise DeskUnwritable(path, error.strerror or str(error)) from error

    def asked(self, query_id: str, by: str, key: str, kind: str, query: str, *, personal: bool) -> None:  # noqa: PLR0913 - one for each member
        """Note a query that is about to run."""
        print_ = fingerprint(query)
        self._append(Asked(self._now(), query_id, by, key, kind, print_, len(query), personal))
        _log.info("query asked", extra={"key": key, "query": print_})

    def ended(self, query_id: str, status: int, rows: int) -> None:
        """Note what became of a query."""
        self._append(Ended(self._now(), query_id, status, rows))

    def refused(self, by: str, key: str, kind: str, number: int, why: str) -> None:
        """Note that somebody was not allowed to decide on something."""
        self._append(NotAllowed(self._now(), by, key, kind, number, why))

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)

    def _append(self, line: Asked | Ended | NotAllowed) -> None:
        text = msgspec.json.encode(line) + b"\n"
        try:
            written = os.write(self._file, text)
            os.fsync(self._file)
        except OSError as error:
            raise DeskUnwritable(self._path, error.strerror or str(error)) from error
        if written < len(text):
            raise DeskUnwritable(self._path, "the disk is full")

    def _now(self) -> str:
        return moment(self._clock.now()).isoformat()
