"""The real server: in a thread around a pipeline that the test holds, or `fairgate serve` in a process of its own."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from fairgate.backends.embedded.segments import open_log
from fairgate.domain.access import ApiKey
from fairgate.entrypoints.access import Access
from fairgate.entrypoints.door.asgi import Application
from fairgate.entrypoints.door.door import Live
from fairgate.entrypoints.serve_command import application_of, listening, server_of
from fairgate.ingest.decode import Taken
from fairgate.pipeline.online import Outcome, Pipeline
from fairgate.ports.traces import Traces
from fairgate.settings import DoorSettings, Settings
from tests.support import PACK

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from fairgate.entrypoints.cli import main; main()"]
_START_SECONDS = 60
#: Without what a proxy of the machine might make of it.
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}


class NoKeys:
    """A store of API keys in which there are none: everyone on this machine may use the door."""

    def all(self) -> list[ApiKey]:
        return []

    def add(self, key: ApiKey) -> None:
        raise NotImplementedError

    def rotate(self, old: str, new: ApiKey, until: int) -> None:
        raise NotImplementedError

    def revoke(self, key_id: str, now: int) -> None:
        raise NotImplementedError

    def used(self, times: Mapping[str, int]) -> None:
        raise NotImplementedError

    def version(self) -> tuple[int, int]:
        return 0, 0


@dataclass
class Once:
    """A pipeline that can't be made anew."""

    pipeline: Pipeline

    def reopen(self) -> Pipeline:
        raise OSError("this door's log is not opened again")

    def follow(self) -> Pipeline | None:
        return None

    def adopt(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def cut(self) -> None:
        """Its log keeps all."""


def application(
    live: Pipeline | Live,
    settings: Settings | None = None,
    on_taken: Callable[[Taken, Outcome], None] | None = None,
    traces: Traces | None = None,
) -> Application:
    """A door on a free port that asks for no keys."""
    given = settings or Settings(door=DoorSettings(port=0))
    behind = Once(live) if isinstance(live, Pipeline) else live
    access = Access(NoKeys(), behind.pipeline.clock, given.door.host)
    return application_of(behind, given, access, traces=traces, on_taken=on_taken)


@dataclass(frozen=True, slots=True)
class Open:
    """A door that is open, and what is behind it."""

    pipeline: Pipeline
    client: httpx.Client
    folder: Path

    def decide(self, raw: bytes) -> Any:  # noqa: ANN401 - parsed JSON
        patient = {"fairgate-deadline-ms": "60000"}  # a machine that is busy answers late, and still by a decision
        answer = self.client.post("/v1/decide", content=raw, headers=patient)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def events(self, raw: bytes, content_type: str = "application/json") -> httpx.Response:
        return self.client.post("/v1/events", content=raw, headers={"content-type": content_type})

    def logged(self) -> int:
        """Records that are durable: what another process could read."""
        with open_log(self.folder / "log", read_only=True) as log:
            return log.end()


@contextmanager
def serving(served: Application) -> Iterator[httpx.Client]:
    """A client for a door that is open, on the port that its settings say; stopped gracefully on leaving."""
    settings = served.door.settings.door
    server = server_of(served)
    listener = listening(settings)
    port = listener.getsockname()[1]
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive())
        with client_of(port) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(_START_SECONDS)
    assert not thread.is_alive()


def client_of(port: int) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)


class Process:
    """`fairgate serve` on a data folder, with a snapshot every few hundred events.

    `door` and `tables` are lines of settings: of the table `[door]`, and further tables. There is a clerk where there
    are webhooks.
    """

    def __init__(
        self, folder: Path, door: str = "", tables: str = "", pack: str = PACK, env: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.port = free_port()
        (folder / "pack").mkdir(parents=True, exist_ok=True)
        (folder / "pack" / "pack.toml").write_text(pack)
        (folder / "fairgate.toml").write_text(
            f"pack = {str(folder / 'pack')!r}\ndata = {str(folder / 'data')!r}\n"
            f"[door]\nport = {self.port}\nsnapshot_events = 300\n{door}\n[desk]\nenabled = false\n"
            f"[clerk]\nenabled = {str('[webhook' in tables).lower()}\n{tables}"
        )
        command = [*COMMAND, "serve", "--config", str(folder / "fairgate.toml")]
        self._output = (folder / "output").open("ab")
        environment = {**ENVIRONMENT, **(env or {})}
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=self._output, stderr=self._output)

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

            wait_until(answers)
            yield client

    def send(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def signal(self, number: int) -> int:
        """Send a signal, and return what the process ended with."""
        self.send(number)
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
def process(folder: Path, door: str = "", tables: str = "", env: Mapping[str, str] | None = None) -> Iterator[Process]:
    """A server process that does not outlive the test."""
    started = Process(folder, door, tables, env=env)
    try:
        yield started
    finally:
        started.signal(9)


def fairgate(*arguments: str | Path, key: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with an API key where one is given."""
    command = [*COMMAND, *map(str, arguments)]
    environment = ENVIRONMENT | ({"FAIRGATE_KEY": key} if key else {})
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
