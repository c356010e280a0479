"""Lines of a text file, each bounded in length and with its number."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fairgate.domain.errors import InputUnreadable
from fairgate.ingest.decode import LARGEST_EVENT

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_LINE_END = 2


class BadRow(Exception):
    """One row of a file can't be read; the next can. `code`, `field` and `reason` are those of its refusal."""

    def __init__(self, code: str, field: str, reason: str) -> None:
        super().__init__(code, field, reason)
        self.code, self.field, self.reason = code, field, reason


class Lines:
    """Iterates over the lines of a file as bytes, without what marks their end.

    A line of more than `LARGEST_EVENT` bytes raises `BadRow`; the next call gives the line after it. `number` is that
    of the line given last, from 1; `read` the bytes read so far.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.number = 0
        self.read = 0

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> bytes:
        line = self._file.readline(LARGEST_EVENT + _LINE_END)
        if not line:
            raise StopIteration
        self.read += len(line)
        self.number += 1
        if line.endswith(b"\n"):
            line = line[: -2 if line.endswith(b"\r\n") else -1]
        elif len(line) == LARGEST_EVENT + _LINE_END:
            self._skip()
        if len(line) > LARGEST_EVENT:
            raise BadRow("too_large", "", f"the line has more than {LARGEST_EVENT:,} bytes")
        return line.removeprefix(_UTF8_MARK) if self.number == 1 else line

    def _skip(self) -> None:
        """Go to the next line without holding this one."""
        while piece := self._file.readline(LARGEST_EVENT):
            self.read += len(piece)
            if piece.endswith(b"\n"):
                return


@contextmanager
def open_lines(path: Path) -> Iterator[Lines]:
    """The lines of a UTF-8 file; raises `InputUnreadable` where there is no such file, or it is empty or UTF-16."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_UTF8_MARK))
            if not start:
                raise InputUnreadable(path, "it is empty", "Give a file with at least one line.")
            if start.startswith(_UTF16_MARKS):
                raise InputUnreadable(path, "its text is UTF-16", "Save it as UTF-8.")
            file.seek(0)
            yield Lines(file)
    except OSError as error:
        raise InputUnreadable(path, error.strerror or str(error), "Check its path and who may read it.") from error
