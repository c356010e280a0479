"""What the desk costs the door: the door's latency at half load alone, and beside heavy SQL and a backtest.

Door and desk share one core, the load comes from the other. Half load is half of what the door does beside a desk that
keeps up the lake.
"""

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.bench_http import BUILD, at_rate, synced, throughput
from tests.benchmarks.mix import bodies
from tests.benchmarks.rows import Row
from tests.benchmarks.service import Service, serving
from tests.e2e.desks import lag
from tests.e2e.doors import client_of

_HISTORY = 200_000
_TURNS = 3
#: Reads all there is, and counts what is different in it.
_HEAVY = """
select type, day, action, count(*) as events, count(distinct account) as accounts, quantile_cont(log_odds, 0.99) as top,
       count(distinct id) as ids
from decisions group by all order by events desc"""


def run() -> list[Row]:
    """The door's latency with a desk that only keeps up the lake, and with one that is busy, in turns."""
    alone: list[dict[str, float]] = []
    beside: list[dict[str, float]] = []
    syncs: tuple[list[float], list[float]] = [], []
    ended = 0
    with tempfile.TemporaryDirectory(dir=BUILD) as name, serving(Path(name), desk=True) as service:
        service.send([*bodies(_HISTORY, seed=11)])
        rate = throughput(Path(name), service.port) / 2
        for turn in range(_TURNS):
            _caught_up(service)
            with syncing(Path(name), syncs[0]):
                alone.append(at_rate(service.port, rate, seed=20 + turn))
            _caught_up(service)
            with busy(service) as done, syncing(Path(name), syncs[1]):
                beside.append(at_rate(service.port, rate, seed=30 + turn))
            ended += sum(done)
    ratio = _median(beside, "p99") / _median(alone, "p99")
    at = f"POST /v1/decide at {_median(alone, 'rate'):,.0f}/s"
    return [
        *(Row(f"{at}, the desk keeps up the lake, {each}", _median(alone, each), "ms") for each in ("p50", "p99")),
        *(Row(f"{at}, heavy SQL and a backtest, {each}", _median(beside, each), "ms") for each in ("p50", "p99")),
        Row("that p99 against the one without", ratio, "x", op="<=", target=2),
        Row("queries and backtests that ended meanwhile", ended, "answers"),
        *(
            Row(f"one write and fdatasync beside it, {when}, p99", statistics.quantiles(each, n=100)[-1], "ms")
            for when, each in zip(("the desk keeps up", "heavy SQL"), syncs, strict=True)
        ),
    ]


def _median(turns: list[dict[str, float]], name: str) -> float:
    return statistics.median(each[name] for each in turns)


@contextmanager
def syncing(folder: Path, found: list[float]) -> Iterator[None]:
    """Notes how many ms a write and fdatasync take on the disk meanwhile, forty times a second: no door is faster."""
    over = threading.Event()

    def sync() -> None:
        while not over.wait(0.025):
            found.append(synced(folder))

    thread = threading.Thread(target=sync)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def busy(service: Service) -> Iterator[list[int]]:
    """Two clients that ask a heavy query again and again, and one that has a backtest made; counts what has ended."""
    over, done, failed = threading.Event(), [0, 0, 0], list[str]()

    def query(at: int) -> None:
        with client_of(service.desk_port) as desk:
            desk.timeout = 600
            while not over.is_set():
                answer = desk.post("/v1/sql", json={"query": _HEAVY})
                if not answer.is_success:
                    failed.append(answer.text)
                    return
                done[at] += 1

    def backtest() -> None:
        with client_of(service.desk_port) as desk:
            while not over.is_set():
                job = desk.post("/v1/backtests", json={"new": "ai_api"}).raise_for_status().json()["job"]["id"]
                while not over.is_set() and desk.get(f"/v1/jobs/{job}").json()["job"]["state"] in {"queued", "running"}:
                    time.sleep(0.2)
                done[2] += not over.is_set()

    threads = [threading.Thread(target=query, args=(at,)) for at in (0, 1)] + [threading.Thread(target=backtest)]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        over.set()
        for thread in threads:
            thread.join()
    if failed:  # the door was not beside what the figure says
        raise RuntimeError(f"a heavy query was refused: {failed[0]}")


def _caught_up(service: Service) -> None:
    with client_of(service.desk_port) as desk:
        while lag(desk) > 0:
            time.sleep(0.2)
