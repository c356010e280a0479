"""What has been met before, with most of it on disk, beside all of it in memory: time, memory, snapshots."""

import ctypes
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from fairgate.backends.embedded.key_runs import FolderKeyRuns
from fairgate.domain.windows import DAY
from fairgate.kernel.rows import warm
from fairgate.pipeline.repeats import Repeats
from tests.benchmarks.bench_http import BUILD
from tests.benchmarks.rows import Row

_START = 20_000 * DAY
_EVENTS = 10_000_000
_AT_A_TIME = 5_000
#: Microseconds between two: a thousand million events in thirty days.
_STEP = 2_592
_SINGLE = 20_000
_trim = ctypes.CDLL(None).malloc_trim


@dataclass(frozen=True, slots=True)
class _Event:
    id: str
    received: int
    source: str = "bench"


def _events(start: int, count: int) -> list[_Event]:
    return [_Event(f"event-{number}", _START + number * _STEP) for number in range(start, start + count)]


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _filled(known: Repeats) -> tuple[float, float]:
    """Bytes of memory an event, with ten million met; and with what the allocator keeps of what was let go."""
    _trim(0)
    before = _resident()
    for at in range(0, _EVENTS, _AT_A_TIME):
        known.met(_events(at, _AT_A_TIME), at)
    known.settle()
    known.met(_events(_EVENTS, 1), _EVENTS)
    with_slack = _resident() - before
    _trim(0)
    return (_resident() - before) / _EVENTS, with_slack / _EVENTS


def _time(known: Repeats, events: Sequence[_Event], size: int, first: int) -> float:
    """Microseconds an event, in batches of a size."""
    bundles = [events[at : at + size] for at in range(0, len(events), size)]
    begun = time.perf_counter()
    for bundle in bundles:
        known.met(bundle, first)
        first += len(bundle)
    return (time.perf_counter() - begun) * 1e6 / len(events)


def run() -> list[Row]:
    """Ten million events in each, then new ones and repeats in turn."""
    warm()
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        runs = FolderKeyRuns(Path(folder))
        disk, memory = Repeats(1, runs), Repeats(1)
        (flat, slack), (whole_flat, whole_slack) = _filled(disk), _filled(memory)
        times: dict[str, tuple[float, float]] = {}
        at = _EVENTS + 1
        for name, size in (("one by one", 1), ("in batches of 500", 500)):
            pairs = []
            for _ in range(5):
                new = _events(at, _SINGLE)
                pairs.append((_time(disk, new, size, at), _time(memory, new, size, at)))
                at += _SINGLE
            times[f"new, {name}"] = (median(one for one, _ in pairs), median(one for _, one in pairs))
        old = [_events(number, 1)[0] for number in range(1_000, _EVENTS - (1 << 19), _EVENTS // 5_000)]
        times["a repeat from disk"] = (_time(disk, old, 1, at), _time(memory, old, 1, at))
        kept = disk.state()
        whole = memory.state()[0].nbytes
        disk.close()
        begun = time.perf_counter()
        again = Repeats(1, runs)
        again.load(*kept)
        opened = time.perf_counter() - begun
        parts = len(runs.open())
        again.close()
    return [
        Row("memory an event, ten million met", flat, "bytes", whole_flat / flat, "<=", 4),
        Row("the same with what the allocator keeps", slack, "bytes", whole_slack / slack),
        Row("snapshot of them", kept[0].nbytes / 1e6, "MB", whole / kept[0].nbytes, "<=", 9),
        *[Row(f"{name}, an event", mine, "us", theirs / mine) for name, (mine, theirs) in times.items()],
        Row("more than all in memory, a new event by itself", _more(times["new, one by one"]), "us", None, "<=", 1),
        Row("start from the runs, an event", opened * 1e9 / _EVENTS, "ns"),
        Row("runs", parts, "files"),
    ]


def _more(pair: tuple[float, float]) -> float:
    return pair[0] - pair[1]
