"""The door's metrics: what is counted where, what can't become a label, and that each is explained."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fairgate import __version__
from fairgate.domain.action import Action
from fairgate.domain.event import Decision, Refusal
from fairgate.domain.pack import Pack
from fairgate.ingest import decode
from fairgate.kernel.rows import RowsSize
from fairgate.monitor.metric_list import METRICS, OTHER, REFUSALS, Beside, ChildReading, Reading, metrics_page
from fairgate.monitor.metrics import DoorMetrics
from fairgate.pipeline.online import Answer
from fairgate.wiring import checked_from

ROOT = Path(__file__).parents[3]
PACK = """
[pack]
name = "small"
version = "{version}"

[event.seen.attributes]
account = {{ entity = "account", required = true }}
n = "number"

[[segment]]
name = "default"

[[rule]]
name = "{rule}"
on = "seen"
when = "n > 5"

[[rule]]
name = "huge"
on = "seen"
when = "n > 50"
"""
READING = Reading(
    queue_events=3,
    queue_requests=2,
    log_end=77,
    rows=RowsSize(10, 2_000, 4_000, 6, 1),
    rule_errors=4,
    feature_errors=5,
    repeats_waiting=9,
)

Samples = dict[tuple[str, frozenset[str]], float]


def pack(rule: str = "large", version: str = "1") -> Pack:
    return checked_from({"pack.toml": PACK.format(rule=rule, version=version)}).pack


@pytest.fixture
def metrics() -> DoorMetrics:
    return DoorMetrics(pack(), ["/v1/decide", "/v1/entities/{kind}/{value}"], ["signup", "default"])


def shown(metrics: DoorMetrics, reading: Reading = READING) -> Samples:
    """Each of Fairgate's series as Prometheus reads it, by name and label values."""
    families = text_string_to_metric_families(metrics.render(reading).decode())
    samples = [sample for family in families for sample in family.samples if sample.name.startswith("fairgate_")]
    return {(sample.name, frozenset(sample.labels.values())): sample.value for sample in samples}


def value(samples: Samples, name: str, *labels: str) -> float | None:
    return samples.get((f"fairgate_{name}", frozenset(labels)))


def answered(decision: Decision, kind: str = "seen", name: str = "1", *, repeated: bool = False) -> Answer:
    return Answer(kind, name, 0, decision, repeated, decision.action)


def answer(*rules: str, action: Action = Action.ALLOW, silent: tuple[str, ...] = (), kind: str = "seen") -> Answer:
    decision = Decision(action, 0.0, 0.5, "default", rules, silent)
    return answered(decision, kind)


def test_requests_are_counted_and_timed(metrics: DoorMetrics) -> None:
    metrics.answered("/v1/decide", 200, 0.002, "signup")
    metrics.answered("/v1/decide", 200, 0.0021, "signup")
    metrics.answered("/v1/decide", 429, 9.0, "default")
    metrics.answered("/v1/entities/{kind}/{value}", 404, 0.1)
    found = shown(metrics)
    assert value(found, "requests_total", "/v1/decide", "200", "signup") == 2
    assert value(found, "requests_total", "/v1/decide", "429", "default") == 1
    assert value(found, "requests_total", "/v1/entities/{kind}/{value}", "404", "") == 1
    buckets = {le: value(found, "request_seconds_bucket", "/v1/decide", le) for le in ("0.001", "0.002", "5.0", "+Inf")}
    assert buckets == {"0.001": 0, "0.002": 1, "5.0": 2, "+Inf": 3}
    assert value(found, "request_seconds_count", "/v1/decide") == 3
    assert value(found, "request_seconds_sum", "/v1/decide") == pytest.approx(9.0041)


def test_outcomes_are_counted_by_what_became_of_them(metrics: DoorMetrics) -> None:
    failed = Decision(Action.ALLOW, 0.0, 0.5, "default", degraded=("rule large: E", "feature: E"))
    broken = answered(failed, name="2")
    repeat = answered(Decision(Action.BAN, 0.0, 0.5, "default", ("huge",)), repeated=True)
    metrics.decided([answer(), answer("large", "huge", action=Action.HOLD, silent=("huge",)), broken])
    metrics.decided([repeat, Refusal("late", "time", "time is old"), Refusal("late", "time", "time is old")])
    found = shown(metrics)
    assert value(found, "decisions_total", "seen", "allow") == 2
    assert value(found, "decisions_total", "seen", "hold") == 1
    assert value(found, "decisions_total", "seen", "ban") == 0, "a repeat is no decision"
    assert value(found, "rules_fired_total", "large", "false") == 1
    assert value(found, "rules_fired_total", "huge", "true") == 1
    assert value(found, "rules_fired_total", "huge", "false") == 0
    assert [value(found, "degraded_total", what) for what in ("rule", "feature", OTHER)] == [1, 1, 0]
    assert value(found, "refusals_total", "late") == 2
    assert value(found, "repeats_total") == 1


