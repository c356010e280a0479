"""Bytes of feature state per tracked entity and aggregate, with every window of the design, and after an idle time."""

from itertools import product

from fairgate.domain.event import Event
from fairgate.domain.windows import DAY, WINDOWS
from fairgate.ingest.decode import Decoder
from fairgate.wiring import checked_from, new_engine
from tests.benchmarks.rows import Row

_SECRET = 0x5EED
_KEYS = 20_000
_SPILLED = 100
_PACK = """
[pack]
name = "memory"
version = "1"
[event.use.attributes]
account = {{ entity = "account", required = true }}
other = "text"
amount = "number"
[[segment]]
name = "default"
[[feature]]
name = "measured"
on = "use"
value = '{value}'
"""
_AGGREGATES = (
    'count("use", by=account{over})',
    "total(amount, by=account{over})",
    "mean(amount, by=account{over})",
    "smallest(amount, by=account{over})",
    "largest(amount, by=account{over})",
    "first(amount, by=account{over})",
    "last(amount, by=account{over})",
    'since("use", by=account{over})',
    "rate(amount > 5, by=account{over})",
    "distinct(other, by=account{over})",
    "is_new(other, by=account{over})",
)


def _bytes_per_key(aggregate: str, keys: int, values: int) -> tuple[float, float]:
    """Bytes in use per key after `values` events of each, and rows left after the key's windows have passed."""
    engine = new_engine(checked_from({"pack.toml": _PACK.format(value=aggregate)}), _SECRET, keys)
    wire = Decoder(engine.checked, engine.plan.longest).wires["use"]
    start = 1_767_609_072_000_000
    events = [
        Event(
            "bench",
            f"{key}-{value}",
            "use",
            start,
            start,
            wire.data(account=f"a{key}", other=f"o{value}", amount=float(value)),
        )
        for value in range(values)
        for key in range(keys)
    ]
    engine.run(events)
    used = engine.rows.size().used_bytes / keys
    late = start + 200 * DAY
    engine.run([Event("bench", "late", "use", late, late, wire.data(account="late", other="o", amount=1.0))])
    for _ in range(keys):
        engine.rows.sweep(late, 64)
    return used, engine.rows.size().rows


def run() -> list[Row]:
    """The largest over all windows and aggregates; the same where a distinct count spilled; what eviction leaves."""
    overs = [f', over="{name}"' for name in WINDOWS]
    exact = {
        (value, over): _bytes_per_key(value.format(over=over), _KEYS // 10, 1)
        for value, over in product(_AGGREGATES, overs)
    }
    profiles = [
        _bytes_per_key(value.format(over=""), _KEYS // 10, 1)[0]
        for value in _AGGREGATES
        if value[:5] in ("first", "last(", "since", "is_ne")
    ]
    spilled = [
        _bytes_per_key(value.format(over=over), _SPILLED, 40)[0] - exact[value, over][0]
        for value, over in product(_AGGREGATES[-2:], overs)
    ]
    largest = max(used for used, _ in exact.values())
    return [
        Row("state per entity and aggregate, largest over all windows", largest, "bytes", None, "<=", 1_024),
        Row("state per entity and profile, largest", max(profiles), "bytes", None, "<=", 1_024),
        Row("more where a distinct count or set spilled, largest", max(spilled), "bytes", None, "<=", 2_100),
        Row(
            "rows left of 2,000 after 200 idle days, largest",
            max(left for _, left in exact.values()) - 1,
            "rows",
            None,
            "<=",
            0,
        ),
    ]
