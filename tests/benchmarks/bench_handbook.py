"""The handbook's payments replayed through customer and terminal windows, every feature recorded."""

import sys
import tempfile
import time
from pathlib import Path

from fairgate.ingest.sources import read_events
from fairgate.pipeline.recording import Recording
from fairgate.pipeline.replay import Replay
from fairgate.wiring import calm_collector, load_checked
from tests.benchmarks.rows import Row
from tests.shared import shared_data

_SECRET = 0x5EED


def run() -> list[Row]:
    """Events (payments, and their labels a week later) per second, from the Parquet file to Parquet recordings."""
    folder = shared_data()
    if folder is None:
        print("handbook left out: ../shared/data is not there", file=sys.stderr)
        return []
    file = folder / "card_payments_handbook.parquet"
    checked = load_checked("examples/card_payments")
    with tempfile.TemporaryDirectory() as directory:
        replay = Replay(checked, _SECRET)
        recording = Recording(Path(directory) / "recorded", replay.engine)
        calm_collector()
        start, cpu = time.perf_counter(), time.process_time()
        report = replay.run(read_events([file], checked, replay.decoder), recording=recording)
        recording.finish([file])
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    payments = report.types["payment"]
    return [
        Row(
            "handbook replay, all features recorded: events (payments and labels)",
            report.events / wall,
            "events/s",
            None,
            ">=",
            40_000,
        ),
        Row("the same, per second of CPU on both cores", report.events / cpu, "events/s"),
        Row("the same, payments alone", payments / wall, "payments/s"),
    ]
