"""The door is killed under load, three times over: what it acknowledged is there, and nothing decided has changed."""

import random
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from fairgate.backends.embedded.segments import open_log
from fairgate.pipeline.records import EventRecord, decode
from tests.e2e.doors import Process, client_of, fairgate, process
from tests.support import traffic

SENDERS = 4
#: What the door said of an event: its number in the log, and the action.
Said = dict[str, tuple[int, str]]


def send(port: int, bodies: Sequence[bytes], said: Said, *, batch: int) -> None:
    """Send bodies until the door is gone, one by one or some at a time, and note what it acknowledges."""
    try:
        with client_of(port) as client:
            for at in range(0, len(bodies), batch):
                if batch == 1:
                    answers: list[Any] = [client.post("/v1/decide", content=bodies[at]).json()]
                else:
                    raw = b"\n".join(bodies[at : at + batch])
                    answers = client.post("/v1/events", content=raw, headers=NDJSON).json()["results"]
                said.update({answer["id"]: (answer["sequence"], answer["action"]) for answer in answers})
    except httpx.TransportError:
        return


NDJSON = {"content-type": "application/x-ndjson"}


def load_until_killed(door: Process, bodies: Sequence[bytes], seconds: float) -> Said:
    """All that was acknowledged before the door was killed, so long after it was ready."""
    said: Said = {}
    with door.ready():
        threads = [
            threading.Thread(
                target=send, args=(door.port, bodies[sender::SENDERS], said), kwargs={"batch": 1 if sender % 2 else 7}
            )
            for sender in range(SENDERS)
        ]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        assert door.signal(signal.SIGKILL) == -signal.SIGKILL
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
    return said


def records(folder: Path) -> dict[str, tuple[int, str]]:
    """All events of the log, by id."""
    with open_log(folder / "data" / "log", read_only=True) as log:
        found = [(at, decode(at, data)) for at, data in log.read()]
    events = [(at, record) for at, record in found if isinstance(record, EventRecord)]
    assert len({record.id for _, record in events}) == len(events), "an event was decided on twice"
    return {record.id: (at, record.decision.action.word) for at, record in events}


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.soak)])
def test_a_killed_door_loses_nothing_and_changes_nothing(tmp_path: Path, kills: int) -> None:
    seed = random.SystemRandom().getrandbits(32)
    draw = random.Random(seed)
    bodies = [raw for raw, _ in traffic(4_000 * kills)]
    said: Said = {}
    for round_number in range(kills):
        part = bodies[4_000 * round_number : 4_000 * (round_number + 1)]
        with process(tmp_path) as door:
            new = load_until_killed(door, part, draw.uniform(0.1, 0.6))
        assert new, f"nothing was acknowledged (seed {seed})"
        said |= new
        assert any((tmp_path / "data" / "snapshots").iterdir())
        logged = records(tmp_path)
        assert {name: logged.get(name) for name in said} == said, f"seed {seed}"
    with process(tmp_path) as door, door.ready() as client:
        known = [raw for raw in bodies if msgspec.json.decode(raw)["id"] in said]
        for at in range(0, len(known), 500):
            answer = client.post("/v1/events", content=b"\n".join(known[at : at + 500]), headers=NDJSON)
            for result in answer.json()["results"]:
                assert result["repeated"]
                assert (result["sequence"], result["action"]) == said[result["id"]]
        client.post("/v1/decide", content=bodies[-1]).raise_for_status()
        assert door.signal(signal.SIGTERM) == 0
    verified = fairgate("log", "verify", tmp_path / "data", "--decisions")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "sound" in verified.stdout
    assert "every decision and feature comes out as recorded" in verified.stdout
