"""Clients that mean harm, over real sockets: each gets a named answer or none, others go on, memory is bounded."""

import contextlib
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fairgate.entrypoints.door.connection import LARGEST_HEAD, MOST_HEADERS
from fairgate.ingest.decode import LARGEST_BATCH, LARGEST_EVENT
from tests.e2e.doors import Process, client_of, process
from tests.support import body, request

CONNECTIONS = 200
#: The statuses that a hostile client may see; of 5xx there is none among them.
NAMED = {200, 400, 404, 405, 408, 413, 422, 429, 431}
SETTINGS = f"body_seconds = 1.0\nconnections = {CONNECTIONS}\nqueue_megabytes = 17\nexpected_keys = 1000\n"
POST = b"POST /v1/decide HTTP/1.1\r\nhost: localhost\r\n"
#: What the server may grow by in all of a test, in MiB: much less than what is sent to it.
MOST_GROWTH = 150


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with process(tmp_path_factory.mktemp("hostile"), SETTINGS) as started:
        with started.ready() as client:
            client.post("/v1/events", content=body()).raise_for_status()
        yield started
        assert "Traceback" not in started.output()


@pytest.fixture
def watched(door: Process) -> Iterator[Process]:
    """The door; it must be as well as ever after the test, and not have grown much."""
    Path(f"/proc/{door.pid}/clear_refs").write_text("5")  # the most it has had counts from here on
    before = resident(door.pid)
    yield door
    with client_of(door.port) as client:
        assert client.get("/readyz").status_code == 200
        assert client.post("/v1/decide", content=request(time.monotonic_ns())).status_code == 200
    grown = resident(door.pid) - before
    sys.stdout.write(f"the server grew by {grown:.1f} MiB\n")
    assert grown < MOST_GROWTH


