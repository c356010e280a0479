"""A backtest of one changed rule over a million events.

Over a recording it is measured against the compiled Python over the same rows; as a job of the desk, over the lake,
against the same job where the log has to be replayed.
"""

import json
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from itertools import islice
from pathlib import Path

from fairgate.backends.embedded.lake import open_lake
from fairgate.backends.embedded.segments import open_log
from fairgate.detect.rules import compile_detector
from fairgate.domain.event import Event
from fairgate.domain.windows import DAY, SECOND
from fairgate.entrypoints.desk.backtests import run_backtest
from fairgate.entrypoints.desk.tasks import REPORT_JSON, Backtest, PackFolder, PackTexts
from fairgate.ingest.identifiers import TYPES
from fairgate.ingest.wire import wire_of
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedPack
from fairgate.language.pack_file import load_pack, pack_from_texts
from fairgate.pipeline.backtest import Material, backtest
from fairgate.pipeline.backtest.history import History
from fairgate.pipeline.compaction import Compaction
from fairgate.pipeline.recording import Recording, open_recording
from fairgate.pipeline.replay import Replay
from fairgate.settings import Settings
from fairgate.wiring import SHIPPED, LivePipeline, checked_from
from tests.benchmarks.mix import bodies
from tests.benchmarks.rows import Row, median_of
from tests.support import SetClock

EVENTS = 1_000_000
_BATCH = 4_096
_START = 1_767_571_200 * SECOND
_OLD, _NEW = "amount > 4 * customer_amount_30d", "amount > 3 * customer_amount_30d"
_RULE = "far_above_habit"
#: The same of the pack that ships, on requests, which are nine in ten of its events.
_LIVE_OLD, _LIVE_NEW = (f"key_spend > {most}\nand key_spend > {times} *" for most, times in ((20, 5), (2, 1.1)))


def run() -> list[Row]:
    """Seconds for the whole report (hits, decisions, labels, overlap, those affected), and for the condition alone."""
    old = check_pack(load_pack(Path("examples/card_payments")), TYPES)
    texts = {name: text.replace(_OLD, _NEW) for name, text in old.pack.files.items()}
    new = check_pack(pack_from_texts(texts), TYPES)
    assert old.pack.digest != new.pack.digest
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "recording"
        _record(old, folder)
        material = Material(folder, [], Path(directory), 0)

        def whole() -> float:
            start = time.perf_counter()
            report = backtest(old, new, material)
            seconds = time.perf_counter() - start
            assert report.events == EVENTS
            assert report.replays == ()
            return seconds

        def condition() -> float:
            start = time.perf_counter()
            changed = [each for each in new.rules if each.rule.name == _RULE]
            assert History(new, open_recording(folder), old).fired("payment", changed).height > 0
            return time.perf_counter() - start

        report, alone, naive = median_of(5, whole), median_of(5, condition), _naive(new, folder)
    return [
        *_desk(),
        Row("backtest of one changed rule, 1M recorded events", report, "s", naive / report, "<=", 1.0),
        Row("of that, the rule's condition over columns", alone, "s", naive / alone, "<="),
    ]


def _desk() -> list[Row]:
    """Seconds of a job after a million live decisions, from its start to its report."""
    with tempfile.TemporaryDirectory() as directory:
        data, bare = Path(directory) / "data", Path(directory) / "bare"
        _decide(Settings(data=data))
        bare.mkdir()
        for name in ("log", "secret", "subjects.keys"):
            (bare / name).symlink_to(data / name)
        with open_log(data / "log", read_only=True) as log, open_lake(data / "lake") as lake:
            compaction = Compaction(log, lake, checked_from)
            while compaction.step():
                pass
            lake.merge(date.max)
        lake_seconds = median_of(3, lambda: _job(data, replays=0))
        replay_seconds = _job(bare, replays=1)
    name = "desk backtest of one changed rule, 1M live decisions in the lake"
    return [
        Row(name, lake_seconds, "s", replay_seconds / lake_seconds, "<="),
        Row("the same job by a replay of the log", replay_seconds, "s"),
    ]


