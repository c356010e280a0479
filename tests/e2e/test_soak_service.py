"""Half an hour of mixed load: memory, latency, files and the lake's lag stay where they are, and nothing fails.

$SOAK_MINUTES is another length. The figures of every few seconds are written to build/soak.json.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
import pytest

from tests.benchmarks.mix import bodies
from tests.benchmarks.service import serving
from tests.e2e.desks import children_of, lag, until
from tests.e2e.doors import ENVIRONMENT, ROOT, client_of

pytestmark = pytest.mark.soak
T = TypeVar("T")
MINUTES = int(os.environ.get("SOAK_MINUTES", "30"))
REPORT = ROOT / "build" / "soak.json"
#: A snapshot every minute and a half, so that there are many.
MORE = "snapshot_events = 100000\n[log]\nsegment_megabytes = 64"
CORES = f"0-{(os.cpu_count() or 1) - 1}"
RATE = 1_000
BATCH = 100
#: Seconds of a minute in which decisions are asked for; in the others the next minute's are made up.
_LOADED = 55
#: Bytes by which a process may grow with each event (2 tell its repeat, the rest malloc keeps), and beside that.
_MOST_PER_EVENT, _MOST_BESIDE = 16, 64e6
#: Seconds that the lake may be behind; it is brought up to the log every five.
_MOST_LAG = 30
QUERIES = (
    "select action, count(*) from decisions group by action",
    "select model, count(*), sum(cost) from api_request group by model",
    "select rule, count(*) from rules group by rule order by 2 desc limit 10",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """How the processes are at a moment. Memory is in megabytes; `files` are those that the door and the desk have.

    `door` is its memory beside the `rows`, which grow with the entities that there are. `lag` is the lake's in seconds.
    """

    second: float
    events: float
    rows: float
    door: float
    desk: float
    workers: float
    files: tuple[int, int]
    lag: float


@dataclass(slots=True)
class Soak:
    """What is seen of a service under load, whose door and desk are these processes."""

    door: int
    desk: int
    began: float
    samples: list[Sample] = field(default_factory=list)
    minutes: list[dict[str, float]] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)

    def seen(self, client: httpx.Client, method: str, path: str, **more: object) -> httpx.Response:
        """An answer, which is counted by what was asked and its status."""
        answer = client.request(method, path, **more)  # type: ignore[arg-type]
        self.answers[f"{method} {'/'.join(path.partition('?')[0].split('/')[:3])} {answer.status_code}"] += 1
        return answer

    def every(self, seconds: float, ask: Callable[[int], object]) -> threading.Thread:
        """A thread that asks again and again until it is over."""

        def run() -> None:
            for number in count():
                ask(number)
                if self.over.wait(seconds):
                    return

        thread = threading.Thread(target=run)
        thread.start()
        return thread


def desk_of(door: int) -> int:
    """The desk that a door has started."""
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in children_of(door)}
    (found,) = [pid for pid, command in commands.items() if "desk_command" in command]
    return found


def test_half_an_hour_of_mixed_load(tmp_path: Path) -> None:
    with serving(tmp_path, desk=True, cores=CORES, more=MORE) as service, ExitStack() as stack:
        soak = Soak(service.pid, desk_of(service.pid), time.monotonic())
        ports = 2 * (service.port, service.desk_port)
        door, desk, *seen = (stack.enter_context(client_of(port)) for port in ports)
        threads = [
            soak.every(1, lambda number: send_batch(soak, door, number)),
            soak.every(0.05, lambda number: read(soak, door, number)),
            soak.every(5, lambda number: soak.seen(desk, "POST", "/v1/sql", json={"query": QUERIES[number % 3]})),
            soak.every(10, lambda number: change(soak, door, number)),
            soak.every(5, lambda _: soak.samples.append(sample(soak, *seen))),
        ]
        try:
            for minute in range(MINUTES):
                soak.minutes.append(decisions(service.port, minute))
        finally:
            soak.over.set()
            for thread in threads:
                thread.join()
            report(soak)
        until(lambda: lag(desk) == 0)
        check(soak)
    assert "Traceback" not in service.output


def decisions(port: int, minute: int) -> dict[str, float]:
    """Quantiles of the latency of one minute's decisions. Raises where one was not made."""
    command = [sys.executable, "-m", "tests.benchmarks.load", str(port), str(RATE), str(_LOADED), str(1_000 + minute)]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def send_batch(soak: Soak, client: httpx.Client, number: int) -> None:
    raw = b"\n".join(bodies(BATCH, seed=100_000 + number, prefix="b"))
    answer = soak.seen(client, "POST", "/v1/events", content=raw, headers={"content-type": "application/x-ndjson"})
    assert answer.json()["accepted"] == BATCH, answer.text[:300]


