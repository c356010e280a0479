"""Where the time of the whole path goes: microseconds of each step for one event, over thousands of them."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fairgate.domain.event import Event
from fairgate.pipeline.records import Recorder, encode
from tests.benchmarks.bench_path import NOW, WARM, pipeline_in, take
from tests.benchmarks.path_pack import bodies
from tests.benchmarks.rows import Row, median_of

_EVENTS = 4_000
_TYPE = "api.request"


def run() -> list[Row]:
    """The steps in the order of the path; what is left of the whole is Python between them."""
    some = bodies(WARM + _EVENTS)
    with tempfile.TemporaryDirectory() as folder, pipeline_in(Path(folder)) as pipeline:
        take(pipeline, some[:WARM], 500)
        engine, decoder = pipeline.engine, pipeline.decoder
        stage, recorder = engine._stages[_TYPE], Recorder(engine, decoder.wires)
        fresh = some[WARM:]
        events = [decoder.single(body, NOW) for body in fresh]
        steps: list[tuple[str, Callable[[Any], object], list[Any]]] = [
            ("JSON to struct", decoder._one.decode, fresh),
            ("decode, with admission", lambda body: decoder.single(body, NOW), fresh),
            (
                "hash and pack the request",
                lambda event: stage.extract(event.data, event.time, NOW, engine._buffer, 0),
                events,
            ),
            ("kernel: 36 features of 6 rows, one call", lambda event: _kernel(engine, stage, event), events),
        ]
        rows = [Row(f"step: {name}", _microseconds(step, over), "us") for name, step, over in steps]
        judged = engine.run([event for event in events if isinstance(event, Event)])
        judge, seal = stage.detector.judge, pipeline._seals.seal
        rows += [
            Row(
                "step: 100 rules",
                _microseconds(lambda each: judge(each.event.data, each.event.time, NOW, each.features, [], []), judged),
                "us",
            ),
            Row(
                "step: make and encode the record",
                _microseconds(lambda each: encode(recorder.record(each, 0, b"")), judged),
                "us",
            ),
            Row(
                "step: seal what is personal",
                _microseconds(lambda each: seal(*(recorder.personal(each.event) or (1, b""))), judged),
                "us",
            ),
        ]
        whole = _microseconds(
            lambda body: pipeline.take([decoder.single(body, NOW)]), bodies(2 * _EVENTS, seed=11)[_EVENTS:], times=1
        )
        rows.append(Row("all steps, one event at a time", whole, "us"))
    return rows


def _kernel(engine: Any, stage: Any, event: Any) -> None:  # noqa: ANN401 - reaches into the engine on purpose
    """The request must be packed for the rows to be those of this event; its time is measured apart and small."""
    stage.extract(event.data, event.time, NOW, engine._buffer, 0)
    engine.rows.advance(engine._requests, engine._answers, 1)


def _microseconds(step: Callable[[Any], object], over: list[Any], times: int = 5) -> float:
    """The median over several passes of the mean time of a step."""

    def once() -> float:
        start = time.perf_counter_ns()
        for each in over:
            step(each)
        return (time.perf_counter_ns() - start) / len(over) / 1_000

    return median_of(times, once)
