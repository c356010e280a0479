"""The door over a real socket: what it answers, when it answers, and how it stops."""

import json
import logging
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairgate.backends.embedded.segments import open_log
from fairgate.domain.event import Event
from fairgate.domain.windows import HOUR
from fairgate.ingest.decode import LARGEST_BATCH, LARGEST_EVENT, MOST_EVENTS
from fairgate.ingest.wire import LONGEST_ID, LONGEST_IDENTIFIER, LONGEST_TEXT, TIME_YEARS
from fairgate.pipeline.online import Answer, Pipeline
from tests.e2e.doors import ENVIRONMENT, ROOT, fairgate, process, serving
from tests.support import BREAKING_SEATS, NOW, body, breaking_log, open_pipeline, request


@dataclass(frozen=True, slots=True)
class Open:
    """A door that is open, and what is behind it."""

    pipeline: Pipeline
    client: httpx.Client
    folder: Path

    def decide(self, raw: bytes) -> Any:  # noqa: ANN401 - parsed JSON
        answer = self.client.post("/v1/decide", content=raw)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def events(self, raw: bytes, content_type: str = "application/json") -> httpx.Response:
        return self.client.post("/v1/events", content=raw, headers={"content-type": content_type})

    def logged(self) -> int:
        """Records that are durable: what another process could read."""
        with open_log(self.folder / "log", read_only=True) as log:
            return log.end()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Open]:
    with open_pipeline(tmp_path) as pipeline, serving(pipeline) as client:
        yield Open(pipeline, client, tmp_path)


# -------------------------------------------------------------------------------------------------------------- answers


def test_a_decision_is_an_action_with_coarse_words(door: Open) -> None:
    assert [door.decide(body(id=str(number))) for number in range(2)] == [
        {"id": "0", "sequence": 1, "action": "allow"}, {"id": "1", "sequence": 2, "action": "allow"}
    ]  # fmt: skip
    third = {"id": "2", "sequence": 3, "action": "challenge", "reasons": ["Many accounts were made in a short time."]}
    assert door.decide(body(id="2")) == third
    assert door.decide(body(id="2")) == {**third, "repeated": True}
    friend = door.decide(body({"account": "friend"}, id="3"))
    assert friend == {"id": "3", "sequence": 4, "action": "allow"}  # the rule fired, and nothing is told of it


def test_a_listed_account_is_told_the_reason_of_the_list(door: Open) -> None:
    door.pipeline.put_in_list("banned", "outcast", NOW + HOUR, "me", "a test")
    told = door.decide(request(1, account="outcast"))
    words = ["Many accounts were made in a short time."]
    assert told == {"id": told["id"], "sequence": 2, "action": "ban", "reasons": words}


def test_a_decision_says_where_something_was_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairgate.language.functions._log", breaking_log)
    with open_pipeline(tmp_path) as pipeline, serving(pipeline) as client:
        answer = client.post("/v1/decide", content=body({"seats": BREAKING_SEATS})).json()
    assert answer == {"id": "1", "sequence": 1, "action": "allow", "degraded": True}


@pytest.mark.parametrize(
    ("content_type", "opening", "between", "closing"),
    [
        ("application/x-ndjson", b"", b"\n", b"\n"),
        ("application/x-ndjson; charset=utf-8", b"\n", b"\r\n\n", b""),
        ("application/cloudevents-batch+json", b"[", b",", b"]"),
        ("application/json", b" [", b",\n", b"]"),
        ("", b"[", b",", b"]"),
    ],
)
def test_events_come_in_batches_of_three_kinds(
    door: Open, content_type: str, opening: bytes, between: bytes, closing: bytes
) -> None:
    bodies = [body(), body({"account": 5}, id="2"), body(), request(3, cost=1.0)]
    answer = door.events(opening + between.join(bodies) + closing, content_type)
    assert answer.status_code == 200
    assert answer.json() == {
        "accepted": 3,
        "refused": 1,
        "results": [
            {"id": "1", "sequence": 1, "action": "allow"},
            {
                "id": "2",
                "error": {
                    "code": "mistyped", "reason": "data.account: expected `str`, got `int`", "field": "data.account"
                },
            },
            {"id": "1", "sequence": 1, "action": "allow", "repeated": True},
            {"id": "r3", "sequence": 2, "action": "allow"},
        ],
    }  # fmt: skip
    assert door.pipeline.refused == {"mistyped": 1}


def test_one_event_may_come_by_itself(door: Open) -> None:
    answer = door.events(body(), "application/cloudevents+json")
    assert (answer.status_code, answer.json()["results"]) == (200, [{"id": "1", "sequence": 1, "action": "allow"}])


