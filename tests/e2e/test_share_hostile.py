"""Whatever is sent to the share's sidecar, it is refused with a clear word, counts nothing, and harms nobody."""

import socket
from collections.abc import Iterator

import pytest

from tests.e2e.shares import OpenShare, pool, settings_for, sharing


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenShare]:
    """A sidecar for all that is refused."""
    with sharing(settings_for(tmp_path_factory.mktemp("hostile"), pool(capacity=2_000))) as opened:
        yield opened


GOOD: dict[str, object] = {"account": "a", "model": "m", "input_tokens": 1, "max_output": 1}
#: What is no number of tokens.
ODD: tuple[object, ...] = (-1, 1.5, 10**10, 10**40, "1", True, None, [], {})
#: Path, body, and the field that is at fault.
BAD: list[tuple[str, object, str]] = [
    *(("acquire", GOOD | {name: value}, name) for name in ("input_tokens", "max_output") for value in ODD),
    *(("acquire", GOOD | {"deadline_ms": value}, "deadline_ms") for value in (-1, 600_001, "5", 1.5)),
    *(("acquire", GOOD | {"account": value}, "account") for value in ("", "a" * 257, 5, None, ["a"])),
    ("acquire", GOOD | {"model": ""}, "model"),
    ("acquire", GOOD | {"tenant": "b"}, ""),
    ("acquire", {"account": "a"}, ""),
    ("acquire", [GOOD], ""),
    ("settle", {"grant": "x", "input": -1, "output": 0}, "input"),
    ("settle", {"grant": "x", "input": 0, "output": 2e9}, "output"),
    ("settle", {"grant": "x", "input": 0, "output": 0, "gpu_seconds": -0.5}, "gpu_seconds"),
    ("settle", {"grant": "", "input": 0, "output": 0}, "grant"),
    ("charge", {"grant": "x", "output": -1}, "output"),
    ("charge", [{"grant": "x", "output": -1}], "[0].output"),
    ("abort", {"grant": "x", "output": "many"}, "output"),
    *(("principal", {"account": "a", "reason": "r", name: value}, name) for name, value in (
        ("trust", 1.1), ("trust", -0.1), ("p_link", 2), ("paid", -1), ("ceil", 1.5), ("ceil", "0.5"),
        ("cluster", ""), ("newcomer", 1), ("version", -1), ("version", 1.5),
    )),
    ("principal", {"account": "a", "trust": 0.5}, ""),
    ("principal", {"account": "a", "reason": "   "}, "reason"),
    ("principal", {"account": "a", "reason": "line\nline"}, "reason"),
    ("capacity", {"pool": "default", "capacity": -1, "reason": "r"}, "capacity"),
    ("capacity", {"pool": "default", "capacity": 1e16, "reason": "r"}, "capacity"),
    ("capacity", {"pool": "default", "capacity": 5}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("what", "body", "field"), BAD)
def test_what_can_not_be_meant_is_refused_and_named(hostile: OpenShare, what: str, body: object, field: str) -> None:
    before = hostile.pool()
    answer = hostile.client.post(f"/v1/share/{what}", json=body)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] in {"invalid", "no_reason"}
    assert error.get("field", "") == field
    assert error["reason"]
    after = hostile.pool()
    assert (after["used"], after["in_flight"]) == (before["used"], before["in_flight"])


def test_more_from_a_cache_than_was_read_is_refused_and_ends_nothing(hostile: OpenShare) -> None:
    grant = hostile.granted()
    answer = hostile.post("settle", grant=grant, input=10, output=1, cached=11)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid")
    assert hostile.post("settle", grant=grant, input=10, output=1, cached=10).json() == {"settled": True}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"\xff\xfe",
        b'{"account":"\xff"}',
        b"[" * 4_000,
        b'{"input_tokens":NaN}',
        b"9" * 5_000,
        b'"a"',
    ],
)
@pytest.mark.parametrize("what", ["acquire", "charge", "settle", "abort", "principal", "capacity"])
def test_what_is_no_body_is_refused(hostile: OpenShare, what: str, body: bytes) -> None:
    answer = hostile.client.post(f"/v1/share/{what}", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) in {(400, "malformed"), (400, "invalid")}, answer.text
    assert hostile.client.get("/healthz").status_code == 200


def test_a_reason_never_repeats_what_was_sent(hostile: OpenShare) -> None:
    secret = "sk-do-not-repeat"
    for body in (GOOD | {secret: 1}, GOOD | {"account": secret * 100}, GOOD | {"input_tokens": secret}):
        assert secret not in hostile.client.post("/v1/share/acquire", json=body).text


def test_bodies_paths_and_methods_are_bounded(hostile: OpenShare) -> None:
    large = hostile.client.post("/v1/share/acquire", content=b" " * 9_000)
    assert (large.status_code, large.json()["error"]["code"]) == (413, "too_large")
    assert hostile.client.post("/v1/share/charge", content=b" " * (1 << 21)).status_code == 413
    assert hostile.client.post("/v1/share/nothing", json={}).status_code == 404
    wrong = hostile.client.get("/v1/share/acquire")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert hostile.client.post("/v1/share/state").status_code == 405
    with socket.create_connection(("127.0.0.1", hostile.port)) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert b"400" in connection.recv(100)
    with socket.create_connection(("127.0.0.1", hostile.port)) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n" + b"a: b\r\n" * 100 + b"\r\n")
        assert b"431" in connection.recv(100)
