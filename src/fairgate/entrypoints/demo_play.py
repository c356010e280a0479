"""The other team's side of the demo: a world that is played, each of whose events is a request to the door."""

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import msgspec

from fairgate.domain.action import ACTIONS
from fairgate.domain.errors import DoorFailed
from fairgate.domain.windows import DAY
from fairgate.entrypoints.door.answers import Decided
from fairgate.entrypoints.door.changes import PutEntry
from fairgate.simulate.clock import PlayClock
from fairgate.simulate.operator import Entry
from fairgate.simulate.service import ALLOWED, Done, Reviewed, Verdict
from fairgate.simulate.simulation import Simulation
from fairgate.simulate.world_file import Loaded

_PATIENCE: Final = 30.0
_EVENT: Final = {"Content-Type": "application/cloudevents+json"}
_DECIDED: Final = msgspec.json.Decoder(Decided)
#: A list of the pack in which the company enters what it has just put out, and for how long.
_NEW_MODELS, _NEW_FOR = "new_models", "14d"


class _OverError(Exception):
    """Nobody wants to see the rest."""


@dataclass(frozen=True, slots=True)
class Played:
    """A world that is to be played for so many days from a seed."""

    world: Loaded
    days: int
    seed: int

    @property
    def ends(self) -> int:
        """When it ends, in microseconds since 1970."""
        return self.world.begins + self.days * DAY


class Caller:
    """Plays a world against a door: what it answers is done to whoever did something, before they do the next.

    The door's clock is set to the time of each event. `told` is told of all that happens.
    """

    def __init__(self, played: Played, clock: PlayClock, told: Callable[[Done | Reviewed | Entry], None]) -> None:
        self._played = played
        self._clock = clock
        self._told = told
        self._over = threading.Event()
        begins = played.world.begins
        self._releases = sorted((begins + each.day * DAY, each.model) for each in played.world.world.release)

    def stop(self) -> None:
        """Let `play` end with the event that is under way."""
        self._over.set()

    def play(self, port: int) -> None:
        """Play against the door at a port of this machine. Raises `DoorFailed`, and OSError where it has gone."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)

        def decide(raw: bytes, time: int) -> Verdict:
            if self._over.is_set():
                raise _OverError
            self._clock.set(time)
            while self._releases and self._releases[0][0] <= time:
                _enter(connection, self._releases.pop(0)[1])
            return _decided(connection, raw)

        try:
            for _ in Simulation(self._played.world, self._played.days, self._played.seed, decide, self._told).play():
                pass
        except _OverError:
            return
        finally:
            connection.close()


def _decided(connection: http.client.HTTPConnection, raw: bytes) -> Verdict:
    """What the door says to do about an event. One that it refuses is let through, as any caller would."""
    status, body = _ask(connection, "POST", "/v1/decide", raw)
    if status == http.client.UNPROCESSABLE_ENTITY:
        return ALLOWED
    if status != http.client.OK:
        raise DoorFailed(status)
    return Verdict(ACTIONS[_DECIDED.decode(body).action])


def _enter(connection: http.client.HTTPConnection, model: str) -> None:
    """Enter a new model in the pack's list of them."""
    entry = msgspec.json.encode(PutEntry(_NEW_FOR, "it is out today"))
    status, _ = _ask(connection, "PUT", f"/v1/lists/{_NEW_MODELS}/{quote(model, safe='')}", entry)
    if status != http.client.OK:
        raise DoorFailed(status)


def _ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    connection.request(method, path, body, _EVENT)
    answer = connection.getresponse()
    return answer.status, answer.read()
