"""The whole path: decode -> hash -> 36 features of 6 entities -> 100 rules -> encode -> group fsync."""

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from fairgate.backends.embedded.segments import open_log
from fairgate.backends.embedded.snapshots import FolderSnapshots
from fairgate.backends.embedded.subject_keys import FileSubjectKeys
from fairgate.domain.secret import Secrets
from fairgate.pipeline.online import Pipeline
from fairgate.pipeline.seals import Seals
from fairgate.wiring import SUBJECT_KEYS, calm_collector, checked_from, new_engine, new_repeats
from tests.benchmarks.naive_path import NaivePath
from tests.benchmarks.path_pack import bodies, features, pack_text
from tests.benchmarks.rows import Row, median_of

NOW = 1_767_700_000_000_000
WARM, _MEASURED, _GROUP = 20_000, 20_000, 500
_SECRET = 0x5EED


class _Clock:
    def now(self) -> int:
        return NOW


@contextmanager
def pipeline_in(folder: Path) -> Iterator[Pipeline]:
    """A live pipeline of the workload's pack in an empty folder."""
    engine = new_engine(checked_from({"pack.toml": pack_text()}), _SECRET, expected_keys=200_000)
    keys = FileSubjectKeys(folder / SUBJECT_KEYS)
    with closing(keys), open_log(folder / "log") as log:
        seals = Seals(keys, Secrets({1: _SECRET}))
        snapshots, repeats = FolderSnapshots(folder / "snapshots"), new_repeats(_SECRET)
        pipeline = Pipeline(engine, log, snapshots, _Clock(), _SECRET, seals, repeats)
        pipeline.recover()
        calm_collector()
        yield pipeline


def take(pipeline: Pipeline, events: list[bytes], batch: int) -> None:
    """Take events in batches, with a commit for each 500 at least."""
    single = pipeline.decoder.single
    for start in range(0, len(events), batch):
        pipeline.take([single(body, NOW) for body in events[start : start + batch]])
        if batch >= _GROUP or start % _GROUP == 0:
            pipeline.commit()
    pipeline.commit()


def _rate(events: list[bytes], batch: int) -> float:
    """Events per second of CPU, after a warm-up on other events."""
    with tempfile.TemporaryDirectory() as folder, pipeline_in(Path(folder)) as pipeline:
        take(pipeline, events[:WARM], _GROUP)
        start = time.process_time()
        take(pipeline, events[WARM:], batch)
        return _MEASURED / (time.process_time() - start)


def _latencies(events: list[bytes]) -> tuple[float, float]:
    """p50 and p99 in microseconds of one event, decode to record, before fsync."""
    with tempfile.TemporaryDirectory() as folder, pipeline_in(Path(folder)) as pipeline:
        take(pipeline, events[:WARM], _GROUP)
        single, taken = pipeline.decoder.single, []
        for number, body in enumerate(events[WARM:]):
            start = time.perf_counter_ns()
            pipeline.take([single(body, NOW)])
            taken.append(time.perf_counter_ns() - start)
            if number % _GROUP == 0:
                pipeline.commit()
    p50, p99 = np.percentile(taken, [50, 99]) / 1_000
    return float(p50), float(p99)


def _naive_rules() -> list[str]:
    """The pack's conditions over the naive version's names."""
    places = {text: f"f[{place}]" for place, text in enumerate(features())}
    rules = re.findall(r"when = '(.*)'", pack_text())
    for text, place in places.items():
        rules = [rule.replace(text, place) for rule in rules]
    return [re.sub(r"\b(model|country|tokens|status)\b", r'd["\1"]', rule) for rule in rules]


def _naive_rate(events: list[bytes]) -> float:
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as file:
        naive = NaivePath(_naive_rules(), file)
        some = events[: _MEASURED // 5]
        start = time.process_time()
        for number, body in enumerate(some):
            naive.take(body)
            if number % _GROUP == 0:
                naive.commit()
        return len(some) / (time.process_time() - start)


def run() -> list[Row]:
    """Rates in events per second of CPU on one core, latencies of single events."""
    events = bodies(WARM + _MEASURED)
    naive = _naive_rate(events)
    singly = median_of(3, lambda: _rate(events, 1))
    by_500 = median_of(3, lambda: _rate(events, 500))
    by_4000 = median_of(3, lambda: _rate(events, 4_000))
    latencies = [_latencies(events) for _ in range(3)]
    p50, p99 = np.median(latencies, axis=0)
    return [
        Row("whole path, naive version (json, deques, eval)", naive, "events/s"),
        Row("whole path, singly", singly, "events/s", singly / naive, ">=", 25_000),
        Row("whole path, batches of 500", by_500, "events/s", by_500 / naive, ">=", 50_000),
        Row("whole path, batches of 4,000", by_4000, "events/s", by_4000 / naive, ">=", 50_000),
        Row("one event before fsync, p50", float(p50), "us", None, "<=", 40),
        Row("one event before fsync, p99", float(p99), "us", None, "<=", 150),
    ]
