"""Where the implementations of the event log keep one, and what can happen there."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self
from unittest import mock

from fairgate.backends.embedded import segment_file, segment_index
from fairgate.backends.embedded.segment_reader import SegmentReader
from fairgate.backends.embedded.segments import open_log, verify
from fairgate.ports.event_log import EventLog
from tests.contracts.failing_disk import DiskFailure, FailingDisk, nothing


class Follower(EventLog, Protocol):
    """A log opened for reading only, beside its writer."""

    def refresh(self) -> int:
        """See what became durable since, and what was dropped; return `end()`."""
        ...


Torn = tuple[int, int | None, int]


class Place(AbstractContextManager["Place"], Protocol):
    """Where an implementation keeps one log, and what can happen there."""

    def open(self) -> AbstractContextManager[EventLog]:
        """Open the log for writing."""
        ...

    def follow(self) -> Follower:
        """Open the log for reading only."""
        ...

    def meanwhile(self, act: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `act` whenever a commit waits for the disk."""
        ...

    def crash(self, act: Callable[[], object], after: int, torn: Torn | None) -> bool:
        """Act, but crash instead of the step number `after`; say whether it was done before it came to that.

        The process dies, and with `torn` the machine: then of each file's unsynced tail so many bytes are left, a bit
        of the last record there is flipped if the second number says which, and the third says which changes of names
        are kept that weren't synced.
        """
        ...

    def check(self, begin: int) -> None:
        """Assert that a log that begins there is sound, and that nothing else is in it but what came before that."""
        ...

    def check_lean(self, begin: int) -> None:
        """Assert that nothing is left of what came before that but what can't be parted from the rest."""
        ...


class EmbeddedPlace(AbstractContextManager["EmbeddedPlace"]):
    """Segments, chunks and strides are made tiny, so that a few records cross all their borders."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory())).resolve() / "log"
        self._disk = self._stack.enter_context(FailingDisk(self._directory))
        self._stack.enter_context(mock.patch.object(segment_index, "STRIDE", 3))
        self._stack.enter_context(mock.patch.object(segment_file, "_CHUNK", 64))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def open(self) -> AbstractContextManager[EventLog]:
        return open_log(self._directory, segment_bytes=200)

    def follow(self) -> Follower:
        return SegmentReader.open(self._directory)

    @contextmanager
    def meanwhile(self, act: Callable[[], None]) -> Iterator[None]:
        self._disk.during_sync = act
        try:
            yield
        finally:
            self._disk.during_sync = nothing

    def crash(self, act: Callable[[], object], after: int, torn: Torn | None) -> bool:
        self._disk.steps_left = after
        try:
            act()
        except DiskFailure:
            done = False
        else:
            done = True
        self._disk.steps_left = None
        if torn:
            self._disk.lose_power(*torn)
        return done

    def check(self, begin: int) -> None:
        report = verify(self._directory)
        assert report.problems == ()
        assert report.torn_bytes == 0
        assert report.first in {None, begin}

    def check_lean(self, begin: int) -> None:
        segments = sorted(int(path.stem) for path in self._directory.glob("*.log"))
        assert all(first > begin for first in segments[1:])
        assert {int(path.stem) for path in self._directory.glob("*.idx")} <= set(segments)
