"""`fairgate serve` with the pack that ships, in a process of its own that is started, stopped and killed."""

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.e2e.doors import COMMAND, ENVIRONMENT, ROOT, client_of, free_port

_PATIENCE = 600
_BATCH = 500


class Service:
    """A door on some cores of the machine, and its desk where it is asked for, which shares them.

    `more` are lines of settings: of the table `[door]`, and further tables.
    """

    def __init__(self, folder: Path, *, desk: bool = False, cores: str = "0", more: str = "") -> None:
        self.folder = folder
        self.port, self.desk_port = free_port(), free_port()
        config = folder / "fairgate.toml"
        config.write_text(
            f"data = {str(folder / 'data')!r}\n[door]\nport = {self.port}\nexpected_keys = 500000\n"
            f"{more}\n[desk]\nenabled = {str(desk).lower()}\nport = {self.desk_port}\nsql_seconds = 300\n"
        )
        self._command = ["taskset", "-c", cores, *COMMAND, "serve", "--config", str(config)]
        self._ports = [self.port, self.desk_port] if desk else [self.port]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The door's process."""
        if self._process is None:
            raise RuntimeError("it was never started")
        return self._process.pid

    @property
    def output(self) -> str:
        """All that it has said."""
        return (self.folder / "output").read_text()

    def start(self) -> float:
        """Start, and return the seconds until it is ready."""
        began = time.perf_counter()
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(self._command, cwd=ROOT, env=ENVIRONMENT, stdout=output, stderr=output)
        for port in self._ports:
            with client_of(port) as client:
                while not self._is_ready(client):
                    time.sleep(0.02)
        return time.perf_counter() - began

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Stop by a signal, and return the seconds that it took. Raises where it does not end in good order."""
        began = time.perf_counter()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            code = self._process.wait(_PATIENCE)
            if code != (0 if number == signal.SIGTERM else -number):
                raise RuntimeError(f"it ended with {code}: {self.output[-3_000:]}")
        return time.perf_counter() - began

    def _is_ready(self, client: httpx.Client) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(self.output[-3_000:])
        try:
            return client.get("/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def send(self, events: Sequence[bytes]) -> None:
        """Have events decided on, in batches over two connections."""
        batches = [b"[" + b",".join(events[at : at + _BATCH]) + b"]" for at in range(0, len(events), _BATCH)]
        with client_of(self.port) as client, ThreadPoolExecutor(2) as pool:

            def send(batch: bytes) -> None:
                answer = client.post("/v1/events", content=batch)
                if answer.status_code != httpx.codes.OK or answer.json()["refused"]:
                    raise RuntimeError(answer.text[:300])

            list(pool.map(send, batches))

    def metric(self, name: str) -> float:
        """A metric of the door that has no labels."""
        with client_of(self.port) as client:
            lines = client.get("/metrics").text.splitlines()
        (value,) = [line.split()[1] for line in lines if line.startswith(f"{name} ")]
        return float(value)


@contextmanager
def serving(folder: Path, *, desk: bool = False, cores: str = "0", more: str = "") -> Iterator[Service]:
    """A service that is ready, and is stopped on leaving."""
    service = Service(folder, desk=desk, cores=cores, more=more)
    try:
        service.start()
        yield service
    finally:
        service.stop()


@contextmanager
def served(program: Sequence[str], port: int, folder: Path, core: str = "0") -> Iterator[None]:
    """A program on a core of its own, from when it is ready; what it says goes to `output` in a folder."""
    command = ["taskset", "-c", core, *program]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=output, stderr=output)
    try:
        _until_ready(process, port, folder)
        yield
    finally:
        process.terminate()
        process.wait(60)


def _until_ready(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    for _ in range(_PATIENCE):
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError((folder / "output").read_text())
