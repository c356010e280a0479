"""The lake: how fast the log goes in, and the first query of a cold process over ten million events in it.

That query is measured with the files in the system's page cache, as they are on a machine that has just written them,
and with none of them there, as after a restart of the machine.
"""

import ctypes
import json
import mmap
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import polars as pl

from fairgate.backends.embedded.lake import FolderLake, open_lake
from fairgate.backends.embedded.segments import open_log
from fairgate.domain.windows import DAY
from fairgate.pipeline.compaction import Compaction
from fairgate.pipeline.records import EventRecord, decode
from fairgate.ports.lake import Covered, SqlLimits
from fairgate.settings import Settings
from fairgate.simulate.acts import stamp
from fairgate.wiring import LivePipeline, checked_from, open_live_lake
from tests.benchmarks.rows import Row, median_of
from tests.simulated import simulated

EVENTS = 10_000_000
#: Days of the small world that are played, and how many requests of honest people are one of.
_DAYS, _THINNED = 30, 20
_BATCH = 2_000
_QUERY = "SELECT day, rule, count(*) AS hits FROM rules GROUP BY ALL ORDER BY ALL"
_FIRST_QUERY = """
import sys
from pathlib import Path
from fairgate.backends.embedded.lake import open_lake
from fairgate.ports.lake import Sight, SqlLimits
def read():
    return int(Path("/proc/self/io").read_text().partition("\\nread_bytes: ")[2].split()[0])
before = read()
with open_lake(Path(sys.argv[1]), read_only=True) as lake:
    hits = lake.sql(sys.argv[2], SqlLimits(), Sight()).frame["hits"].sum()
print(hits, read() - before)
"""
_MEGABYTE = 1 << 20


class _Clock:
    time = 0

    def now(self) -> int:
        return self.time


def run() -> list[Row]:
    """Rates in events per second of CPU on one core; seconds of a whole process, from its start to its end."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory)
        _live(data)
        naive_in, fast_in = _naive_compaction(data), median_of(3, lambda: _compaction(data))
        opened, personal = _personal(data)
        frames = _frames(data)
        days, hits = _ten_million(data / "big", frames)
        first = median_of(3, lambda: _first_query(data / "big", hits)[0])
        cold = [_cold_query(data / "big", hits) for _ in range(3)]
        naive = _naive_query(frames, days)
    return [
        Row("log to lake, a busy day", fast_in, "events/s", fast_in / naive_in, ">=", 40_000),
        Row("first query over 10M events, hits per rule per day", first, "s", naive / first, "<=", 2.0),
        Row("the same, no file of the lake in memory", statistics.median(each[0] for each in cold), "s", op="<="),
        Row("read from the disk by that query", statistics.median(each[1] for each in cold) / _MEGABYTE, "MB"),
        Row("reading a personal column, one value a row", opened / personal, "rows/s"),
    ]


def _live(data: Path) -> None:
    """A service's log of a busy day."""
    clock, events = _Clock(), _busy_day()
    clock.time = events[0][0]
    with closing(LivePipeline(Settings(data=data), clock)) as live:
        pipeline = live.pipeline
        for start in range(0, len(events), _BATCH):
            some = events[start : start + _BATCH]
            clock.time = some[-1][0]
            pipeline.take([pipeline.decoder.single(raw, clock.time) for _, raw in some])
        pipeline.commit()


def _busy_day() -> list[tuple[int, bytes]]:
    """Events by their times: a month of a small world within one day, so that opponents are there, and rules fire."""
    done = simulated(_DAYS, 7)
    begins, events = done[0].act.time - done[0].act.time % DAY, []
    for at, each in enumerate(done):
        if each.act.abuse or each.act.type != "api.request" or at % _THINNED == 0:
            time_us = begins + (each.act.time - begins) // _DAYS
            events.append((time_us, msgspec.json.encode({**json.loads(each.raw), "time": stamp(time_us)})))
    return events


def _compaction(data: Path) -> float:
    with (
        tempfile.TemporaryDirectory() as folder,
        open_log(data / "log", read_only=True) as log,
        open_lake(Path(folder)) as lake,
    ):
        compaction = Compaction(log, lake, checked_from)
        compaction.step(_BATCH)  # the pack is compiled
        start = time.process_time()
        while compaction.step():
            pass
        return (log.end() - _BATCH) / (time.process_time() - start)


