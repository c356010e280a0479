"""A client that sends at a set rate, whatever comes back: latency counts from when a request was due.

`python -m tests.benchmarks.load PORT RATE SECONDS SEED` prints the latencies' quantiles as JSON. It is a process of its
own so that it can have a core of its own.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import uvloop

from tests.benchmarks.mix import bodies

_CONNECTIONS = 64


class _Connection(asyncio.Protocol):
    """One request at a time; hands itself back when its answer is there."""

    def __init__(self, idle: asyncio.Queue["_Connection"], latencies: list[float], failed: list[bytes]) -> None:
        self._idle = idle
        self._latencies = latencies
        self._failed = failed
        self._due = 0.0
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._idle.put_nowait(self)

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._held += data
        head, found, body = self._held.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) < length:
            return
        self._held = b""
        self._latencies.append(time.perf_counter() - self._due)
        if b" 200 " not in head[:20] or b'"degraded"' in body:
            self._failed.append(head[:40] + body[:200])
        self._idle.put_nowait(self)


async def run(port: int, rate: float, seconds: float, seed: int) -> dict[str, float]:
    """Send, and tell the quantiles in milliseconds."""
    requests = [
        b"POST /v1/decide HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        for body in bodies(int(rate * seconds), seed, prefix="l")
    ]
    return await paced(port, rate, requests, _Connection)


async def paced(port: int, rate: float, requests: Sequence[bytes], kind: Callable[..., Any]) -> dict[str, float]:
    """Send requests when each is due, over connections of a kind that is made with three things.

    They are the queue that an idle one hands itself back to, and lists of latencies in seconds and of answers that are
    none. Tells the rate and the quantiles in milliseconds.
    """
    idle: asyncio.Queue[Any] = asyncio.Queue()
    latencies: list[float] = []
    failed: list[bytes] = []
    loop = asyncio.get_running_loop()
    for _ in range(_CONNECTIONS):
        await loop.create_connection(lambda: kind(idle, latencies, failed), "127.0.0.1", port)
    start = time.perf_counter()
    for number, request in enumerate(requests):
        due = start + number / rate
        ahead = due - time.perf_counter()
        if ahead > 0.001:
            await asyncio.sleep(ahead)
        (await idle.get()).send(request, due)
    for _ in range(_CONNECTIONS):  # all are idle again when all is answered
        await idle.get()
    took = time.perf_counter() - start
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(requests)} failed: {failed[0]!r}")
    cuts = statistics.quantiles(latencies, n=1_000)
    return {"rate": len(requests) / took, "p50": 1e3 * cuts[499], "p99": 1e3 * cuts[989], "p999": 1e3 * cuts[998]}


if __name__ == "__main__":
    port, rate, seconds, seed = sys.argv[1:]
    print(json.dumps(uvloop.run(run(int(port), float(rate), float(seconds), int(seed)))))
