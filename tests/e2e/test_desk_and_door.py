"""The desk beside the door that started it: neither takes the other with it, but the desk ends when the door does."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.desks import asked, children_of, ended, lives, rows, settings_in, until
from tests.e2e.doors import COMMAND, ENVIRONMENT, ROOT, client_of, free_port
from tests.support import request

COUNT = "select count(*) from decisions"


class Pair:
    """`fairgate serve` with its desk."""

    def __init__(self, folder: Path) -> None:
        self.settings = settings_in(folder)
        self.door, desk = free_port(), self.settings.desk
        (folder / "fairgate.toml").write_text(
            f"pack = {self.settings.pack!r}\ndata = {str(self.settings.data)!r}\n[door]\nport = {self.door}\n"
            "[clerk]\nenabled = false\n"
            f"[desk]\nport = {desk.port}\ncompact_seconds = {desk.compact_seconds}\nsql_seconds = 60\n"
        )
        self._output = folder / "output"
        command = [*COMMAND, "serve", "--config", str(folder / "fairgate.toml")]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=output, stderr=output)
        self.sent = 0

    @property
    def output(self) -> str:
        return self._output.read_text()

    @contextmanager
    def clients(self) -> Iterator[tuple[httpx.Client, httpx.Client]]:
        """Clients of the door and of the desk, once both are ready."""
        with client_of(self.door) as door, client_of(self.settings.desk.port) as desk:
            for client in (door, desk):
                until(lambda client=client: self.answers(client))  # type: ignore[misc]
            yield door, desk

    def answers(self, client: httpx.Client) -> bool:
        assert self.process.poll() is None, self.output
        try:
            return client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def decide(self, door: httpx.Client) -> None:
        """Send one more event, which must be decided on."""
        self.sent += 1
        answer = door.post("/v1/decide", content=request(self.sent))
        assert answer.status_code == 200, answer.text
        assert "sequence" in answer.json(), answer.text

    def desk_pid(self) -> int:
        (pid,) = children_of(self.process.pid)
        return pid


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    both = Pair(tmp_path)
    yield both
    both.process.kill()
    both.process.wait()


def test_serve_keeps_a_desk_and_the_door_misses_nothing(pair: Pair) -> None:
    with pair.clients() as (door, desk):
        for _ in range(20):
            pair.decide(door)
        until(lambda: rows(desk, COUNT) == [[20]])
        first = pair.desk_pid()
        workers = children_of(first)
        niceness = [os.getpriority(os.PRIO_PROCESS, pid) for pid in (pair.process.pid, first, *workers)]
        assert {each - niceness[0] for each in niceness[1:]} == {10}
        assert {os.sched_getscheduler(pid) for pid in workers} == {os.SCHED_IDLE, os.SCHED_BATCH}
        os.kill(first, signal.SIGKILL)

        def is_back() -> bool:
            pair.decide(door)
            return pair.answers(desk)

        until(is_back)
        assert pair.desk_pid() != first
        assert not any(map(lives, workers))
        until(lambda: rows(desk, COUNT) == [[pair.sent]])
        assert {"fairgate_desk_up 1.0", "fairgate_desk_starts_total 2.0"} <= set(door.get("/metrics").text.splitlines())
    assert "the desk ended with code -9" in pair.output


def test_the_door_answers_while_a_heavy_query_and_a_backtest_run(pair: Pair) -> None:
    with pair.clients() as (door, desk):
        job = desk.post("/v1/backtests", json={"new": "ai_api"}).json()["job"]
        with ThreadPoolExecutor() as pool:
            heavy = pool.submit(asked, desk, "select sum(a.range * b.range) from range(10000) a, range(10000) b")
            while not heavy.done():
                pair.decide(door)
        assert heavy.result().status_code == 200
        assert ended(desk, job["id"])["job"]["state"] == "done"  # type: ignore[index]
    assert pair.sent > 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_desk_ends_with_the_door(pair: Pair, number: int) -> None:
    with pair.clients():
        desk = pair.desk_pid()
        family = [desk, *children_of(desk)]
    pair.process.send_signal(number)
    assert pair.process.wait(60) == (0 if number == signal.SIGTERM else -number)
    until(lambda: not any(map(lives, family)))


def test_the_door_runs_without_a_desk_that_cannot_start(tmp_path: Path) -> None:
    both = Pair(tmp_path)
    with socket.create_server(("127.0.0.1", both.settings.desk.port)), client_of(both.door) as door:
        try:
            until(lambda: both.answers(door))
            until(lambda: both.output.count("and is started again") >= 2)
            both.decide(door)
            assert "can't be listened at" in both.output
        finally:
            both.process.terminate()
            assert both.process.wait(60) == 0
