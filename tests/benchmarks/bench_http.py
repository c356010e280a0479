"""The door over HTTP: `fairgate serve` on one core, the load on the other.

Throughput with wrk and 64 connections, everything durable; latency with a client that sends at half that rate and does
not wait for answers; batches of 500 over two connections.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.benchmarks.mix import bodies
from tests.benchmarks.rows import Row
from tests.benchmarks.service import served
from tests.e2e.doors import COMMAND, ENVIRONMENT, ROOT, free_port

#: On the disk that the checkout is on: a machine's folder for temporary files may be memory.
BUILD = ROOT / "build"
_SECONDS = 15
_WARM = 20_000
_BATCH = 500
_LUA = """
local lines, at = {}, 0
for line in io.lines("%s") do lines[#lines + 1] = line end
wrk.method, wrk.headers["Content-Type"] = "POST", "application/json"
request = function()
  at = at + 1
  return wrk.format(nil, "/v1/decide", nil, (lines[at]:gsub("\\n", "")))
end
local bad = 0
response = function(status, headers, body)
  if status ~= 200 or body:find('"degraded"', 1, true) then bad = bad + 1 end
end
done = function(summary, latency, requests)
  io.write(string.format("%%d %%d\\n", summary.requests, summary.duration))
end
"""


def run() -> list[Row]:
    """The figures of the door, the time of one synced write beside them."""
    with tempfile.TemporaryDirectory(dir=BUILD) as name, door(Path(name)) as port:
        folder = Path(name)
        rate = throughput(folder, port)
        latency = at_rate(port, rate / 2)
        batches = in_batches(port)
        sync = statistics.median(synced(folder) for _ in range(200))
    return [
        Row("one write of 500 bytes and fdatasync, p50", sync, "ms"),
        Row("POST /v1/decide, 64 connections", rate, "requests/s", op=">=", target=6_000),
        Row(f"the same at {latency['rate']:,.0f}/s, p50", latency["p50"], "ms"),
        Row(f"the same at {latency['rate']:,.0f}/s, p99", latency["p99"], "ms", op="<=", target=20),
        Row("POST /v1/events in batches of 500", batches, "events/s", op=">=", target=20_000),
    ]


@contextmanager
def door(folder: Path, *, desk: bool = False, core: str = "0") -> Iterator[int]:
    """`fairgate serve` with the pack that ships, on a core of its own."""
    port = free_port()
    (folder / "fairgate.toml").write_text(
        f"data = {str(folder / 'data')!r}\n[door]\nport = {port}\nexpected_keys = 500000\n"
        f"[desk]\nenabled = {str(desk).lower()}\nport = 0\n"
    )
    with served([*COMMAND, "serve", "--config", str(folder / "fairgate.toml")], port, folder, core):
        yield port


def throughput(folder: Path, port: int) -> float:
    """Requests per second that wrk gets answered."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise RuntimeError("this benchmark needs wrk: install your distribution's package of that name")
    _send_batches(port, [*bodies(_WARM, seed=1)])
    lines = folder / "requests"
    lines.write_bytes(b"\n".join(bodies(400_000, seed=2)))
    script = folder / "decide.lua"
    script.write_text(_LUA % lines)
    command = [
        "taskset",
        "-c",
        "1",
        wrk,
        "-t1",
        "-c64",
        f"-d{_SECONDS}s",
        "-s",
        str(script),
        f"http://127.0.0.1:{port}",
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    if "Non-2xx" in done.stdout:
        raise RuntimeError(done.stdout)
    requests, microseconds = map(int, done.stdout.strip().splitlines()[-1].split())
    return 1e6 * requests / microseconds


def at_rate(port: int, rate: float, seed: int = 3) -> dict[str, float]:
    """Quantiles of the latency at a rate, from a client on the other core."""
    command = ["taskset", "-c", "1", sys.executable, "-m", "tests.benchmarks.load"]
    command += [str(port), str(rate), str(_SECONDS), str(seed)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT, env=ENVIRONMENT)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def in_batches(port: int) -> float:
    """Events per second in batches of 500 over two connections."""
    some = [*bodies(150_000, seed=4)]
    start = time.perf_counter()
    _send_batches(port, some)
    return len(some) / (time.perf_counter() - start)


def _send_batches(port: int, events: list[bytes]) -> None:
    batches = [b"[" + b",".join(events[at : at + _BATCH]) + b"]" for at in range(0, len(events), _BATCH)]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:

        def send(batch: bytes) -> None:
            answer = client.post("/v1/events", content=batch)
            if answer.status_code != httpx.codes.OK or json.loads(answer.content)["refused"]:
                raise RuntimeError(answer.text[:300])

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(send, batches))


def synced(folder: Path) -> float:
    """Milliseconds of one appended and synced write."""
    with (folder / "sync").open("ab", buffering=0) as file:
        start = time.perf_counter()
        file.write(bytes(500))
        os.fdatasync(file.fileno())
        return 1e3 * (time.perf_counter() - start)