def test_fallbacks_and_commits_are_counted(metrics: DoorMetrics) -> None:
    metrics.fell_back("signup", "deadline")
    metrics.committed(7, 0.03)
    found = shown(metrics)
    assert value(found, "fallbacks_total", "signup", "deadline") == 1
    assert value(found, "fallbacks_total", "default", "disk") == 0
    assert [value(found, "commit_events_bucket", le) for le in ("5.0", "10.0")] == [0, 1]
    assert [value(found, "commit_seconds_bucket", le) for le in ("0.02", "0.05")] == [0, 1]


BESIDE = ("desk_up", "desk_starts_total", "clerk_up", "clerk_starts_total")


def test_sizes_are_read_when_somebody_asks(metrics: DoorMetrics) -> None:
    found = shown(metrics)
    names = ("queue_events", "queue_requests", "log_end", "rows", "rows_bytes", "rows_evicted_total", "repeats_waiting")
    assert [value(found, name) for name in names] == [3, 2, 77, 10, 2_000, 6, 9]
    assert [value(found, name) for name in ("rule_errors_total", "feature_errors_total")] == [4, 5]
    assert value(found, "snapshot_age_seconds") is None
    assert [value(found, name) for name in BESIDE] == [None] * 4
    known = replace(READING, snapshot_age=12.5, beside=Beside(desk=ChildReading(up=True, starts=3)))
    found = shown(metrics, known)
    assert [value(found, name) for name in ("snapshot_age_seconds", *BESIDE)] == [12.5, 1.0, 3.0, None, None]
    found = shown(metrics, replace(known, beside=Beside(clerk=ChildReading(up=False, starts=7))))
    assert [value(found, name) for name in BESIDE] == [None, None, 0.0, 7.0]


def test_another_pack_brings_its_own_labels_and_keeps_what_both_have(metrics: DoorMetrics) -> None:
    metrics.decided([answer("large", "huge", action=Action.HOLD)])
    first, second = pack(), pack("giant", version="2")
    assert value(shown(metrics), "build_info", __version__, first.label) == 1
    metrics.live(second)
    found = shown(metrics)
    assert value(found, "build_info", __version__, first.label) is None
    assert value(found, "build_info", __version__, second.label) == 1
    assert value(found, "rules_fired_total", "large", "false") is None
    assert value(found, "rules_fired_total", "giant", "false") == 0
    assert value(found, "rules_fired_total", "huge", "false") == 1
    assert value(found, "decisions_total", "seen", "hold") == 1


HOSTILE = ['anna@example.com"} 1\nfairgate_up 9', "../../etc/passwd", "x" * 10_000, "\x00\ud7ff", "", "{{}}"]


def test_nothing_from_outside_becomes_a_label(metrics: DoorMetrics) -> None:
    def every(words: list[str]) -> None:
        for word in words:
            metrics.answered(f"/v1/{word}", 404, 0.001, word)
            metrics.answered(word, 200, 0.001, f"signup{word}")
            metrics.fell_back(word, word)
            metrics.decided([Refusal(f"late{word}", word, word, word), answer(f"large{word}", kind=f"seen{word}!")])
            decision = Decision(Action.ALLOW, 0.0, 0.5, word, degraded=(f"{word}: {word}",))
            metrics.decided([answered(decision, f"!{word}", word)])

    every([f"{word}0" for word in HOSTILE])
    first, text = shown(metrics), metrics.render(READING).decode()
    assert "anna" not in text
    assert "passwd" not in text
    assert "xx" not in text
    every([f"{word}{number}" for word in HOSTILE for number in range(1, 200)])
    assert shown(metrics).keys() == first.keys()
    assert value(shown(metrics), "refusals_total", OTHER) == len(HOSTILE) * 200
    assert value(shown(metrics), "rules_fired_total", OTHER, "false") == len(HOSTILE) * 200


def test_each_code_of_a_refusal_is_declared() -> None:
    used = set(re.findall(r'Refusal\("(\w+)"', Path(decode.__file__).read_text("utf-8")))
    assert used <= set(REFUSALS)


def test_each_metric_is_explained_and_shown_as_declared(metrics: DoorMetrics) -> None:
    one = ChildReading(up=True, starts=1)
    reading = Reading(0, 0, 0, READING.rows, 0, 0, 0, snapshot_age=1.0, beside=Beside(one, one))
    metrics.answered("/v1/decide", 200, 0.001, "signup")
    families = {
        family.name: family
        for family in text_string_to_metric_families(metrics.render(reading).decode())
        if family.name.startswith("fairgate_")
    }
    assert families.keys() == {each.name for each in METRICS}
    for each in METRICS:
        family = families[each.name]
        assert (family.type, family.documentation) == (each.kind, each.about)
        assert re.fullmatch(r"[A-Z0-9].{10,}\.", each.about), each.name
        assert {*each.labels, "le"} >= family.samples[0].labels.keys() >= {*each.labels}
        assert f"| `{each.shown}` | {each.kind} |" in metrics_page()


def test_the_page_is_not_stale() -> None:
    assert (ROOT / "docs" / "reference" / "metrics.md").read_text("utf-8") == metrics_page(), "run `make docs`"
