"""The one error tree.

FairgateError
+-- AtPlace               a file or a folder: where, what happened there, and what to do
|   +-- LogError          the event log and its files
|   |   +-- LogUnavailable
|   |   +-- LogLocked
|   |   +-- LogTooNew
|   |   +-- LogBroken
|   |   +-- LogDamaged
|   +-- LakeError         the lake and its files
|   |   +-- LakeUnavailable
|   |   +-- LakeLocked
|   |   +-- LakeTooNew
|   |   +-- LakeDamaged
|   +-- KeysUnusable      the file of the keys that personal data is sealed under
|   +-- RunsError         the files of what has been met before
|   |   +-- RunsUnusable
|   |   +-- RunsDamaged
|   +-- InputUnreadable   a file of events to be read in
|   +-- RecordingUnusable a folder of recorded features
|   +-- PlayUnwritable    a folder that a simulated world is to be written to
|   +-- BackupUnusable
|   +-- CopyFailed        a backup, or what is restored from one
|   +-- KeysUnavailable   the store of API keys
|   +-- SharesUnusable    the file of what was said of accounts by hand
|   +-- RecordsUnavailable the data base of what is kept in SQL
+-- RecordTooLarge
+-- NoSuchRecord          also a LookupError
+-- RecordUnreadable      a whole record whose contents make no sense
+-- PipelineStopped
+-- QueueFull
+-- DeadlinePassed
+-- ReloadUnderWay
+-- NotPrepared           a pack that is to go live while events are taken
+-- SealBroken            something sealed that its key doesn't open
+-- NothingSealed         also a LookupError
+-- NotRemembered         also a ValueError
+-- LakeAhead
+-- NotInLake             also a LookupError
+-- NotAllInLake          a backtest's history that the lake can't be
+-- QueryError            SQL over the lake
|   +-- QueryRefused
|   +-- QueryFailed
|   +-- QueryTooLong
|   +-- QueryTooBig
+-- NothingToCompare      a backtest without a history
+-- NotRecorded           what a backtest needs of a recording
+-- NoSuchRule            also a LookupError
+-- ReportUnwritable      a file that a report is to be written to
+-- NoSuchList
+-- BadEntry              a value that can't stand in a list
+-- NoSuchEntry           also a LookupError: of the ledger
+-- AuditCut              rows of the audit log that are gone
+-- RefTaken              a name for something that stands in the ledger already, as something else
+-- NoSuchEntityKind      also a LookupError
+-- BadEntity             a value that can't identify an entity
+-- BadLabel              a label that the pack can't take
+-- CaseStands            a case that can't be changed so
+-- BadSettings
+-- BadAmount             also a ValueError: what the share is asked or told that can't be
+-- BadWorld              a world's file
+-- NoSuchWorld           also a LookupError
+-- NotPlayable           what the arena was asked for
+-- BadRequest            what an operator asks for
+-- UpgradeImpossible     a record of an older format
+-- NoSuchKey             also a LookupError
+-- KeyEnded              an API key that is to be changed, and has ended
+-- NoSuchPerson          also a LookupError
+-- NameTaken             a person's name or an API key's that somebody has
+-- LastAdmin             somebody without whom nobody could let people in
+-- DeskUnwritable        the desk's own files
+-- DoorRefused           what an operator asked a running door for
+-- DoorUnreachable
+-- DeskRefused           what an operator asked a running desk for
+-- DeskUnreachable
+-- DoorFailed            an answer that the demo did not expect
+-- PackError             in language/problems.py, with its problems as a compiler shows them
"""

from collections.abc import Mapping, Sequence
from pathlib import Path


class FairgateError(Exception):
    """Fairgate could not do what was asked."""


