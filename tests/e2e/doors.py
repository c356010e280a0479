"""The real server: in a thread around a pipeline that the test holds, or `fairgate serve` in a process of its own."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from fairgate.entrypoints.decision_api import Door
from fairgate.entrypoints.serve_command import listening, server_of
from fairgate.ingest.decode import Taken
from fairgate.pipeline.online import Outcome, Pipeline
from tests.support import PACK

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from fairgate.entrypoints.cli import main; main()"]
_START_SECONDS = 60
#: Without what a proxy of the machine might make of it.
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}


@contextmanager
def serving(
    pipeline: Pipeline, *, snapshot_events: int = 1_000_000, on_taken: Callable[[Taken, Outcome], None] | None = None
) -> Iterator[httpx.Client]:
    """The door over a pipeline on a free port, with a client for it; stopped gracefully on leaving."""
    server = server_of(Door(pipeline, snapshot_events=snapshot_events, on_taken=on_taken))
    listener = listening("127.0.0.1", 0)
    port = listener.getsockname()[1]
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        _wait_until(lambda: server.started or not thread.is_alive())
        with client_of(port) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(_START_SECONDS)
    assert not thread.is_alive()


def client_of(port: int) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)


class Process:
    """`fairgate serve` on a data folder, with a snapshot every few hundred events."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        pack = folder / "pack"
        pack.mkdir(parents=True, exist_ok=True)
        (pack / "pack.toml").write_text(PACK)
        settings = {"pack": str(pack), "data": str(folder / "data"), "port": self.port, "snapshot_events": 300}
        (folder / "fairgate.toml").write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()))
        command = [*COMMAND, "serve", "--config", str(folder / "fairgate.toml")]
        self._output = (folder / "output").open("ab")
        self._process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=self._output, stderr=self._output)

    @property
    def pid(self) -> int:
        return self._process.pid

    @contextmanager
    def ready(self) -> Iterator[httpx.Client]:
        """A client, once the door answers that it is ready."""
        with client_of(self.port) as client:

            def answers() -> bool:
                assert self._process.poll() is None, self.output()
                try:
                    return client.get("/readyz").status_code == 200
                except httpx.TransportError:
                    return False

            _wait_until(answers)
            yield client

    def signal(self, number: int) -> int:
        """Send a signal, and return what the process ended with."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """What the process ended with."""
        try:
            return self._process.wait(_START_SECONDS)
        finally:
            self._process.kill()
            self._output.close()

    def output(self) -> str:
        return (self.folder / "output").read_text()


@contextmanager
def process(folder: Path) -> Iterator[Process]:
    """A server process that does not outlive the test."""
    started = Process(folder)
    try:
        yield started
    finally:
        started.signal(9)


def fairgate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
