"""What a worker process does with its tasks."""

import os
import resource
import tempfile
from collections.abc import Callable
from contextlib import ExitStack

import msgspec

from fairgate.backends.embedded.clock import SystemClock
from fairgate.casework.measures import Looked
from fairgate.domain.errors import FairgateError, LakeError, LogError, QueryError, QueryTooBig, QueryTooLong
from fairgate.entrypoints.desk.backtests import run_backtest
from fairgate.entrypoints.desk.compacting import Compacting
from fairgate.entrypoints.desk.queries import Queries
from fairgate.entrypoints.desk.tasks import (
    Arrange,
    Arranged,
    Backtest,
    Compact,
    Done,
    Export,
    Identify,
    Measure,
    Query,
    Refused,
    Task,
)
from fairgate.entrypoints.desk.workers import scratch_of
from fairgate.settings import Settings
from fairgate.wiring import estimate_of_errors, existing_records, open_identifiers, planner

_MEGABYTE = 1 << 20
#: What a process needs beside a query: the interpreter, libraries, and the answer's rows in their several forms.
_OWN_MEGABYTES = 1_024
#: Looks that measures are made from, and gold cases: all of a large team's, for months.
_MOST_LOOKS = 50_000
_MOST_GOLD = 10_000


class Work:
    """Does tasks; what they need is opened with the first that needs it, and stays open."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._stack = ExitStack()
        self._compacting: Compacting | None = None
        self._queries: Queries | None = None
        scratch = scratch_of(settings) / str(os.getpid())
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.tempdir = str(scratch)

    def do(self, task: Task, told: Callable[[str], None]) -> tuple[Done, bytes]:
        """Do one; its result. Raises `FairgateError` or `MemoryError`."""
        match task:
            case Compact():
                return self._compact(task), b""
            case Backtest():
                run_backtest(task, self._settings, self._clock.now(), told)
                return Done(), b""
            case Query():
                return self._opened().answer(task)
            case Export():
                return self._opened().export(task), b""
            case Identify():
                return self._identify(task)
            case Measure():
                return self._measure(task)
            case Arrange():
                return Done(), msgspec.json.encode(arranged(task))

    def _identify(self, task: Identify) -> tuple[Done, bytes]:
        """What accounts used; a list that the pack has no more is left out."""
        with open_identifiers(self._settings.data) as (identifiers, pack):
            lists = [name for name in task.lists if name in pack.lists]
            used = identifiers.of(pack, lists, task.accounts)
        return Done(left_out=used.left_out), msgspec.json.encode(used)

    def _measure(self, task: Measure) -> tuple[Done, bytes]:
        """How good reviews were; of more looks than are taken in the newest count."""
        with existing_records(self._settings.data) as records:
            looks = [] if records is None else records.looks.done(task.since, _MOST_LOOKS + 1)
            gold = [] if records is None else records.gold.all(_MOST_GOLD)
            waiting = 0 if records is None else records.looks.open()
        looked = Looked(
            since=task.since,
            until=task.until,
            looks=looks[:_MOST_LOOKS],
            gold={each.case: each for each in gold},
            complete=len(looks) <= _MOST_LOOKS,
            waiting=waiting,
        )
        measured = looked.measured(estimate_of_errors()) if task.by is None else looked.mine(task.by)
        return Done(), msgspec.json.encode(measured)

    def _compact(self, task: Compact) -> Done:
        if self._compacting is None:
            self._compacting = Compacting(self._settings, self._stack)
        return self._compacting.round(task, self._clock.now())

    def _opened(self) -> Queries:
        if self._queries is None:
            bound_memory(self._settings.desk.sql_megabytes + _OWN_MEGABYTES)
            self._queries = Queries(self._settings, self._stack)
        return self._queries


def arranged(task: Arrange) -> Arranged:
    """A plan by the better planner that is there."""
    found = planner()
    return Arranged(found.name, found.plans(task.works, task.reviewers, task.now), found.why)


def bound_memory(megabytes: int) -> None:
    """Let this process take no more memory than so much.

    DuckDB's own limit does not count all: one text made by `repeat` takes several times its size beyond that.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (megabytes * _MEGABYTE, megabytes * _MEGABYTE))


def refused_of(error: FairgateError | MemoryError) -> Refused:
    """Why a task was not done, in words for who asked."""
    match error:
        case MemoryError() | QueryTooBig():
            words = error.what if isinstance(error, QueryTooBig) else "it needs more memory than it may use"
            return Refused(422, "too_big", words)
        case QueryTooLong():
            return Refused(422, "too_slow", error.what)
        case QueryError():
            return Refused(422, "bad_query", error.what)
        case LogError() | LakeError():
            return Refused(503, "unavailable", str(error))
        case _:
            return Refused(422, "not_done", str(error))