class AtPlace(FairgateError):
    """Something is wrong with a file, a folder or a data base.

    `where` is the one concerned, `what` happened there, and `remedy` is what to do, as a sentence.
    """

    def __init__(self, where: Path | str, what: str, remedy: str) -> None:
        super().__init__(where, what, remedy)
        self.where, self.what, self.remedy = where, what, remedy

    def __str__(self) -> str:
        return f"{_first_line(self)} {self.where}: {self.what}. {self.remedy}"


class LogError(AtPlace):
    """The event log cannot be used."""

    where: Path


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
    """The event log has no record with this number.

    It holds those from `begin` on; `end` is the next number that it gives.
    """

    def __init__(self, sequence: int, end: int, begin: int = 0) -> None:
        super().__init__(sequence, end, begin)
        self.sequence, self.end, self.begin = sequence, end, begin

    def __str__(self) -> str:
        dropped = f", and those below {self.begin} have been dropped" if self.begin else ""
        return f"{_first_line(self)} Asked for {self.sequence}; numbers below {self.end} have been given{dropped}."


class RecordUnreadable(FairgateError):
    """A record of the event log can't be understood."""

    def __init__(self, sequence: int, what: str, remedy: str = "Upgrade Fairgate, if a newer one wrote it.") -> None:
        super().__init__(sequence, what, remedy)
        self.sequence, self.what, self.remedy = sequence, what, remedy

    def __str__(self) -> str:
        return f"{_first_line(self)} Record {self.sequence}: {self.what}. {self.remedy}"


class PipelineStopped(FairgateError):
    """An earlier error left the state unsure, so nothing more is decided."""

    def __str__(self) -> str:
        return f"{_first_line(self)} Start again: the state is rebuilt from the log."


class QueueFull(FairgateError):
    """Too many events wait to become durable."""


class DeadlinePassed(FairgateError):
    """It was not durable in time; it may become so."""


class ReloadUnderWay(FairgateError):
    """Another pack is about to go live already."""

    def __str__(self) -> str:
        return f"{_first_line(self)} Wait until it has, and reload again."


class NotPrepared(FairgateError):
    """The pack's features have not been counted from the log yet."""

    def __init__(self, records: int) -> None:
        super().__init__(records)
        self.records = records

    def __str__(self) -> str:
        return (
            f"{_first_line(self)} {self.records:,} records are to be read first: `fairgate reload` does that beside "
            "the door."
        )


class KeysUnusable(AtPlace):
    """The keys of personal data can't be used."""


class RunsError(AtPlace):
    """The files of what has been met before cannot be used."""


class RunsUnusable(RunsError):
    """The files of what has been met before cannot be read or written."""


class RunsDamaged(RunsError):
    """A file of what has been met before is not as it was written."""


class SealBroken(FairgateError):
    """What was sealed can't be opened."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return (
            f"{_first_line(self)} The key of number {self.number:,} is not the one it was sealed under: "
            "restore the file of keys, and the secret, that belong to this log."
        )


class NothingSealed(FairgateError, LookupError):
    """Nothing personal is recorded of this account."""

    def __str__(self) -> str:
        return f"{_first_line(self)} Nothing was erased: check how the account is written."


class NotRemembered(FairgateError, ValueError):
    """The action is none that these lists remember, or it was undone."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return f"Action {self.number} is none that these lists remember, or it was undone: nothing is remembered of it."


class LakeError(AtPlace):
    """The lake cannot be used.

    `where` is the directory or file concerned, `what` happened there, and `remedy` is what to do, as a sentence.
    """


class LakeUnavailable(LakeError):
    """The lake cannot be opened, read or written."""


class LakeLocked(LakeError):
    """The lake has another writer."""


class LakeTooNew(LakeError):
    """The lake was written by a newer Fairgate."""


class LakeDamaged(LakeError):
    """The lake is not as it was written."""


class LakeAhead(FairgateError):
    """The lake has events that are not in the log."""

    def __init__(self, covered: int, end: int) -> None:
        super().__init__(covered, end)
        self.covered, self.end = covered, end

    def __str__(self) -> str:
        return (
            f"{_first_line(self)} It goes up to {self.covered:,}, and the log ends before {self.end:,}. "
            "Delete the lake's folder: it is made again from what the log has."
        )


