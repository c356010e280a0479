"""A million rows of profiles carried into the rows of another pack: how long a start takes longer for it."""

import time

import numpy as np

from fairgate.features.carry import carried
from fairgate.features.plan import FeaturePlan, plan_features
from fairgate.kernel.layout import CLOCK, REQUEST_HEADER, TIME
from fairgate.kernel.rows import Rows, warm
from fairgate.wiring import checked_from
from tests.benchmarks.rows import Row, median_of

_ROWS = 1_000_000
_NOW = 1_767_571_200_000_000  # 2026-01-05
_TIMES = 3
_PACK = """
[pack]
name = "carry"
version = "1"
[event.use.attributes]
account = { entity = "account", required = true }
country = "text"
amount = "number"
[[segment]]
name = "default"
"""
_SHARED = (
    'since("use", by=account)',
    "first(amount, by=account)",
    "last(amount, by=account)",
    "is_new(country, by=account)",
)
_WINDOW = 'count("use", by=account, over="24h")'


def _pack(*features: str) -> str:
    tables = [
        f'[[feature]]\nname = "f{number}"\non = "use"\nvalue = \'{each}\'' for number, each in enumerate(features)
    ]
    return "\n".join([_PACK, *tables])


def _filled(plan: FeaturePlan) -> Rows:
    """Rows of so many accounts: every slot of a request but the header is a hash, or a number that is no matter."""
    rows, draw = Rows(plan.program, expected_rows=2 * _ROWS), np.random.default_rng(5)
    out = np.zeros((10_000, plan.program.outs))
    for _ in range(_ROWS // len(out)):
        requests = draw.integers(1, 1 << 62, (len(out), plan.program.request_words), np.uint64)
        requests[:, :REQUEST_HEADER] = 0
        requests[:, [CLOCK, TIME]] = _NOW
        rows.advance(requests, out, len(out))
    return rows


def run() -> list[Row]:
    """The carry itself, of rows that lie in memory; a start reads them from a snapshot first, as any start does."""
    warm()
    old, new = (
        checked_from({"pack.toml": _pack(*each)}) for each in ((*_SHARED, _WINDOW), (_WINDOW, *reversed(_SHARED)))
    )
    arrays = _filled(plan_features(old, 1)).arrays()
    program = plan_features(new, 1).program

    def seconds() -> float:
        rows = Rows(program)
        start = time.perf_counter()
        rows.carry(arrays, carried(old, new, 1).moves)
        taken = time.perf_counter() - start
        if rows.size().rows != _ROWS:
            raise RuntimeError(f"{rows.size().rows} rows were carried")
        return taken

    return [
        Row(f"carry {_ROWS:,} rows of profiles to another pack", median_of(_TIMES, seconds), "s", op="<=", target=1)
    ]
