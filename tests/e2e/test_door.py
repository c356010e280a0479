"""The door over a real socket: what it answers, when it answers, and how it stops."""

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fairgate.domain.windows import HOUR
from fairgate.ingest.decode import LARGEST_BATCH, LARGEST_EVENT, MOST_EVENTS
from fairgate.ingest.wire import LONGEST_ID, LONGEST_IDENTIFIER, LONGEST_TEXT, TIME_YEARS
from tests.e2e.doors import ROOT, Open, application, serving
from tests.support import BREAKING_SEATS, NOW, body, breaking_log, open_pipeline, request


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Open]:
    with open_pipeline(tmp_path) as pipeline, serving(application(pipeline)) as client:
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
    with open_pipeline(tmp_path) as pipeline, serving(application(pipeline)) as client:
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


def test_a_request_is_followed_where_traces_are_wanted(tmp_path: Path) -> None:
    traced = Traced()
    with open_pipeline(tmp_path) as pipeline, serving(application(pipeline, traces=traced)) as client:
        client.post("/v1/decide", content=body(), headers={"traceparent": "00-1"})
        client.post("/v1/events", content=b"[" + body() + b"," + body(id="2") + b"]")
        client.get("/v1/nothing/at/all")
        client.post("/v1/decide", content=b"{")
    parts = ["decide 1", "commit 1"]
    assert traced.told == [
        ("/v1/decide", b"00-1", [*parts, "200"]),
        ("/v1/events", None, ["decide 2", "commit 2", "200"]),
        ("/v1/decide", None, [*parts, "400"]),
    ]


@dataclass
class Traced:
    """Notes what it is told of each request: its route, its caller, its parts and its end."""

    told: list[tuple[str, bytes | None, list[str]]] = field(default_factory=list)

    def request(self, route: str, traceparent: bytes | None) -> "OneTraced":
        self.told.append((route, traceparent, []))
        return OneTraced(self.told[-1][2])


@dataclass
class OneTraced:
    parts: list[str]

    def part(self, name: str, events: int = 0) -> contextlib.nullcontext[None]:
        self.parts.append(f"{name} {events}")
        return contextlib.nullcontext()

    def end(self, status: int) -> None:
        self.parts.append(str(status))


def test_a_client_that_hangs_up_leaves_nothing_behind(door: Open) -> None:
    port = door.client.base_url.port
    with socket.create_connection(("127.0.0.1", port or 0)) as connection:
        connection.sendall(b"POST /v1/decide HTTP/1.1\r\nhost: localhost\r\ncontent-length: 500\r\n\r\n" + body()[:100])
        time.sleep(0.05)
    assert door.decide(body())["sequence"] == 1
    assert door.pipeline.refused == {}


# ----------------------------------------------------------------------------------------------------------- reference


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
    codes = {
        "bad_deadline",
        "unknown_call_site",
        "bad_request",
        "slow",
        "busy",
        "head_too_large",
        "no_key",
        "scope_missing",
    }
    codes |= {"malformed", "too_large", "missing", "mistyped", "unknown_type", "invalid", "ahead", "late"}
    assert {
        each for each in codes | {"failed", "stopped", "not_found", "method_not_allowed"} if f"`{each}`" not in page
    } == set()
