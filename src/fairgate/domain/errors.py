"""The one error tree.

FairgateError
+-- LogError              the event log and its files
|   +-- LogUnavailable
|   +-- LogLocked
|   +-- LogTooNew
|   +-- LogBroken
|   +-- LogDamaged
+-- RecordTooLarge
+-- NoSuchRecord          also a LookupError
+-- RecordUnreadable      a whole record whose contents make no sense
+-- PipelineStopped
+-- InputUnreadable       a file of events to be read in
+-- RecordingUnusable     a folder of recorded features
+-- NothingToCompare      a backtest without a history
+-- NotRecorded           what a backtest needs of a recording
+-- NoSuchRule            also a LookupError
+-- ReportUnwritable      a file that a report is to be written to
+-- NoSuchList
+-- BadEntry              a value that can't stand in a list
+-- BadSettings
+-- BadRequest            what an operator asks for
+-- DoorFailed            an answer that the demo did not expect
+-- PackError             in language/problems.py, with its problems as a compiler shows them
"""

from collections.abc import Mapping, Sequence
from pathlib import Path


class FairgateError(Exception):
    """Fairgate could not do what was asked."""


class LogError(FairgateError):
    """The event log cannot be used.

    `where` is the directory or file concerned, `what` happened there, and `remedy` is what to do, as a sentence.
    """

    def __init__(self, where: Path, what: str, remedy: str) -> None:
        super().__init__(where, what, remedy)
        self.where, self.what, self.remedy = where, what, remedy

    def __str__(self) -> str:
        return f"{_first_line(self)} {self.where}: {self.what}. {self.remedy}"


class LogUnavailable(LogError):
    """The event log cannot be opened or read."""


class LogLocked(LogError):
    """The event log has another writer."""


class LogTooNew(LogError):
    """The event log was written by a newer Fairgate."""


class LogBroken(LogError):
    """The event log has stopped after a failed write, and nothing since its last commit is safe."""


class LogDamaged(LogError):
    """The event log is not as it was written.

    The damage begins at byte `offset` of the file `where`.
    """

    def __init__(self, where: Path, offset: int, what: str, remedy: str) -> None:
        super().__init__(where, what, remedy)
        self.offset = offset
        self.args = (where, offset, what, remedy)

    def __str__(self) -> str:
        return f"{_first_line(self)} {self.where}, byte {self.offset}: {self.what}. {self.remedy}"


class RecordTooLarge(FairgateError):
    """A record is too large for the event log."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(size, limit)
        self.size, self.limit = size, limit

    def __str__(self) -> str:
        return f"{_first_line(self)} It has {self.size} bytes, the limit is {self.limit}. Refuse it or split it."


class NoSuchRecord(FairgateError, LookupError):
    """The event log has no record with this number."""

    def __init__(self, sequence: int, end: int) -> None:
        super().__init__(sequence, end)
        self.sequence, self.end = sequence, end

    def __str__(self) -> str:
        return f"{_first_line(self)} Asked for {self.sequence}; numbers below {self.end} have been given."


class RecordUnreadable(FairgateError):
    """A record of the event log can't be understood."""

    def __init__(self, sequence: int, what: str) -> None:
        super().__init__(sequence, what)
        self.sequence, self.what = sequence, what

    def __str__(self) -> str:
        return f"{_first_line(self)} Record {self.sequence}: {self.what}. Upgrade Fairgate, if a newer one wrote it."


class PipelineStopped(FairgateError):
    """An earlier error left the state unsure, so nothing more is decided."""

    def __str__(self) -> str:
        return f"{_first_line(self)} Start again: the state is rebuilt from the log."


class InputUnreadable(FairgateError):
    """An input file cannot be read."""

    def __init__(self, where: Path, what: str, remedy: str) -> None:
        super().__init__(where, what, remedy)
        self.where, self.what, self.remedy = where, what, remedy

    def __str__(self) -> str:
        return f"{_first_line(self)} {self.where}: {self.what}. {self.remedy}"


class RecordingUnusable(FairgateError):
    """A folder of recorded features cannot be written or read."""

    def __init__(self, where: Path, what: str, remedy: str) -> None:
        super().__init__(where, what, remedy)
        self.where, self.what, self.remedy = where, what, remedy

    def __str__(self) -> str:
        return f"{_first_line(self)} {self.where}: {self.what}. {self.remedy}"


class NothingToCompare(FairgateError):
    """A backtest needs a history: a recording, input files, or both."""

    def __str__(self) -> str:
        return f"{_first_line(self)} Make a recording with `fairgate replay --out`, or name the files to replay."


class NotRecorded(FairgateError):
    """The recording lacks what the pack needs.

    `missing` names the columns by the rule that needs them; `segments` stands for the conditions of segments.
    """

    def __init__(self, pack: str, missing: Mapping[str, Sequence[str]]) -> None:
        super().__init__(pack, missing)
        self.pack, self.missing = pack, missing

    def __str__(self) -> str:
        lines = [f"  {rule} needs {column}" for rule, columns in self.missing.items() for column in columns]
        what = f"Pack {self.pack} reads what was not recorded:"
        remedy = "Name the input files too, and the pack is replayed over them."
        return "\n".join([f"{_first_line(self)} {what}", *lines, remedy])


class NoSuchRule(FairgateError, LookupError):
    """No pack has a rule of this name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(name, known)
        self.name, self.known = name, known

    def __str__(self) -> str:
        return f"{_first_line(self)} Asked for `{self.name}`; there are {', '.join(self.known) or 'none'}."


class ReportUnwritable(FairgateError):
    """The report cannot be written."""

    def __init__(self, where: Path, what: str) -> None:
        super().__init__(where, what)
        self.where, self.what = where, what

    def __str__(self) -> str:
        return f"{_first_line(self)} {self.where}: {self.what}. Name a file in a folder that is there."


class NoSuchList(FairgateError, LookupError):
    """The pack has no list of this name."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name, known)
        self.name, self.known = name, known

    def __str__(self) -> str:
        return f"There is no list `{self.name}`. The pack has: {', '.join(self.known) or 'none'}."


class BadEntry(FairgateError):
    """The value can't stand in this list."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return f"The value can't stand in the list `{self.name}`: it {self.reason}."


class BadSettings(FairgateError):
    """The settings can't be used."""


class BadRequest(FairgateError):
    """What was asked for can't be done."""


class DoorFailed(FairgateError):
    """The door answered with an error."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        return f"The door answered {self.status}: see what it said above."


def _first_line(error: FairgateError) -> str:
    return (type(error).__doc__ or "").partition("\n")[0]
