"""The door is killed under load, at bad moments: what it acknowledged is there, and nothing decided has changed."""

import random
import signal
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from fairgate.ingest.decode import Decoder
from fairgate.pipeline.records import (
    EraseRecord,
    EventRecord,
    LedgerRecord,
    ListRecord,
    PackRecord,
    Record,
    SwitchRecord,
)
from tests.e2e.crashing import NDJSON, TABLES, Moment, Said, crashed
from tests.e2e.doors import fairgate, process
from tests.e2e.never_killed import personal_is_as_it_was_sent, played_again, records_of
from tests.support import checked

QUICK = [Moment.SNAPSHOT, Moment.START, Moment.ROLL_OVER, Moment.WHENEVER]


@pytest.mark.parametrize(
    "moments", [pytest.param(QUICK, id="once"), pytest.param(6 * QUICK, id="often", marks=pytest.mark.soak)]
)
def test_a_killed_door_loses_nothing_and_changes_nothing(tmp_path: Path, moments: Sequence[Moment]) -> None:
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it where the test fails
    draw, said, data = random.Random(seed), Said(), tmp_path / "data"
    for number, moment in enumerate(moments):
        with process(tmp_path, tables=TABLES) as door:
            crashed(door, said, number, moment, draw)
        all_is_there_once(records_of(data), said)
    assert any((data / "snapshots").iterdir())
    assert len(list((data / "log").glob("*.log"))) > 1
    kept, erased = personal_is_as_it_was_sent(data, said, Decoder(checked(), 0).wires)
    assert kept
    assert erased
    with process(tmp_path, tables=TABLES) as door, door.ready() as client:
        the_same_is_said_again(client, said)
        assert door.signal(signal.SIGTERM) == 0
    verified = fairgate("log", "verify", data, "--decisions")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "sound" in verified.stdout
    assert "comes out as recorded" in verified.stdout
    played_again(data, tmp_path / "fresh", said)


def all_is_there_once(records: Sequence[Record], said: Said) -> None:
    """Every event and change that was acknowledged is in the log, as it was told, and nothing is twice."""
    events = [(at, record) for at, record in enumerate(records) if isinstance(record, EventRecord)]
    logged = {record.id: (at, record.decision.action.word) for at, record in events}
    assert len(logged) == len(events)
    numbers = said.numbers()
    assert {name: logged.get(name) for name in numbers} == numbers
    whys = [record.why for record in records if isinstance(record, ListRecord | SwitchRecord | EraseRecord)]
    whys += [entry.why for record in records if isinstance(record, LedgerRecord) for entry in record.entries]
    assert len(set(whys)) == len(whys)
    packs = {why for why in said.changed if said.changes[why].path == "/v1/reload"}
    assert set(said.changed) - packs <= set(whys)
    assert sum(isinstance(record, PackRecord) for record in records) > len(packs)


def the_same_is_said_again(client: httpx.Client, said: Said) -> None:
    """Whoever asks again gets the answer of the first time."""
    for name, answer in said.decided.items():
        assert client.post("/v1/decide", content=said.bodies[name]).json() == {**answer, "repeated": True}
    names = list(said.taken)
    for at in range(0, len(names), 500):
        asked = b"\n".join(said.bodies[name] for name in names[at : at + 500])
        for result in client.post("/v1/events", content=asked, headers=NDJSON).json()["results"]:
            assert result == {**said.taken[result["id"]], "repeated": True}