def test_no_events_are_no_fault(door: Open) -> None:
    for raw, content_type in ((b"[]", "application/json"), (b"", "application/x-ndjson")):
        answer = door.events(raw, content_type)
        assert (answer.status_code, answer.json()) == (200, {"accepted": 0, "refused": 0, "results": []})


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"{", 400, "malformed"),
        (b"", 400, "malformed"),
        (b"\xff", 400, "malformed"),
        (body(type="nothing"), 422, "unknown_type"),
        (body({"account": None}), 422, "missing"),
        (body({"account": "a\0"}), 422, "invalid"),
        (body(time="1999-01-01T00:00:00Z"), 422, "late"),
        (body({"plan": "x" * LARGEST_EVENT}), 413, "too_large"),
    ],
)
def test_what_is_not_taken_has_a_status_a_code_and_a_reason(door: Open, raw: bytes, status: int, code: str) -> None:
    for answer in (door.client.post("/v1/decide", content=raw), door.events(raw)):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/json"
        found = answer.json()
        error = found["error"] if "error" in found else found["results"][0]["error"]
        assert error["code"] == code
        assert error["reason"]
    assert door.logged() == 1


def test_nothing_taken_of_several_is_an_error_too(door: Open) -> None:
    assert door.events(b"{\n{", "application/x-ndjson").status_code == 400
    assert door.events(b"{\n" + body(type="nothing"), "application/x-ndjson").status_code == 422


def test_sizes_are_bounded_whether_they_are_announced_or_not(door: Open) -> None:
    def pieces(size: int) -> Iterator[bytes]:
        for _ in range(size // 4096 + 1):
            yield b" " * 4096

    for path, limit in (("/v1/decide", LARGEST_EVENT), ("/v1/events", LARGEST_BATCH)):
        announced = door.client.post(path, content=b" " * (limit + 1))
        chunked = door.client.post(path, content=pieces(limit))
        for answer in (announced, chunked):
            assert answer.status_code == 413
            assert answer.json()["error"]["code"] == "too_large"
            assert f"{limit:,}" in answer.json()["error"]["reason"]
    assert door.decide(body())["sequence"] == 1


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/", 404, None),
        ("POST", "/v1/decide/", 404, None),
        ("GET", "/v1/decide", 405, "POST"),
        ("PUT", "/v1/events", 405, "POST"),
        ("POST", "/readyz", 405, "GET"),
        ("GET", "/healthz", 200, None),
        ("GET", "/readyz", 200, None),
        ("GET", "/readyz?x=%ff", 200, None),
        ("GET", "/%ff%00%e2%80%ae", 404, None),
    ],
)
def test_paths_and_methods(door: Open, method: str, path: str, status: int, allow: str | None) -> None:
    answer = door.client.request(method, path)
    assert answer.status_code == status
    assert answer.headers.get("allow") == allow
    assert "status" in answer.json() or answer.json()["error"]["reason"]


def test_a_client_that_hangs_up_leaves_nothing_behind(door: Open) -> None:
    port = door.client.base_url.port
    with socket.create_connection(("127.0.0.1", port or 0)) as connection:
        connection.sendall(b"POST /v1/decide HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n" + body()[:100])
        time.sleep(0.05)
    assert door.decide(body())["sequence"] == 1
    assert door.pipeline.refused == {}


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


def test_an_error_while_deciding_stops_the_door(
    door: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    door.decide(body())
    monkeypatch.setattr(door.pipeline.engine.rows, "advance", lambda *_: 1 / 0)
    for raw in (body(id="2"), body(), b"{"):
        for path in ("/v1/decide", "/v1/events"):
            answer = door.client.post(path, content=raw)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "stopped")
    assert door.client.get("/readyz").status_code == 503
    assert door.client.get("/healthz").status_code == 200
    told = [record for record in caplog.records if "the door has stopped" in record.message]
    assert len(told) == 1
    assert told[0].exc_info is not None
    assert told[0].exc_info[0] is ZeroDivisionError


def test_a_failed_commit_is_no_answer_and_stops_the_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    pipelines = open_pipeline(tmp_path)
    pipeline = pipelines.__enter__()
    with serving(pipeline) as client:
        monkeypatch.setattr("os.fdatasync", fail)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda number: client.post("/v1/decide", content=request(number)), range(16)))
        assert {answer.status_code for answer in answers} == {503}
        assert client.get("/readyz").status_code == 503
    monkeypatch.undo()
    with pytest.raises(Exception, match="Input/output error"):
        pipelines.__exit__(None, None, None)