class NotInLake(FairgateError, LookupError):
    """The lake has no events of this type."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(name, known)
        self.name, self.known = name, known

    def __str__(self) -> str:
        return f"{_first_line(self)} Asked for `{self.name}`; there are {', '.join(self.known) or 'none'}."


class NotAllInLake(FairgateError):
    """The lake does not have all that a backtest asks about."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return f"{_first_line(self)[:-1]}: {self.why}."


class QueryError(FairgateError):
    """The query has no answer. `what` says why, in words for who wrote it."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"{_first_line(self)} {self.what}"


class QueryRefused(QueryError):
    """The query is not one that may be asked."""


class QueryFailed(QueryError):
    """The query is wrong."""


class QueryTooLong(QueryError):
    """The query took too long."""


class QueryTooBig(QueryError):
    """The query needs more memory than it may use."""


class InputUnreadable(AtPlace):
    """An input file cannot be read."""


class RecordingUnusable(AtPlace):
    """A folder of recorded features cannot be written or read."""


class PlayUnwritable(AtPlace):
    """What is simulated cannot be written."""


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


class AuditCut(FairgateError):
    """Rows of the audit log that an anchor vouches for are not there any more."""

    def __init__(self) -> None:
        super().__init__(
            "Rows of the audit log that the event log vouches for are gone. Run `fairgate audit verify`, and where a"
            " backup was restored, `fairgate audit acknowledge`; then start the service anew."
        )


class RecordsUnavailable(AtPlace):
    """The data base of records can't be used."""


class NoSuchEntry(FairgateError, LookupError):
    """No entry of this number is held."""

    def __init__(self, number: int, following: int) -> None:
        super().__init__(number, following)
        self.number, self.following = number, following

    def __str__(self) -> str:
        if self.number >= self.following:
            return f"There is no entry {self.number}: the ledger has given {self.following:,} numbers, from 0 on."
        return f"Entry {self.number} has ended. What it was stands in the log."


class RefTaken(FairgateError):
    """The caller's name for an entry stands for another one of theirs."""

    def __init__(self, ref: str, number: int) -> None:
        super().__init__(ref, number)
        self.ref, self.number = ref, number

    def __str__(self) -> str:
        return f"`{self.ref}` is entry {self.number}, which says something else. Give what is new a name of its own."


class NoSuchEntityKind(FairgateError, LookupError):
    """No event type of the pack has an entity of this kind."""

    def __init__(self, kind: str, known: tuple[str, ...]) -> None:
        super().__init__(kind, known)
        self.kind, self.known = kind, known

    def __str__(self) -> str:
        return f"{_first_line(self)} Asked for `{self.kind}`; there are {', '.join(self.known) or 'none'}."


class BadEntity(FairgateError):
    """The value can't identify an entity of this kind."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(kind, reason)
        self.kind, self.reason = kind, reason

    def __str__(self) -> str:
        return f"The value can't identify an entity of the kind `{self.kind}`: it {self.reason}."


class BadLabel(FairgateError):
    """The label can't be given. `field` names what is at fault in the request, where a single part is."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(reason, field)
        self.reason, self.field = reason, field

    def __str__(self) -> str:
        return f"The label can't be given: {self.reason}."


class CaseStands(FairgateError):
    """The case stays as it is. `code` is the same whenever it is for this reason."""

    def __init__(self, number: int, code: str, reason: str) -> None:
        super().__init__(number, code, reason)
        self.number, self.code, self.reason = number, code, reason

    def __str__(self) -> str:
        return f"Case {self.number} stays as it is: {self.reason}."


class BadSettings(FairgateError):
    """The settings can't be used."""


class BadAmount(FairgateError, ValueError):
    """What the share is asked or told can't be."""


