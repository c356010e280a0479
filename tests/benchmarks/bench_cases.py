"""Cases: how soon the next one is claimed where a hundred thousand wait, and what feeding them costs the clerk."""

import random
import statistics
import tempfile
import time
from pathlib import Path

from msgspec.structs import replace

from fairgate.casework.drawing import Taker, next_case
from fairgate.domain.action import Action
from fairgate.domain.case import Case, Claim, Finding, Happening
from fairgate.domain.windows import HOUR, MINUTE, SECOND
from fairgate.domain.worth import Stake
from fairgate.wiring import Records, open_records
from tests.benchmarks.rows import Row
from tests.e2e.doors import ROOT

BUILD = ROOT / "build"
_OPEN, _PAGE, _CLAIMS = 100_000, 5_000, 300
_NOW = 1_796_000_000_000_000


def run() -> list[Row]:
    """The figures of cases."""
    with tempfile.TemporaryDirectory(dir=BUILD) as name, open_records(Path(name)) as records:
        fed = _filled(records)
        claims = [_claimed(records, _NOW + HOUR + turn * SECOND, turn) for turn in range(_CLAIMS)]
    claims.sort()
    return [
        Row(f"{_OPEN:,} cases open: the next one claimed, p50", 1e3 * statistics.median(claims), "ms"),
        Row("the same, p99", 1e3 * claims[int(0.99 * len(claims))], "ms", op="<=", target=50),
        Row("a case opened by a decision", 1e6 * fed / _OPEN, "us"),
    ]


def _filled(records: Records) -> float:
    """Open the cases; returns the seconds that it took."""
    draw = random.Random(7)
    began = time.perf_counter()
    for first in range(0, _OPEN, _PAGE):
        findings = [_finding(number, draw) for number in range(first, first + _PAGE)]
        records.case_feed.feed(first + _PAGE, findings, {}, _NOW)
    return time.perf_counter() - began


def _finding(number: int, draw: random.Random) -> Finding:
    stake = Stake(draw.random(), draw.expovariate(0.1), 24.0, 100.0, 400.0, Action.HOLD, 5.0, _NOW)
    return Finding(f"acct_{number}", number, _NOW, Action.HOLD, stake, ("farm",), ("farm_network", "farm_device"))


def _claimed(records: Records, now: int, turn: int) -> float:
    """Seconds until somebody has the next case, an hour after they were opened: all have faded."""
    began = time.perf_counter()
    found = next_case(records.case_queue, now, Taker("ann", lead=True), random.Random(turn))
    assert found is not None
    case: Case = found.case
    claimed = replace(
        case, version=case.version + 1, claim=Claim("ann", now + 10 * MINUTE), propensity=found.propensity
    )
    assert records.cases.store(claimed, [Happening(now, "ann", "claimed", "")])
    return time.perf_counter() - began