def test_a_fault_outside_the_pipeline_fails_one_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def listen(taken: object, outcome: object) -> None:
        assert isinstance(taken, Event)
        assert isinstance(outcome, Answer)
        seen.append(taken.id)
        if taken.id == "2":
            raise ZeroDivisionError

    with open_pipeline(tmp_path) as pipeline, serving(pipeline, on_taken=listen) as client:
        statuses = [client.post("/v1/decide", content=body(id=name)).status_code for name in ("1", "2", "3")]
        assert statuses == [200, 500, 200]
        assert client.get("/readyz").status_code == 200
    assert seen == ["1", "2", "3"]
    assert "a request failed" in caplog.text


def test_a_graceful_stop_leaves_a_snapshot(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as pipeline, serving(pipeline) as client:
        client.post("/v1/decide", content=body()).raise_for_status()
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == [f"{2:020d}"]


def test_snapshots_are_made_on_the_way_and_their_failure_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def ask(client: httpx.Client, first: int) -> None:
        for number in range(first, first + 25):
            client.post("/v1/decide", content=request(number)).raise_for_status()

    with open_pipeline(tmp_path) as pipeline, serving(pipeline, snapshot_events=10) as client:
        ask(client, 0)
        made = sorted(int(path.name) for path in (tmp_path / "snapshots").iterdir() if path.name.isdigit())
        assert made
        assert 11 <= made[0] <= 25
        monkeypatch.setattr(pipeline, "keep", lambda _snapshot: 1 / 0)
        with caplog.at_level(logging.ERROR):
            ask(client, 25)
        assert "no snapshot could be made" in caplog.text
        assert client.get("/readyz").status_code == 200


def test_the_reference_page_has_every_limit_and_code() -> None:
    page = (ROOT / "docs" / "reference" / "http.md").read_text()
    limits = (
        f"{LARGEST_EVENT // 1024} KiB",
        f"{LARGEST_BATCH >> 20} MiB",
        f"{MOST_EVENTS:,} events",
        f"{LONGEST_ID} characters",
        f"{LONGEST_IDENTIFIER} characters",
        f"{LONGEST_TEXT:,} characters",
        "the years {} to {}".format(*TIME_YEARS),
    )
    assert [each for each in limits if each not in page] == []
    codes = {"malformed", "too_large", "missing", "mistyped", "unknown_type", "invalid", "ahead", "late"}
    assert {
        each for each in codes | {"failed", "stopped", "not_found", "method_not_allowed"} if f"`{each}`" not in page
    } == set()


# ------------------------------------------------------------------------------------------------------------ processes


def test_fairgate_serve_from_start_to_stop(tmp_path: Path) -> None:
    with process(tmp_path) as first:
        with first.ready() as client:
            answer = client.post("/v1/decide", content=body()).json()
            assert answer == {"id": "1", "sequence": 1, "action": "allow"}
            second = fairgate("serve", "--pack", tmp_path / "pack", "--data", tmp_path / "data", "--port", "0")
            assert second.returncode == 1
            assert f"process {first.pid} is writing to it" in second.stderr
            assert "Traceback" not in second.stderr
            beside = fairgate("log", "verify", tmp_path / "data", "--decisions")
            assert (beside.returncode, beside.stderr) == (0, "")
            assert "1 events decided again" in beside.stdout
        assert first.signal(signal.SIGTERM) == 0
        assert first.output() == ""
    assert [path.name for path in (tmp_path / "data" / "snapshots").iterdir()] == [f"{2:020d}"]
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o777 == 0o600


def test_log_verify_tells_the_first_decision_that_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_pipeline(tmp_path / "data") as pipeline:
        pipeline.take(
            [
                pipeline.decoder.single(request(number, f"a{number}", cost=9, ip="192.0.2.1"), NOW)
                for number in range(20)
            ]
        )
        pipeline.commit()
    without = fairgate("log", "verify", tmp_path / "data", "--decisions")
    assert without.returncode == 1
    assert "set FAIRGATE_SECRET" in without.stderr
    monkeypatch.setitem(ENVIRONMENT, "FAIRGATE_SECRET", "1")
    wrong = fairgate("log", "verify", tmp_path / "data", "--decisions")
    assert wrong.returncode == 1
    lines = wrong.stdout.splitlines()
    assert lines[1:3] == ["sound", "20 events decided again, under 1 packs going live"]
    assert "differ; the first is record" in lines[3]
    assert json.loads(lines[4].split(" is recorded as ")[1]) != json.loads(lines[5].split(" comes out as ")[1])