def read(soak: Soak, client: httpx.Client, number: int) -> None:
    draw = random.Random(number)
    paths = [f"/v1/decisions/{draw.randrange(1, 50)}", f"/v1/entities/account/acct_{draw.randrange(5_000)}"]
    paths += ["/v1/lists", "/v1/lists/blocked_cards", "/v1/switches", "/metrics"]
    soak.seen(client, "GET", draw.choice(paths))


def change(soak: Soak, client: httpx.Client, number: int) -> None:
    path = f"/v1/lists/blocked_cards/card_{number % 7}"
    if number % 2:
        soak.seen(client, "PUT", path, json={"for": "1h", "why": "a soak"})
    else:
        soak.seen(client, "PUT", "/v1/switches/all", json={"off": False, "why": "a soak"})


def sample(soak: Soak, door: httpx.Client, desk: httpx.Client) -> Sample:
    events, rows = metric(door, "fairgate_log_end"), metric(door, "fairgate_rows_bytes") / 1e6
    workers = sum(megabytes(pid) for pid in children_of(soak.desk))
    return Sample(
        second=time.monotonic() - soak.began,
        events=events,
        rows=rows,
        door=megabytes(soak.door) - rows,
        desk=megabytes(soak.desk),
        workers=workers,
        files=(files_of(soak.door), files_of(soak.desk)),
        lag=metric(desk, "fairgate_lake_lag_seconds"),
    )


def metric(client: httpx.Client, name: str) -> float:
    (value,) = [line.split()[1] for line in client.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
    return float(value)


def files_of(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def megabytes(pid: int) -> float:
    """The memory that a process has, without what its files have in memory; 0 of one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1_000


def report(soak: Soak) -> None:
    REPORT.parent.mkdir(exist_ok=True)
    found = {"minutes": soak.minutes, "samples": [asdict(each) for each in soak.samples], "answers": soak.answers}
    REPORT.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))


def check(soak: Soak) -> None:
    """What is seen at the end is what was seen when it had warmed up."""
    warm = min(5, len(soak.minutes) // 3)
    first, last = thirds([each for each in soak.samples if each.second > 60 * warm])
    bound = (_MOST_PER_EVENT * (last[-1].events - first[0].events) + _MOST_BESIDE) / 1e6
    for name in ("door", "desk", "workers"):
        before, after = (statistics.median(getattr(each, name) for each in part) for part in (first, last))
        assert after - before < bound, f"the memory of the {name} has grown: see {REPORT}"
    for at in (0, 1):
        assert max(each.files[at] for each in last) <= max(each.files[at] for each in first) + 20
    assert max(each.lag for each in (*first, *last)) < _MOST_LAG
    quick, slow = thirds(soak.minutes[warm:])
    for name, most, beside in (("p50", 2, 0), ("p99", 3, 20)):
        before, after = (statistics.median(each[name] for each in part) for part in (quick, slow))
        assert after < most * before + beside, f"{name} of the latency has grown: see {REPORT}"
    assert [each for each in soak.answers if not each.endswith((" 200", " 404"))] == []


def thirds(series: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """The first and the last third of a series."""
    size = max(1, len(series) // 3)
    return series[:size], series[-size:]
