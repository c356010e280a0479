"""Eighteen rules over sign-ups and usage, the workload on which rule engines are compared: the decision step alone."""

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from fairgate.domain.event import Event
from fairgate.ingest.decode import Decoder
from fairgate.ingest.sources import read_events
from fairgate.wiring import load_checked, new_engine
from tests.benchmarks.rows import Row, median_of
from tests.shared import shared_bench

_SECRET = 0x5EED
_EVENTS = 20_000


def _script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("rules18", path)
    if spec is None or spec.loader is None:
        message = f"{path} is no Python module"
        raise ImportError(message)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _by_hand(script: ModuleType, file: Path) -> float:
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    start = time.process_time()
    for row in rows:
        script.plain(row["name"], row["data"])
    return len(rows) / (time.process_time() - start)


def _decided(file: Path) -> float:
    checked = load_checked("examples/rules18")
    engine = new_engine(checked, _SECRET)
    decoder = Decoder(checked, engine.plan.longest)
    events = [each for batch in read_events([file], checked, decoder) for each in batch if isinstance(each, Event)]
    engine.run(events[:100])
    engine = new_engine(checked, _SECRET)
    start = time.process_time()
    engine.run(events)
    return len(events) / (time.process_time() - start)


def run() -> list[Row]:
    """Events per second of CPU on decoded events, beside the rules written by hand in the same run."""
    folder = shared_bench()
    if folder is None:
        print("rules18 left out: ../shared/bench is not there", file=sys.stderr)
        return []
    script = folder / "rules18.py"
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "events.ndjson"
        subprocess.run([sys.executable, str(script), str(file), str(_EVENTS)], check=True)
        by_hand = median_of(5, lambda: _by_hand(_script(script), file))
        decided = median_of(5, lambda: _decided(file))
    return [
        Row("rules18, by hand in Python", by_hand, "events/s"),
        Row("rules18, decision step", decided, "events/s", decided / by_hand, ">=", 50_000),
    ]
