"""From the start of `fairgate serve` to ready, with a million accounts: from a snapshot, and after a kill."""

import json
import random
import signal
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tests.benchmarks.bench_http import BUILD
from tests.benchmarks.mix import bodies
from tests.benchmarks.rows import Row
from tests.benchmarks.service import Service

_ACCOUNTS = 1_000_000
_TAIL = 200_000
_AT_A_TIME = 100_000
_TARGET = 60


def run() -> list[Row]:
    """Fill a data folder, stop in good order and start; take events, kill and start again."""
    with tempfile.TemporaryDirectory(dir=BUILD) as name:
        service = Service(Path(name), cores="0,1")
        service.start()
        try:
            _fill(service, _sign_ups(_ACCOUNTS))
            rows = service.metric("fairgate_rows")
            stopped = service.stop()
            from_snapshot = service.start()
            if service.metric("fairgate_rows") != rows:
                raise RuntimeError("the snapshot does not hold all rows")
            _fill(service, bodies(_TAIL, seed=8))
            service.stop(signal.SIGKILL)
            after_kill = service.start()
        finally:
            service.stop()
    return [
        Row("rows held for a million accounts", rows, "rows"),
        Row("graceful stop, which writes a snapshot of them", stopped, "s"),
        Row("start to ready from that snapshot", from_snapshot, "s", op="<=", target=_TARGET),
        Row(f"the same after kill -9 with {_TAIL:,} events more", after_kill, "s", op="<=", target=_TARGET),
    ]


def _fill(service: Service, events: Iterator[bytes]) -> None:
    while some := list(islice(events, _AT_A_TIME)):
        service.send(some)


def _sign_ups(count: int) -> Iterator[bytes]:
    draw = random.Random(5)
    for number in range(count):
        data = {
            "account": f"new_{number}",
            "email": f"user{number}@example.com",
            "ip": f"10.{draw.randrange(16)}.{draw.randrange(256)}.{draw.randrange(16)}",
            "country": "DE",
            "method": "password",
        }
        event = {"specversion": "1.0", "id": f"s{number}", "source": "bench", "type": "account.signup", "data": data}
        yield json.dumps(event, separators=(",", ":")).encode()
