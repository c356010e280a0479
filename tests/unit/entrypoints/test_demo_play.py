"""The demo's caller against a stand-in for the door: every event is asked about, and what is answered is done."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fairgate.domain.errors import DoorFailed
from fairgate.domain.event import microseconds
from fairgate.domain.windows import DAY
from fairgate.entrypoints.demo_play import Caller, Played
from fairgate.simulate.acts import Seen
from fairgate.simulate.clock import PlayClock
from fairgate.simulate.operator import Entry
from fairgate.simulate.service import Done, Reviewed
from fairgate.simulate.world_file import Release
from tests.unit.simulate.worlds import world_of

SEED = 7


class StandIn:
    """Answers each request with the status and action that the test says for it, and notes it with its time."""

    def __init__(self, clock: PlayClock) -> None:
        self.clock = clock
        self.asked: list[tuple[str, str, dict[str, Any], int]] = []
        self.says: Callable[[dict[str, Any]], tuple[int, str]] = lambda _: (200, "allow")
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: object) -> None:
                pass

            def answer(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                stand_in.asked.append((self.command, self.path, body, stand_in.clock.now()))
                status, action = stand_in.says(body)
                text = json.dumps({"id": "x", "sequence": 1, "action": action}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_POST = do_PUT = answer  # noqa: N815 - the names that the server looks for

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]


@pytest.fixture
def played(tmp_path: Path) -> Played:
    return Played(world_of(tmp_path), 1, SEED)


@pytest.fixture
def door(played: Played) -> Iterator[StandIn]:
    stand_in = StandIn(PlayClock(played.world.begins))
    thread = threading.Thread(target=stand_in.server.serve_forever, args=(0.01,))
    thread.start()
    yield stand_in
    stand_in.server.shutdown()
    thread.join()
    stand_in.server.server_close()


def caller(played: Played, door: StandIn) -> tuple[Caller, list[Done]]:
    told: list[Done] = []

    def tell(each: Done | Reviewed | Entry) -> None:
        if isinstance(each, Done):
            told.append(each)

    return Caller(played, door.clock, tell), told


def test_every_event_is_asked_about_when_it_is_its_time(played: Played, door: StandIn) -> None:
    calls, told = caller(played, door)
    calls.play(door.port)
    assert [msgspec.json.encode(body) for *_, body, _ in door.asked] == [each.raw for each in told]
    assert len(told) > 100
    assert {(method, path) for method, path, *_ in door.asked} == {("POST", "/v1/decide")}
    for _, _, body, clock in door.asked:
        assert 0 <= clock - microseconds(msgspec.convert(body["time"], type=datetime)) < 1_000


def test_what_is_answered_is_done(played: Played, door: StandIn) -> None:
    door.says = lambda body: (200, "suspend" if body["type"] == "api.request" else "allow")
    calls, told = caller(played, door)
    calls.play(door.port)
    asked = [each for each in told if each.act.type == "api.request"]
    assert asked
    assert {each.seen for each in asked} == {Seen.CLOSED}
    assert {each.seen for each in told if each.event and each.act.type == "account.login"} <= {Seen.SERVED}


def test_what_the_door_refuses_is_let_through(played: Played, door: StandIn) -> None:
    door.says = lambda body: (422 if body["type"] == "api.request" else 200, "allow")
    calls, told = caller(played, door)
    calls.play(door.port)
    assert {each.seen for each in told} == {Seen.SERVED}


def test_any_other_answer_ends_it(played: Played, door: StandIn) -> None:
    door.says = lambda _: (500, "")
    with pytest.raises(DoorFailed, match="The door answered 500"):
        caller(played, door)[0].play(door.port)
    assert len(door.asked) == 1


def test_it_ends_when_told_to(played: Played, door: StandIn) -> None:
    calls, told = caller(played, door)

    def says(_: dict[str, Any]) -> tuple[int, str]:
        calls.stop()
        return 200, "allow"

    door.says = says
    calls.play(door.port)
    assert len(door.asked) == len(told) == 1


def test_a_new_model_is_entered_on_its_day(played: Played, door: StandIn) -> None:
    world = msgspec.structs.replace(played.world.world, release=(Release(day=1, model="new/1"),))
    later = replace(played, world=replace(played.world, world=world), days=2)
    calls, _ = caller(later, door)
    calls.play(door.port)
    [(at, clock)] = [(at, clock) for at, (method, *_, clock) in enumerate(door.asked) if method == "PUT"]
    assert door.asked[at][1:3] == ("/v1/lists/new_models/new%2F1", {"for": "14d", "why": "it is out today"})
    assert clock >= played.world.begins + DAY
    assert all(time < played.world.begins + DAY for *_, time in door.asked[:at])


def test_a_clock_stands_until_it_is_set_and_never_goes_back() -> None:
    clock = PlayClock(5)
    assert clock.now() == clock.now() == 5
    clock.set(9)
    clock.set(7)
    assert clock.now() == 9
    clock.run()
    first = clock.now()
    assert first >= 9
    while clock.now() == first:
        pass
    assert clock.now() > first