def _naive_compaction(data: Path) -> float:
    """The same without columns in mind: a dict for each record, frames of dicts, files without order or types."""
    with tempfile.TemporaryDirectory() as folder, open_log(data / "log", read_only=True) as log:
        start = time.process_time()
        rows = []
        for sequence, raw in log.read(0, 20_000):
            record = decode(sequence, raw)
            if isinstance(record, EventRecord):
                row = json.loads(msgspec.json.encode(record))
                rows.append({"kind": record.type, **{f"c{at}": json.dumps(value) for at, value in enumerate(row)}})
        pl.from_dicts(rows, infer_schema_length=None).write_parquet(Path(folder) / "rows.parquet")
        return len(rows) / (time.process_time() - start)


def _personal(data: Path) -> tuple[int, float]:
    """Rows whose address was opened, and the seconds that took beyond the same query masked."""
    with open_lake(data / "lake") as lake, open_log(data / "log", read_only=True) as log:
        while Compaction(log, lake, checked_from).step():
            pass
    with open_live_lake(data) as live:
        query, limits = "SELECT count(*) AS n, count(DISTINCT ip) FROM api_request", SqlLimits(seconds=600)
        seconds = []
        for personal in (False, True):
            start = time.perf_counter()
            frame = live.ask(query, limits, personal=personal).answer.frame
            seconds.append(time.perf_counter() - start)
    return int(frame["n"].item()), seconds[1] - seconds[0]


def _frames(data: Path) -> dict[str, pl.DataFrame]:
    with open_lake(data / "lake", read_only=True) as lake:
        return {name: lake.scan(name).drop("_day").collect() for name in {each.event_type for each in lake.files()}}


def _ten_million(folder: Path, frames: dict[str, pl.DataFrame]) -> tuple[int, int]:
    """A lake of the same day again and again, each a day later; the days, and the hits in all."""
    rows = sum(frame.height for frame in frames.values())
    days, hits = -(-EVENTS // rows), sum(int(frame["_rules"].list.len().sum()) for frame in frames.values())
    with open_lake(folder) as lake:
        for day in range(days):
            _append(lake, frames, day)
        assert sum(each.rows for each in lake.files()) >= EVENTS
    return days, days * hits


def _append(lake: FolderLake, frames: dict[str, pl.DataFrame], day: int) -> None:
    start, later = lake.covered().sequence, timedelta(days=day)
    sequences = pl.concat(frame["_sequence"] for frame in frames.values())
    length = 1 + int(sequences.to_numpy().max())
    moved = {
        name: frame.with_columns(pl.col("_sequence") + start, pl.col("_time", "_received") + later)
        for name, frame in frames.items()
    }
    lake.append(moved, Covered(start + length, 0))


def _first_query(folder: Path, hits: int) -> tuple[float, int]:
    """The seconds of a whole process that asks once, and the bytes that the query had to read from the disk."""
    start = time.perf_counter()
    command = [sys.executable, "-c", _FIRST_QUERY, str(folder), _QUERY]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    found, read = map(int, done.stdout.split())
    assert found == hits
    return seconds, read


def _cold_query(folder: Path, hits: int) -> tuple[float, int]:
    """The same when none of the lake's files is in the page cache."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]
    for path in files:
        _evict(path)
    kept = sum(map(_resident, files))
    if kept:
        raise RuntimeError(f"{kept} pages of the lake stay in memory: this file system can't be measured cold")
    return _first_query(folder, hits)


def _evict(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # what is not on the disk yet stays
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _resident(path: Path) -> int:
    """How many pages of a file are in memory."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE) as view,
    ):
        pages = (ctypes.c_ubyte * -(-len(view) // mmap.PAGESIZE))()
        start = ctypes.c_char.from_buffer(view)
        failed = ctypes.CDLL(None).mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(len(view)), pages)
        del start  # else the view can't be closed
    if failed:
        raise OSError(f"the pages of {path} can't be looked at")
    return sum(each & 1 for each in pages)


def _naive_query(frames: dict[str, pl.DataFrame], days: int) -> float:
    """Seconds to count the same in JSON lines, one day's times the days."""
    columns = [frame.select("_received", "_id", "_action", "_rules") for frame in frames.values()]
    lines = [msgspec.json.encode(row) for frame in columns for row in frame.rows(named=True)]
    start = time.perf_counter()
    hits: Counter[tuple[str, str]] = Counter()
    for line in lines:
        row = json.loads(line)
        hits.update((row["_received"][:10], rule) for rule in row["_rules"])
    assert hits
    return days * (time.perf_counter() - start)
