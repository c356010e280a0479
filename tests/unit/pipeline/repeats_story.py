"""What happens to `Repeats` in a life, played with runs on disk and with the naive one, and compared at every step."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from fairgate.domain.errors import RunsUnusable
from fairgate.domain.windows import DAY, HOUR
from fairgate.pipeline import repeats as module
from fairgate.pipeline.repeats import Repeats, RepeatsState
from fairgate.ports.key_runs import KeyRun, KeyRuns
from tests.unit.pipeline import naive_repeats
from tests.unit.pipeline.naive_repeats import NaiveRepeats, NaiveState

START = 20_000 * DAY + 7 * HOUR
FULL = 8
NAMES = 60

Step = tuple[str, Any]
IDS = st.lists(st.integers(0, NAMES - 1), min_size=1, max_size=12)
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(st.just("met"), IDS)
    | st.tuples(st.just("met"), IDS)
    | st.tuples(st.just("pass"), st.sampled_from([0, 0, 1, 1, 1, 4, 12, 31, 33]))
    | st.tuples(st.just("settle"), st.none())
    | st.tuples(st.just("keep"), st.none())
    | st.tuples(st.just("restart"), st.tuples(st.integers(0, 2), st.integers(0, 15)))
    | st.tuples(st.just("disk"), st.booleans()),
    min_size=8,
    max_size=40,
)


@dataclass(frozen=True, slots=True)
class Sent:
    """An event by its name."""

    id: str
    received: int = START
    source: str = "s"


@dataclass
class FailingRuns:
    """Runs on a disk that fails now and then."""

    runs: KeyRuns
    draw: Random
    ill: bool = False
    odds: float = 0.4

    def open(self) -> list[KeyRun]:
        return self.runs.open()

    def save(self, first: int, last: int, keys: NDArray[np.uint64], numbers: NDArray[np.int64]) -> KeyRun:
        self._fail()
        made = self.runs.save(first, last, keys, numbers)
        self._fail()
        return made

    def merge(self, runs: Sequence[KeyRun]) -> KeyRun:
        self._fail()
        made = self.runs.merge(runs)
        self._fail()
        return made

    def cut(self, last: int) -> None:
        self.runs.cut(last)

    def _fail(self) -> None:
        if self.ill and self.draw.random() < self.odds:
            raise RunsUnusable(Path("keys"), "the disk is ill", "Mend it.")


@dataclass(frozen=True, slots=True)
class Kept:
    """What a snapshot holds, how long the log was then, and the same of the naive one."""

    end: int
    tried: tuple[NDArray[np.int64], RepeatsState]
    naive: tuple[NDArray[np.int64], NaiveState]


@dataclass
class Life:
    """A log, the one that is tried, and the naive one.

    A batch is of several days only where it is `wide`: no two hashes are the same. Else what an event looked like may
    be forgotten before its batch is done with.
    """

    opened: Callable[[], KeyRuns]
    wide: bool
    clock: int = START
    log: list[Sent] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    naive: NaiveRepeats = field(default_factory=lambda: NaiveRepeats(1))

    def __post_init__(self) -> None:
        self.runs = FailingRuns(self.opened(), Random(1))
        self.tried = Repeats(1, self.runs, full=FULL)

    def take(self, step: Step) -> None:
        match step:
            case "met", names:
                step_by = 9 * HOUR if self.wide else 0
                self._met([Sent(f"n{name}", self.clock + index * step_by) for index, name in enumerate(names)])
                self.clock += len(names) * step_by
            case "pass", days:
                self.clock += days * DAY + HOUR
            case "settle", _:
                self.tried.settle()
            case "keep", _:
                self.kept.append(Kept(len(self.log), self.tried.state(), self.naive.state()))
            case "restart", (back, lost):
                self._restart(back, lost)
            case "disk", ill:
                self.runs.ill = ill

    def compare(self) -> None:
        for name in range(NAMES):
            assert self.tried.known("s", f"n{name}") == self.naive.known("s", f"n{name}"), name
            sent = Sent(f"n{name}")
            assert self.tried.other(sent) == self.naive.other(sent)
        (keys, mine), (_, naive) = self.tried.state(), self.naive.state()
        assert [(start.day, start.number) for start in mine.days] == [(each.day, each.number) for each in naive.days]
        assert mine.others == naive.others
        assert len(keys) <= len(self.naive.state()[0]) + self.tried.behind

    def _met(self, events: Sequence[Sent]) -> None:
        """As the live path does it: what only looks like a repeat is decided on after the others."""
        found = self.tried.met(events, len(self.log))
        assert found == self.naive.met(events, len(self.log))
        self.log += [event for event, number in zip(events, found, strict=True) if number < 0]
        for event, number in zip(events, found, strict=True):
            if number >= 0 and self.log[number].id != event.id:
                other = self.tried.other(event)
                assert other == self.naive.other(event)
                if other is None:
                    self.tried.keep_other(event, len(self.log))
                    self.naive.keep_other(event, len(self.log))
                    self.log.append(event)

    def _restart(self, back: int, lost: int) -> None:
        """Die, lose the last of the log, and begin from one of the last snapshots, or from nothing."""
        self.tried.settle()
        self.kept = self.kept[: len(self.kept) - back]
        start = self.kept[-1].end if self.kept else 0
        self.log = self.log[: max(start, len(self.log) - lost)]
        self.tried.close()
        self.runs = FailingRuns(self.opened(), Random(2))
        self.tried = Repeats(1, self.runs, full=FULL)
        self.naive = NaiveRepeats(1)
        if self.kept:
            assert self.tried.load(*self.kept[-1].tried)
            self.naive.load(*self.kept[-1].naive)
        else:
            self.tried.reset()
        for at in range(start, len(self.log), 5):
            self.tried.recall(self.log[at : at + 5], at)
        for at, event in enumerate(self.log[start:], start):
            self.naive.recall([event], at)


def play(opened: Callable[[], KeyRuns], steps: Sequence[Step], space: int) -> Life:
    """Live through these steps, where names have so many hashes; with 0 each has its own."""
    with hashes(space):
        life = Life(opened, wide=space == 0)
        try:
            for step in steps:
                life.take(step)
                if step[0] != "pass":
                    life.compare()
            life.runs.ill = False
            life.tried.settle()
            life.compare()
        finally:
            life.tried.close()
    return life


@contextmanager
def hashes(space: int) -> Iterator[None]:
    """Let there be so few hashes."""

    def digest(text: bytes, _secret: int) -> int:
        return zlib.crc32(text) * 0x9E3779B97F4A7C15 % (1 << 64) if space == 0 else 1 + zlib.crc32(text) % space

    with (
        mock.patch.object(module, "xxh3_64_intdigest", digest),
        mock.patch.object(naive_repeats, "xxh3_64_intdigest", digest),
    ):
        yield
