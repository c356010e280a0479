"""The share's sidecar over loopback: `fairgate share serve` on one core, a client at a set rate on the other.

The client sends whatever comes back, so that latency counts from when a request was due; each grant is settled, too,
by a request of its own. Beside it the same load on an application that only answers: the price of HTTP, and of what
else runs on this machine. `python -m tests.benchmarks.bench_sidecar PORT RATE SECONDS` is the client, with a PORT alone
it is that application.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import httpx
import uvicorn
import uvloop

from tests.benchmarks.load import paced
from tests.benchmarks.rows import Row
from tests.benchmarks.service import served
from tests.e2e.doors import COMMAND, ENVIRONMENT, ROOT, free_port

BUILD = ROOT / "build"
_RATE, _SECONDS, _WARM = 2_000, 20, 5
_ACCOUNTS = 10_000


def run() -> list[Row]:
    """The figures of the sidecar, those of an application that only answers, and what a look at it all costs."""
    with tempfile.TemporaryDirectory(dir=BUILD) as name:
        folder = Path(name)
        with peer(folder) as port:
            plain = _measured(port, _RATE, _SECONDS)
        with sidecar(folder) as port:
            _measured(port, _RATE, _WARM)
            found = _measured(port, _RATE, _SECONDS)
            state = _state(port)
    return [
        Row(f"POST /v1/share/acquire at {found['rate']:,.0f}/s, each settled, p50", found["p50"], "ms"),
        Row("the same, p99", found["p99"], "ms", found["p99"] / plain["p99"], op="<=", target=3),
        Row("the same, p99.9", found["p999"], "ms"),
        Row("the same on an application that only answers, p99", plain["p99"], "ms"),
        Row(f"GET /v1/share/state with {_ACCOUNTS:,} accounts, which holds all others up", state, "ms"),
    ]


@contextmanager
def sidecar(folder: Path) -> Iterator[int]:
    """A sidecar with capacity for all, on a core of its own."""
    port = free_port()
    (folder / "fairgate.toml").write_text(
        f"data = {str(folder / 'data')!r}\n[share]\nport = {port}\n[[share.pool]]\ncapacity = 1e9\n"
    )
    with served([*COMMAND, "share", "serve", "--config", str(folder / "fairgate.toml")], port, folder):
        yield port


@contextmanager
def peer(folder: Path) -> Iterator[int]:
    """An application that only answers, on the same server and core."""
    port = free_port()
    with served([sys.executable, "-m", "tests.benchmarks.bench_sidecar", str(port)], port, folder):
        yield port


def _measured(port: int, rate: float, seconds: float) -> dict[str, float]:
    command = ["taskset", "-c", "1", sys.executable, "-m", "tests.benchmarks.bench_sidecar"]
    done = subprocess.run(
        [*command, str(port), str(rate), str(seconds)], check=True, stdout=subprocess.PIPE, cwd=ROOT, env=ENVIRONMENT
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _state(port: int) -> float:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        took = []
        for _ in range(10):
            began = time.perf_counter()
            client.get("/v1/share/state")
            took.append(time.perf_counter() - began)
    return 1e3 * statistics.median(took)


async def _answering(_scope: object, _receive: object, send: Callable[[dict[str, object]], Awaitable[None]]) -> None:
    body = b'{"grant":"4be1f60a37d21","estimate":1412.0}'
    fields = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


class _Connection(asyncio.Protocol):
    """Asks, then settles what it was granted, then hands itself back."""

    def __init__(self, idle: asyncio.Queue["_Connection"], latencies: list[float], failed: list[bytes]) -> None:
        self._idle = idle
        self._latencies = latencies
        self._failed = failed
        self._due = 0.0
        self._asking = False
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._idle.put_nowait(self)

    def send(self, request: bytes, due: float) -> None:
        self._due, self._asking = min(due, time.perf_counter()), True  # it may be sent a little before it is due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._held += data
        head, found, body = self._held.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            return
        self._held = b""
        if b" 200 " not in head[:20]:
            self._failed.append(head[:40] + body[:200])
        if not self._asking:
            self._idle.put_nowait(self)
            return
        self._latencies.append(time.perf_counter() - self._due)
        self._asking = False
        grant = json.loads(body).get("grant", "")
        settled = json.dumps({"grant": grant, "input": 900, "output": 300}).encode()
        self._transport.write(_request("settle", settled))


def _request(what: str, body: bytes) -> bytes:
    head = b"POST /v1/share/%b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    return head % (what.encode(), len(body)) + body


async def _load(port: int, rate: float, seconds: float) -> dict[str, float]:
    asked = {"model": "m", "input_tokens": 900, "max_output": 400, "deadline_ms": 1_000}
    requests = [
        _request("acquire", json.dumps({"account": f"acc_{n % _ACCOUNTS}"} | asked).encode())
        for n in range(int(rate * seconds))
    ]
    return await paced(port, rate, requests, _Connection)


if __name__ == "__main__":
    to_port, *more = sys.argv[1:]
    if more:
        print(json.dumps(uvloop.run(_load(int(to_port), float(more[0]), float(more[1])))))
    else:
        uvicorn.run(_answering, port=int(to_port), loop="uvloop", http="httptools", lifespan="off", access_log=False)
