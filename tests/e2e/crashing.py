"""Clients that use the door while it is killed, and the moments at which it is."""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.e2e.doors import Process, client_of
from tests.support import PACK, traffic

#: Events of one round, more than a door takes before it is killed.
EVENTS = 8_000
#: How many events each client sends at a time.
BATCHES = (1, 1, 7, 40)
NDJSON = {"content-type": "application/x-ndjson"}
#: Segments as small as they may be, so that kills fall into roll-overs, too.
TABLES = "[log]\nsegment_megabytes = 1\n"
#: The pack with a rule more, whose features must be counted from the log. What users are told stays the same.
NEXT_PACK = PACK.replace('version = "1"', 'version = "2"') + """
[[rule]]
name = "regular"
on = "api.request"
when = 'count("api.request", by=account, over="24h") >= 3 and since("account.signup", by=account) > 60'
score = 1.0
reason = "spend"
mode = "shadow"
"""  # fmt: skip
_PATIENCE = 60


class Moment(Enum):
    """When the door is killed."""

    WHENEVER = "under load"
    SNAPSHOT = "while it writes a snapshot"
    ROLL_OVER = "when the log begins a new segment"
    START = "while it recovers"


@dataclass(frozen=True, slots=True)
class Change:
    """What an operator asks for, with words that no other change has."""

    method: str
    path: str
    what: str
    why: str

    @property
    def request(self) -> tuple[str, str, Any]:
        """Method, path with query, and body."""
        match self.method, self.path:
            case "POST", "/v1/reload":
                return "POST", self.path, {}
            case "POST", "/v1/actions":
                whom = {"kind": "account", "value": self.what, "action": "throttle", "reasons": ["burst"]}
                return "POST", self.path, {**whom, "why": self.why, "ref": self.why}
            case "POST", _:
                return "POST", self.path, {"account": self.what, "why": self.why}
            case "DELETE", _:
                return "DELETE", f"{self.path}/{self.what}?why={self.why}", None
            case _, "/v1/switches":
                rule, _, word = self.what.partition(" ")
                return "PUT", f"{self.path}/{rule}", {"off": word == "off", "why": self.why}
            case _:
                return "PUT", f"{self.path}/{self.what}", {"for": "1h", "why": self.why}


@dataclass(slots=True)
class Said:
    """What was sent, and what the door has acknowledged of it: the answers to events, and the words of changes."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    decided: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    taken: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)

    def counts(self) -> tuple[int, int, int]:
        """How many decisions, events of batches, and changes were acknowledged."""
        return len(self.decided), len(self.taken), len(self.changed)

    def numbers(self) -> dict[str, tuple[int, str]]:
        """The number in the log and the action of each event that was acknowledged."""
        answers = {**self.decided, **self.taken}
        return {name: (answer["sequence"], answer["action"]) for name, answer in answers.items()}


def changes_of(words: str) -> Iterable[Change]:
    """Changes without end: entries of lists, one of them personal, switches, erasures, actions, and another pack.

    Some accounts stay in the list for a time.
    """
    for number in count():
        account, earlier, why = f"a{number % 17}", f"a{(number - 4) % 17}", f"{words} change {number}"
        yield Change("PUT", "/v1/lists/banned", account, f"{why} a")
        yield Change("PUT", "/v1/lists/bad_mail", f"u{number}@example.com", f"{why} b")
        yield Change("PUT", "/v1/switches", "burst off", f"{why} c")
        yield Change("POST", "/v1/erasures", account, f"{why} d")
        yield Change("PUT", "/v1/switches", "burst on", f"{why} e")
        yield Change("DELETE", "/v1/lists/banned", earlier, f"{why} f")
        yield Change("POST", "/v1/actions", f"nobody{number}", f"{why} h")
        if number % 8 in {2, 3}:
            yield Change("POST", "/v1/reload", f"pack {number}", f"{why} g")


def crashed(door: Process, said: Said, round_number: int, moment: Moment, draw: random.Random) -> None:
    """Use a door until it is killed at such a moment, and note what it acknowledges."""
    if moment is Moment.START:
        until(lambda: has_open(door.pid, door.folder / "data" / "log"))
        time.sleep(draw.uniform(0, 0.8))
        kill(door)
        return
    new = {msgspec.json.decode(raw)["id"]: raw for raw, _ in traffic(EVENTS, start=EVENTS * round_number)}
    said.bodies.update(new)
    bodies, senders, before = list(new.values()), len(BATCHES), said.counts()
    with door.ready():
        clients = [lambda: operate(door, f"round {round_number}", said)]
        for sender, size in enumerate(BATCHES):
            part = bodies[sender::senders]
            clients.append(lambda part=part, size=size: send(door.port, part, said, size))  # type: ignore[misc]
        threads = [threading.Thread(target=until_gone, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        until(lambda: all(now > then for now, then in zip(said.counts(), before, strict=True)))
        wait_for(moment, door.folder / "data", draw)
        kill(door)
        for thread in threads:
            thread.join(_PATIENCE)
            assert not thread.is_alive()


def wait_for(moment: Moment, data: Path, draw: random.Random) -> None:
    """Return at such a moment of a door under load."""
    match moment:
        case Moment.SNAPSHOT:
            until(lambda: any((data / "snapshots").glob("*.partial")))
        case Moment.ROLL_OVER:
            before = len(list((data / "log").glob("*.log")))
            until(lambda: any((data / "log").glob("*.tmp")) or len(list((data / "log").glob("*.log"))) > before)
        case _:
            time.sleep(draw.uniform(0, 0.5))


def kill(door: Process) -> None:
    assert door.signal(signal.SIGKILL) == -signal.SIGKILL, door.output()


def until_gone(client: Callable[[], None]) -> None:
    with suppress(httpx.TransportError):
        client()


def send(port: int, bodies: Sequence[bytes], said: Said, size: int) -> None:
    """Send events one by one or some at a time."""
    with client_of(port) as client:
        for at in range(0, len(bodies), size):
            raw = b"\n".join(bodies[at : at + size])
            if size == 1:
                answer = client.post("/v1/decide", content=raw).json()
                said.decided[answer["id"]] = answer
            else:
                answers = client.post("/v1/events", content=raw, headers=NDJSON).json()["results"]
                said.taken.update({answer["id"]: answer for answer in answers})


def operate(door: Process, words: str, said: Said) -> None:
    """Make changes, one after another; a pack is another each time."""
    pack = door.folder / "pack" / "pack.toml"
    with client_of(door.port) as client:
        for change in changes_of(words):
            said.changes[change.why] = change
            if change.path == "/v1/reload":
                pack.write_text(NEXT_PACK if pack.read_text() == PACK else PACK)
            method, path, body = change.request
            answer = client.request(method, path, json=body)
            if answer.status_code == 404:  # nothing was sealed since it was last erased, or it is in no list
                assert answer.json()["error"]["code"] in {"nothing_sealed", "no_entry"}, answer.text
            else:
                assert answer.is_success, answer.text
                said.changed.append(change.why)


def has_open(pid: int, folder: Path) -> bool:
    """Whether a process has a file below a folder open."""
    with suppress(FileNotFoundError):
        return any(each.readlink().is_relative_to(folder) for each in Path(f"/proc/{pid}/fd").iterdir())
    return False


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.0005)
