"""What a check is, what it looks at, and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from fairgate.backends.embedded.segment_reader import SegmentReader
from fairgate.domain.errors import NoSuchRecord
from fairgate.language.checked import CheckedPack
from fairgate.pipeline.records import Record, decode
from fairgate.settings import Settings
from fairgate.wiring import load_checked

#: Bytes of a log that is read whole; of a longer one only the end is, and the rest is left to `fairgate log verify`.
WHOLE_LOG = 1 << 30


class State(StrEnum):
    """How well it is. `warn` is what will be `bad` if nothing is done."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, in words, and what to do about it."""

    state: State
    words: str
    remedy: str = ""


def ok(words: str) -> Finding:
    """Nothing is to be done."""
    return Finding(State.OK, words)


def warn(words: str, remedy: str) -> Finding:
    """It goes on, but not for ever."""
    return Finding(State.WARN, words, remedy)


def bad(words: str, remedy: str) -> Finding:
    """Something does not work, or is not safe."""
    return Finding(State.BAD, words, remedy)


class Installation:
    """What the checks look at: a service's settings, and what lies in its data folder. `now` is microseconds."""

    def __init__(self, settings: Settings, now: int) -> None:
        self.settings = settings
        self.now = now

    @cached_property
    def checked(self) -> CheckedPack:
        """The pack. Raises `PackError`."""
        return load_checked(self.settings.pack)

    @cached_property
    def log(self) -> SegmentReader | None:
        """The log as it is now; None before the first start. Raises `LogError`."""
        folder = self.settings.data / "log"
        return SegmentReader.open(folder) if any(folder.glob("*.log")) else None

    def end_for(self, known: int) -> int:
        """The end of the log, looked at again where something knows of more: a service may have gone on meanwhile.

        0 where there is no log. Raises `LogError`.
        """
        if self.log is None:
            return 0
        return self.log.end() if known <= self.log.end() else self.log.refresh()

    @cached_property
    def last(self) -> Record | None:
        """The last record of the log; None where there is none. Raises `LogError` or `RecordUnreadable`."""
        if self.log is None or not self.log.end():
            return None
        self.first()  # it says in which format they all are
        return decode(self.log.end() - 1, self.log.get(self.log.end() - 1))

    def first(self) -> Record:
        """The first record of the log, which there must be. Raises `LogError` or `RecordUnreadable`."""
        if self.log is None:
            raise NoSuchRecord(0, 0)
        return decode(self.log.begin(), self.log.get(self.log.begin()))

    @cached_property
    def log_bytes(self) -> int:
        """The size of the log."""
        return sum(path.stat().st_size for path in (self.settings.data / "log").glob("*.log"))


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at. `look` may raise Fairgate's own errors, and OSError: that is a bad finding in itself."""

    name: str
    about: str
    look: Callable[[Installation], Finding]