class BadWorld(FairgateError):
    """The world can't be played."""


class NoSuchWorld(FairgateError, LookupError):
    """There is no world of this name, and no such file."""

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(name, hint)
        self.name, self.hint = name, hint

    def __str__(self) -> str:
        return f"{_first_line(self)} Asked for `{self.name}`: {self.hint}"


class NotPlayable(FairgateError):
    """This can't be played."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"{_first_line(self)} {self.what}"


class BadRequest(FairgateError):
    """What was asked for can't be done."""


class UpgradeImpossible(FairgateError):
    """The log can't be turned into the format of this Fairgate."""

    def __init__(self, sequence: int, what: str) -> None:
        super().__init__(sequence, what)
        self.sequence, self.what = sequence, what

    def __str__(self) -> str:
        remedy = "The log is as it was: go on with the Fairgate that wrote it, and report this."
        return f"{_first_line(self)} Record {self.sequence}: {self.what}. {remedy}"


class BackupUnusable(AtPlace):
    """The backup can't be used."""


class CopyFailed(AtPlace):
    """The copy cannot be written."""


class KeysUnavailable(AtPlace):
    """The API keys cannot be read or written."""


class SharesUnusable(AtPlace):
    """The file of what was said of accounts and capacities by hand cannot be used."""


class NoSuchKey(FairgateError, LookupError):
    """There is no API key with this id."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"{_first_line(self)} Asked for `{self.key}`; `fairgate keys list` shows them all."


class KeyEnded(FairgateError):
    """The API key has ended already."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(key, what)
        self.key, self.what = key, what

    def __str__(self) -> str:
        return f"{_first_line(self)} `{self.key}` {self.what}."


class NoSuchPerson(FairgateError, LookupError):
    """There is no such person."""

    def __init__(self, who: str) -> None:
        super().__init__(who)
        self.who = who

    def __str__(self) -> str:
        return f"{_first_line(self)} Asked for `{self.who}`; `fairgate people list` shows them all."


class NameTaken(FairgateError):
    """The name is taken."""

    def __init__(self, name: str, whose: str) -> None:
        super().__init__(name, whose)
        self.name, self.whose = name, whose

    def __str__(self) -> str:
        return f"{_first_line(self)} `{self.name}` is {self.whose}, and who did what is told by names: take another."


class LastAdmin(FairgateError):
    """This is the last active admin."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"{_first_line(self)} Make somebody else one before you take it from `{self.name}`."


class DeskUnwritable(FairgateError):
    """The desk can't keep its files."""

    def __init__(self, where: Path, what: str) -> None:
        super().__init__(where, what)
        self.where, self.what = where, what

    def __str__(self) -> str:
        return f"{_first_line(self)} {self.where}: {self.what}. Check that the disk has room, and who may write there."


class DoorRefused(FairgateError):
    """The door does not do that."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"{_first_line(self)} It says: {self.reason}."


class DoorUnreachable(FairgateError):
    """The data is in use by a door, and the door does not answer."""

    def __init__(self, url: str, what: str) -> None:
        super().__init__(url, what)
        self.url, self.what = url, what

    def __str__(self) -> str:
        return f"{_first_line(self)} {self.url}: {self.what}. Name its address with --url, or stop it."


class DeskRefused(FairgateError):
    """The desk does not do that."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"{_first_line(self)} It says: {self.reason}."


class DeskUnreachable(FairgateError):
    """The desk does not answer."""

    def __init__(self, url: str, what: str) -> None:
        super().__init__(url, what)
        self.url, self.what = url, what

    def __str__(self) -> str:
        return f"{_first_line(self)} {self.url}: {self.what}. Start `fairgate serve`, or name its address with --url."


class DoorFailed(FairgateError):
    """The door answered with an error."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        return f"The door answered {self.status}: see what it said above."


def _first_line(error: FairgateError) -> str:
    return (type(error).__doc__ or "").partition("\n")[0]