def _decide(settings: Settings) -> None:
    """A million events of the mix that the door is measured with, over a day."""
    clock = SetClock(_START)
    events = bodies(EVENTS)
    with closing(LivePipeline(settings, clock)) as live:
        pipeline = live.pipeline
        for number in range(0, EVENTS, _BATCH):
            clock.time = _START + number * DAY // EVENTS
            batch = islice(events, _BATCH)
            pipeline.take([pipeline.decoder.single(each, clock.time) for each in batch])
            pipeline.commit()


def _job(data: Path, *, replays: int) -> float:
    """Seconds of a backtest of the pack that ships against itself with another threshold in one rule."""
    old = load_pack(SHIPPED / "ai_api")
    texts = {name: text.replace(_LIVE_OLD, _LIVE_NEW) for name, text in old.files.items()}
    folder = data.parent / "report"
    folder.mkdir(exist_ok=True)
    task = Backtest(PackFolder(str(SHIPPED / "ai_api")), PackTexts(texts), None, None, str(folder))
    start = time.perf_counter()
    run_backtest(task, Settings(data=data), _START + DAY, lambda _: None)
    seconds = time.perf_counter() - start
    report = json.loads((folder / REPORT_JSON).read_bytes())
    assert report["events"] == EVENTS
    assert len(report["replays"]) == replays
    assert sum(each["status"] == "changed" and each["gained"]["events"] > 0 for each in report["rules"]) == 1
    return seconds


def _naive(checked: CheckedPack, folder: Path) -> float:
    """Seconds for the changed condition alone, row by row: read the columns, fill the structs, call the function."""
    start = time.perf_counter()
    names = list(checked.read["payment"])
    detector = compile_detector(
        checked, "payment", {each.text: at for at, each in enumerate(checked.read["payment"].values())}, str, {}
    )
    data = wire_of(checked.pack.event_types["payment"], TYPES).data
    place = [each.rule.name for each in detector.rules].index(_RULE)
    frame = open_recording(folder).frames["payment"].select("customer", "terminal", "amount", *names).collect()
    hits = 0
    for customer, terminal, amount, *features in frame.iter_rows():
        fired: list[int] = []
        values = [float("nan") if each is None else each for each in features]
        detector.judge(data(customer=customer, terminal=terminal, amount=amount), 0, 0, values, fired, [])
        hits += place in fired
    assert hits > 0
    return time.perf_counter() - start


def _record(checked: CheckedPack, folder: Path) -> None:
    """Payments of a month, each labelled a week later, replayed and recorded."""
    replay = Replay(checked, 0)
    recording = Recording(folder, replay.engine)
    replay.run(_batches(checked), recording=recording)
    recording.finish([])


def _batches(checked: CheckedPack) -> Iterator[list[Event]]:
    draw = random.Random(3)
    pay, label = (wire_of(checked.pack.event_types[name], TYPES).data for name in ("payment", "payment.label"))
    waiting: list[tuple[int, str, str, str, bool]] = []
    batch: list[Event] = []
    made = taken = 0
    while made < EVENTS:
        moment = _START + made * 30 * DAY // EVENTS
        if taken < len(waiting) and waiting[taken][0] <= moment:
            _, of, customer, terminal, bad = waiting[taken]
            taken += 1
            data = label(of=of, bad=bad, customer=customer, terminal=terminal)
            batch.append(Event("bench", f"label-{of}", "payment.label", moment, moment, data))
        else:
            customer, terminal = f"c{int(draw.paretovariate(1.1)) % 5_000}", f"t{draw.randrange(10_000)}"
            amount, bad = round(draw.lognormvariate(3.5, 0.6), 2), draw.random() < 0.01
            data = pay(customer=customer, terminal=terminal, amount=amount * 5 if bad else amount)
            batch.append(Event("bench", str(made), "payment", moment, moment, data))
            waiting.append((moment + 7 * DAY, str(made), customer, terminal, bad))
        made += 1
        if len(batch) == _BATCH or made == EVENTS:
            yield batch
            batch = []
