"""The arena: how long the small world takes, and how the default pack does against the baseline in the city.

The city takes about twenty minutes on two cores; what was played stays in build/arena.json and build/arena.md. The
pack was tuned on seeds from 101 on. It was judged on seeds 1 to 5 before opponents learnt from kin, and on 11 to 15
before two rules about log-ins were made. Judged here are seeds 21 to 25, on which nothing had been played.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from tests.benchmarks.bench_http import BUILD
from tests.benchmarks.rows import Row

_FAIRGATE = Path(sys.executable).parent / "fairgate"
#: No rule was made or weighed for these while the pack was tuned.
_LEFT_OUT = ("returner",)
_CITY = ("--world", "city", "--honest", "2000", "--days", "90", "--seed", "21")
_PACKS = ("--pack", "ai_api", "--pack", "baseline")


def run() -> list[Row]:
    """The figures, whose intervals stand in build/arena.md."""
    small = _seconds("--world", "small", "--days", "14", "--pack", "ai_api")
    left_out = [word for kind in _LEFT_OUT for word in ("--left-out", kind)]
    city = _played(*_CITY, *_PACKS, "--seeds", "5", *left_out, "--markdown", str(BUILD / "arena.md"))
    (BUILD / "arena.json").write_bytes(msgspec.json.format(msgspec.json.encode(city)))
    found, ours = city["comparison"], city["packs"][0]
    most = max(each["events"] for each in city["outcomes"])
    return [
        Row("arena, world small, 14 days, one run", small, "s", op="<=", target=120),
        Row("city, 2,000 honest accounts, 90 days: events of the longest run", most, "events", None, "<=", 3e6),
        Row("opponents' cost per dollar of compute, against the baseline", _mean(found["dearer"]), "x", target=3),
        Row("less compute for opponents than under the baseline", 100 * _mean(found["cut"]), "%", target=80),
        Row("of the first half's gain, lost in the second", 100 * _mean(found["faded"]), "%", None, "<=", 20),
        Row("honest accounts denied at some time", 100 * _mean(ours["honest"]["denied"]), "%", None, "<=", 0.1),
        Row("honest requests not served", 100 * _mean(ours["honest"]["requests_stopped"]), "%"),
        Row("opponents who left", 100 * _mean(ours["all"]["left"]), "%", target=70),
        *(row for prices in (0.5, 1.5) for row in _repriced(prices)),
    ]


def _repriced(prices: float) -> list[Row]:
    """Whether the packs come in the same order where everything costs opponents less, or more."""
    found = _played(*_CITY, *_PACKS, "--seeds", "2", "--prices", str(prices))["comparison"]
    return [
        Row(f"the same, prices times {prices:g}, 2 seeds: cost per dollar", _mean(found["dearer"]), "x", target=1),
        Row(f"the same, prices times {prices:g}, 2 seeds: less compute", 100 * _mean(found["cut"]), "%", target=0),
    ]


def _mean(estimate: dict[str, Any]) -> float:
    return float(estimate["mean"])


def _seconds(*words: str) -> float:
    began = time.perf_counter()
    _played(*words)
    return time.perf_counter() - began


def _played(*words: str) -> dict[str, Any]:
    done = subprocess.run([_FAIRGATE, "arena", *words, "--json"], stdout=subprocess.PIPE, check=False)
    if done.returncode > 1:  # 1 is a regression, which is a figure
        raise RuntimeError(f"the arena ended with {done.returncode}")
    found: dict[str, Any] = msgspec.json.decode(done.stdout)
    return found
