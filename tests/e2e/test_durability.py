"""When the door answers, and what stops it: over a real socket, around a pipeline that the test holds."""

import itertools
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from fairgate.domain.event import Event
from fairgate.pipeline.online import Answer
from fairgate.settings import DoorSettings, Settings
from tests.e2e.doors import Open, application, serving, wait_until
from tests.support import body, open_pipeline, request


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Open]:
    with open_pipeline(tmp_path) as pipeline, serving(application(pipeline)) as client:
        yield Open(pipeline, client, tmp_path)


# ----------------------------------------------------------------------------------------------------------- durability


def test_no_answer_comes_before_its_record_is_durable(door: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def wait(_descriptor: int) -> None:
        reached.set()
        go_on.wait(30)

    monkeypatch.setattr("os.fdatasync", wait)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(door.decide, body())
        assert reached.wait(30)
        repeated, batch = pool.submit(door.decide, body()), pool.submit(door.events, body(id="2"))
        assert door.client.get("/healthz").status_code == 200  # deciding goes on while the disk works
        time.sleep(0.2)
        assert not any(each.done() for each in (first, repeated, batch))
        go_on.set()
        assert first.result(30)["sequence"] == 1
        assert repeated.result(30) == {"id": "1", "sequence": 1, "action": "allow", "repeated": True}
        assert batch.result(30).json()["accepted"] == 1
    assert door.logged() == 3


def test_requests_that_come_together_share_a_commit(door: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = []

    def slowly(_descriptor: int) -> None:
        commits.append(door.pipeline.engine.counts.events)
        time.sleep(0.05)

    monkeypatch.setattr("os.fdatasync", slowly)
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda number: door.decide(request(number)), range(96)))
    assert sorted(answer["sequence"] for answer in answers) == list(range(1, 97))
    assert len(commits) <= 24
    assert door.logged() == 97


# ---------------------------------------------------------------------------------------------------------------- stops


def test_an_error_while_deciding_stops_decisions(
    door: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    door.decide(body())
    monkeypatch.setattr(door.pipeline.engine.rows, "advance", lambda *_: 1 / 0)
    for raw in (body(id="2"), body()):
        name = json.loads(raw)["id"]
        assert door.decide(raw) == {"id": name, "action": "allow", "degraded": True, "policy": "default"}
        answer = door.events(raw)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "stopped")
        assert 1 <= int(answer.headers["retry-after"]) <= 3
    assert door.client.post("/v1/decide", content=b"{").status_code == 400
    assert door.client.get("/readyz").status_code == 503
    assert door.client.get("/healthz").status_code == 200
    assert 'fairgate_fallbacks_total{call_site="default",why="disk"} 2.0' in door.client.get("/metrics").text
    told = [record for record in caplog.records if "nothing is decided" in record.message]
    assert len(told) == 1
    assert told[0].exc_info is not None
    assert told[0].exc_info[0] is ZeroDivisionError


def test_a_fault_outside_the_pipeline_fails_one_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def listen(taken: object, outcome: object) -> None:
        assert isinstance(taken, Event)
        assert isinstance(outcome, Answer)
        seen.append(taken.id)
        if taken.id == "2":
            raise ZeroDivisionError

    with open_pipeline(tmp_path) as pipeline, serving(application(pipeline, on_taken=listen)) as client:
        statuses = [client.post("/v1/decide", content=body(id=name)).status_code for name in ("1", "2", "3")]
        assert statuses == [200, 500, 200]
        assert client.get("/readyz").status_code == 200
    assert seen == ["1", "2", "3"]
    assert "a request failed" in caplog.text


def test_a_graceful_stop_leaves_a_snapshot(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as pipeline, serving(application(pipeline)) as client:
        client.post("/v1/decide", content=body()).raise_for_status()
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == [f"{2:020d}"]


def test_snapshots_are_made_on_the_way_and_their_failure_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = itertools.count()

    def until(holds: Callable[[], bool], client: httpx.Client) -> None:
        """Ask on until that holds: while one snapshot is being made, no other is begun."""

        def asked() -> bool:
            client.post("/v1/decide", content=request(next(numbers))).raise_for_status()
            return holds()

        wait_until(asked)

    def made() -> list[int]:
        return sorted(int(path.name) for path in (tmp_path / "snapshots").iterdir() if path.name.isdigit())

    with (
        open_pipeline(tmp_path) as pipeline,
        serving(application(pipeline, settings=Settings(door=DoorSettings(port=0, snapshot_events=10)))) as client,
    ):
        until(lambda: bool(made()), client)
        assert made()[0] >= 11
        monkeypatch.setattr(pipeline, "keep", lambda _snapshot: 1 / 0)
        with caplog.at_level(logging.ERROR):
            until(lambda: "no snapshot was made" in caplog.text, client)
        assert client.get("/readyz").status_code == 200