def resident(pid: int) -> float:
    """MiB of memory that a process has at most had."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match
    return int(match[1]) / 1024


@contextlib.contextmanager
def connected(door: Process) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", door.port), timeout=20) as connection:
        yield connection


def received(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def statuses(answer: bytes) -> list[int]:
    return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d+) ", answer)]


def asked(door: Process, raw: bytes) -> bytes:
    """What comes back on a connection that is closed at the latest after its time is up."""
    with connected(door) as connection:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(raw)
        return received(connection)


def code_of(answer: bytes) -> str:
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"])


# -------------------------------------------------------------------------------------------------------- slow and long


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"POST /v1", "slow"),
        (POST + b"x-slow: 1\r\n", "slow"),
        (POST + b"content-length: 500\r\n\r\n" + b"{", "slow"),
        (POST + b'transfer-encoding: chunked\r\n\r\n5\r\n{"a":\r\n', "slow"),
        (POST + b"transfer-encoding: chunked\r\n\r\n0\r\nx-trailer: 1\r\n", "slow"),
        (POST + b"expect: 100-continue\r\ncontent-length: 500\r\n\r\n", "slow"),
        (POST + b"x: " + b"a" * (2 * LARGEST_HEAD), "head_too_large"),
        (b"GET /" + b"a" * (2 * LARGEST_HEAD), "head_too_large"),
        (POST + b"x: 1\r\n" * (MOST_HEADERS + 1), "head_too_large"),
        (POST + b"x: 1\r\n" * MOST_HEADERS + b"\r\n", "head_too_large"),
    ],
)  # fmt: skip
def test_a_request_that_does_not_end_is_ended(watched: Process, sent: bytes, code: str) -> None:
    answer = asked(watched, sent).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert statuses(answer) == [408 if code == "slow" else 431]
    assert code_of(answer) == code
    assert b"connection: close" in answer


def test_a_connection_that_says_nothing_is_closed(watched: Process) -> None:
    with connected(watched) as connection:
        assert statuses(received(connection)) in ([], [408])


def test_a_request_that_drips_is_ended_and_disturbs_nobody(watched: Process) -> None:
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for byte in POST + b"content-length: 100000\r\n\r\n" + b" " * 100_000:
                connection.sendall(bytes([byte]))
                if ended.wait(0.02):
                    return

    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connected(watched)) for _ in range(CONNECTIONS // 2)]
        threads = [threading.Thread(target=drip, args=(each,)) for each in connections[:20]]
        for thread in threads:
            thread.start()
        with client_of(watched.port) as client:
            for number in range(20):
                assert client.post("/v1/decide", content=request(number)).status_code == 200
        answers = [received(each) for each in connections]
        ended.set()
        for thread in threads:
            thread.join(20)
    assert {status for answer in answers for status in statuses(answer)} <= {408}


def test_a_client_that_takes_no_answers_is_cut_off(watched: Process) -> None:
    lines = b"\n".join(body(id=f"unread{number}") for number in range(5_000))
    head = (
        b"POST /v1/events HTTP/1.1\r\nhost: localhost\r\n"
        b"content-type: application/x-ndjson\r\ncontent-length: %d\r\n\r\n"
    )
    with connected(watched) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(1)
        began = time.monotonic()
        with contextlib.suppress(OSError):
            for _ in range(60):
                connection.sendall(head % len(lines) + lines)
        until_cut_off(connection)
        assert time.monotonic() - began < 60


def until_cut_off(connection: socket.socket) -> None:
    """Send on until the server has ended the connection."""
    connection.settimeout(None)
    for _ in range(600):
        try:
            connection.send(b"x", socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
        except OSError:
            return
        time.sleep(0.1)
    pytest.fail("the connection was never ended")


# ----------------------------------------------------------------------------------------------------------------- huge


def test_huge_bodies_are_refused_and_held_by_nobody(watched: Process) -> None:
    piece = b" " * 65_536

    def endless(path: bytes) -> None:
        with connected(watched) as connection, contextlib.suppress(OSError):
            connection.sendall(b"POST " + path + b" HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(640):
                connection.sendall(b"10000\r\n" + piece + b"\r\n")

    paths = [b"/v1/decide", b"/v1/events", b"/v1/events", b"/v1/events", b"/healthz", b"/nowhere"]
    threads = [threading.Thread(target=endless, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("head", "sent", "expected"),
    [
        (b"content-length: 99999999999999\r\n", b"{}", [413]),
        (b"content-length: 18446744073709551616\r\n", b"{}", [400]),
        (b"content-length: -5\r\n", b"{}", [400]),
        (b"content-length: 5, 5\r\n", b"{}", [400]),
        (b"content-length: 2\r\ncontent-length: 3\r\n", b"{}", [400]),
        (b"content-length: 2\r\ntransfer-encoding: chunked\r\n", b"{}", [400]),
        (b"transfer-encoding: gzip\r\n", b"{}", [400]),
        (b"transfer-encoding: chunked\r\n", b"fffffffffffffffff\r\n", [400]),
        (b"transfer-encoding: chunked\r\n", b"xyz\r\n", [400]),
        (b"content-length: 2\r\nconnection: close\r\n", b"{}", [422]),
        (b"content-length: 2\r\n", b"{}rubbish", [422]),
        (b"content-length: 2\r\n", b"{}\x16\x03\x01\x02\x00\x01", [422]),
        (b"a b: c\r\n", b"", [400]),
        (b"a\0b: c\r\n", b"", [400]),
        (b"content-length: 0\r\nconnection: upgrade\r\nupgrade: websocket\r\n", b"", [400]),
    ],
)
def test_heads_that_lie_are_answered_by_name(watched: Process, head: bytes, sent: bytes, expected: list[int]) -> None:
    assert statuses(asked(watched, POST + head + b"\r\n" + sent)) == expected


def test_trailers_are_not_kept(watched: Process) -> None:
    with connected(watched) as connection, contextlib.suppress(OSError):
        connection.sendall(POST + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
        for _ in range(200):
            connection.sendall(b"a:b\r\n" * 50_000)


# ------------------------------------------------------------------------------------------------------------- nonsense


@pytest.mark.parametrize("deep", [b"[" * 60_000, b'{"a":' * 12_000, b'{"data":' + b"[" * 50_000])
def test_json_that_is_nested_too_deeply(watched: Process, deep: bytes) -> None:
    with client_of(watched.port) as client:
        assert client.post("/v1/decide", content=deep).status_code in {400, 422}
        assert client.post("/v1/events", content=deep * 20).status_code in {400, 413}


def test_rubbish_on_many_connections(watched: Process) -> None:
    seen = set()
    for number in range(200):
        seen |= set(statuses(asked(watched, os.urandom(200) + b"\r\n\r\n" if number % 2 else b"\r\n\r\nGET\r\n\r\n")))
    assert seen <= NAMED


def test_requests_sent_ahead_are_answered_in_order(watched: Process) -> None:
    raws = [request(10_000_000 + number) for number in range(300)]
    sent = b"".join(POST + b"content-length: %d\r\n\r\n" % len(raw) + raw for raw in raws)
    answer = asked(watched, sent + b"rubbish\r\n\r\n")
    found = [json.loads(each)["id"] for each in re.findall(rb"\{[^\r\n]*\"sequence\"[^\r\n]*?\}(?=HTTP|$)", answer)]
    assert found == [json.loads(raw)["id"] for raw in raws]
    assert set(statuses(answer)[:300]) == {200}
    assert set(statuses(answer)[300:]) <= {400}


# ---------------------------------------------------------------------------------------------------------- connections


def test_thousands_of_connections_come_and_go(watched: Process) -> None:
    raw = request(1)
    whole = POST + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(raw) + raw
    seen = set()
    for number in range(3_000):
        with connected(watched) as connection, contextlib.suppress(OSError):
            match number % 4:
                case 0:
                    connection.sendall(whole)
                    seen |= set(statuses(received(connection)))
                case 1:
                    connection.sendall(whole[:-5])
                case 2:
                    connection.sendall(whole)  # and away, before the answer
                case _:
                    pass
    assert seen == {200}


def test_connections_beyond_the_bound_are_turned_away(watched: Process) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(client_of(watched.port)) for _ in range(CONNECTIONS + 20)]
        found = []
        for client in clients:
            try:
                found.append(client.get("/healthz").status_code)
            except httpx.TransportError:
                found.append(429)  # it was told, and closed, before it had asked
        assert CONNECTIONS - 5 <= found.count(200) <= CONNECTIONS  # one of before may not have been let go yet
        assert set(found) == {200, 429}


def test_the_bounds_stand_in_the_reference() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "http.md").read_text()
    limits = (f"{LARGEST_HEAD // 1024} KiB", f"{MOST_HEADERS} headers", f"{LARGEST_EVENT // 1024} KiB")
    assert [each for each in (*limits, f"{LARGEST_BATCH >> 20} MiB") if each not in page] == []
    assert [each for each in ("408", "413", "429", "431") if f"| {each} |" not in page] == []
