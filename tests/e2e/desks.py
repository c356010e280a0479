"""A desk as a process of its own, over a data folder that a pipeline in the test has filled."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from fairgate.domain.audit import Doing
from fairgate.entrypoints.desk.lifeline import settings_line
from fairgate.settings import DeskSettings, Settings
from fairgate.wiring import LivePipeline, open_records
from tests.e2e.doors import ENVIRONMENT, ROOT, client_of, free_port
from tests.support import PACK, SetClock, traffic

COMMAND = [sys.executable, "-m", "fairgate.entrypoints.desk_command"]
_START_SECONDS = 60


def settings_in(folder: Path, **desk: object) -> Settings:
    """Settings for a data folder below `folder`, with the tests' pack in it and a free port for the desk."""
    pack = folder / "packs" / "support"
    pack.mkdir(parents=True, exist_ok=True)
    (pack / "pack.toml").write_text(PACK)
    given = {"port": free_port(), "compact_seconds": 0.2, "packs": folder / "packs", **desk}
    return Settings(pack=str(pack), data=folder / "data", desk=DeskSettings(**given))  # type: ignore[arg-type]


def fill(settings: Settings, count: int, *, start: int = 0) -> None:
    """Let a pipeline decide on events of the tests' traffic."""
    clock = SetClock()
    with closing(LivePipeline(settings, clock)) as live:
        pipeline = live.pipeline
        for raw, received in traffic(count, start=start):
            clock.time = received
            pipeline.take([pipeline.decoder.single(raw, received)])
        pipeline.commit()


class Desk:
    """A desk, started as a door starts it: its settings and its lifeline come over its input."""

    def __init__(self, settings: Settings, environment: Mapping[str, str] | None = None) -> None:
        self.settings = settings
        settings.data.mkdir(parents=True, exist_ok=True)
        self._output = settings.data.parent / "desk-output"
        with self._output.open("ab") as output:
            self.process = subprocess.Popen(
                COMMAND,
                cwd=ROOT,
                env={**ENVIRONMENT, **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
            )
        assert self.process.stdin is not None
        self.lifeline = self.process.stdin
        self.lifeline.write(settings_line(settings))
        self.lifeline.flush()

    @property
    def output(self) -> str:
        return self._output.read_text()

    @contextmanager
    def client(self, key: str = "") -> Iterator[httpx.Client]:
        """A client, once the desk answers."""
        with client_of(self.settings.desk.port) as client:
            until(lambda: self._answers(client, "/healthz"))
            client.headers.update({"authorization": f"Bearer {key}"} if key else {})
            yield client

    @contextmanager
    def ready(self, key: str = "") -> Iterator[httpx.Client]:
        """A client, once the lake is kept up."""
        with self.client(key) as client:
            until(lambda: self._answers(client, "/readyz") and lag(client) == 0)
            yield client

    def children(self) -> list[int]:
        """The desk's worker processes."""
        return children_of(self.process.pid)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.lifeline.close()

    def _answers(self, client: httpx.Client, path: str) -> bool:
        assert self.process.poll() is None, self.output
        try:
            return client.get(path).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def desk_over(settings: Settings, environment: Mapping[str, str] | None = None) -> Iterator[Desk]:
    """A desk that does not outlive the test."""
    desk = Desk(settings, environment)
    try:
        yield desk
    finally:
        desk.end()


def lag(client: httpx.Client) -> float:
    """The records that the lake has not got yet."""
    lines = client.get("/metrics").text.splitlines()
    (value,) = [line.split()[1] for line in lines if line.startswith("fairgate_lake_lag_records ")]
    return float(value)


def asked(client: httpx.Client, query: str, **more: object) -> httpx.Response:
    return client.post("/v1/sql", json={"query": query, **more})


def rows(client: httpx.Client, query: str) -> list[list[object]]:
    """The rows of a query that must have an answer."""
    answer = asked(client, query)
    assert answer.status_code == 200, answer.text
    found: list[list[object]] = answer.json()["rows"]
    return found


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, code and reason of an answer that is an error."""
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["reason"]


def ended(client: httpx.Client, job_id: str) -> dict[str, object]:
    """A job when it has ended."""
    until(lambda: client.get(f"/v1/jobs/{job_id}").json()["job"]["state"] not in {"queued", "running"})
    found: dict[str, object] = client.get(f"/v1/jobs/{job_id}").json()
    return found


def audited(settings: Settings) -> list[Doing]:
    """What is in the audit log, in order."""
    with open_records(settings.data) as records:
        return [each.doing for each in records.audit.rows(0, 100_000)]


def children_of(pid: int) -> list[int]:
    """The processes that any thread of a process has started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(each) for task in tasks for each in (task / "children").read_text().split()]


def lives(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
