"""`fairgate simulate`: how fast a world is played and written, and what of it is the writing."""

import json
import tempfile
import time
from pathlib import Path

import polars as pl

from fairgate.simulate.operator import Entry
from fairgate.simulate.play_files import PlayFiles
from fairgate.simulate.service import ALLOWED, Done, Reviewed, Verdict
from fairgate.simulate.simulation import Simulation, sampled
from fairgate.simulate.world_file import Loaded
from fairgate.simulate.world_names import world_named
from tests.benchmarks.rows import Row, median_of

_HONEST, _DAYS, _SEED = 2_000, 4, 7
#: A million a minute.
_TARGET = 1_000_000 / 60


def run() -> list[Row]:
    """Rates in events per second of CPU on one core."""
    world = sampled(world_named("city"), _HONEST)
    told = _told(world)
    naive, fast = median_of(3, lambda: _naive(told)), median_of(3, lambda: _written(world, told))
    return [
        Row("simulate a world and write it", median_of(3, lambda: _simulated(world)), "events/s", None, ">=", _TARGET),
        Row("write what was simulated, with the truth about it", fast, "events/s", fast / naive),
    ]


def _simulated(world: Loaded) -> float:
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        files = PlayFiles(Path(folder), world, _DAYS, _SEED)
        for _ in Simulation(world, _DAYS, _SEED, _allowed, files).play():
            pass
        files.finish(_DAYS)
        return files.events / (time.process_time() - start)


def _told(world: Loaded) -> list[Done | Reviewed | Entry]:
    """Everything that happens in the world."""
    told: list[Done | Reviewed | Entry] = []
    for _ in Simulation(world, _DAYS, _SEED, _allowed, told.append).play():
        pass
    return told


def _written(world: Loaded, told: list[Done | Reviewed | Entry]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        files = PlayFiles(Path(folder), world, _DAYS, _SEED)
        for each in told:
            files(each)
        files.finish(_DAYS)
        return files.events / (time.process_time() - start)


def _naive(told: list[Done | Reviewed | Entry]) -> float:
    """The same by the book: `json.dumps` of each envelope, a dict for each row, and all rows in memory."""
    dones = [each for each in told if isinstance(each, Done) and each.event]
    envelopes = [json.loads(each.raw) for each in dones]
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "events.ndjson").open("w") as file:
        start, rows = time.process_time(), []
        for done, envelope in zip(dones, envelopes, strict=True):
            file.write(json.dumps(envelope) + "\n")
            act = done.act
            rows.append(
                {
                    "event": done.event,
                    "time": act.time,
                    "account": act.account.name,
                    "actor": act.actor.name,
                    "kind": act.actor.kind,
                    "honest": act.actor.honest,
                }
            )
        pl.from_dicts(rows).write_parquet(Path(folder) / "truth.parquet")
        return len(dones) / (time.process_time() - start)


def _allowed(_raw: bytes, _time: int) -> Verdict:
    return ALLOWED
