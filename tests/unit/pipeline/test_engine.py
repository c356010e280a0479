"""The state machine: the same events give the same bytes, however they are bundled and wherever they are run."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairgate.domain.action import Action
from fairgate.domain.event import Event
from fairgate.domain.windows import DAY, HOUR
from fairgate.ingest.decode import Decoder
from fairgate.language import functions
from fairgate.language.tree import Kind
from fairgate.pipeline.engine import Engine, Judged
from fairgate.pipeline.records import Recorder, encode
from fairgate.pipeline.seals import NOBODY
from tests.support import BREAKING_SEATS, NOW, PACK, body, breaking_log, checked, new_engine, read, request, traffic

WEEK = 7 * DAY
ROOT = Path(__file__).parents[3]
DECODER = Decoder(checked(), WEEK)
EVENTS = [read(DECODER, raw, received) for raw, received in traffic(300)]


def as_bytes(engine: Engine, judged: Sequence[Judged]) -> list[bytes]:
    """What the log would hold of each."""
    recorder = Recorder(engine, DECODER.wires)
    return [encode(recorder.record(each, NOBODY, b"")) for each in judged]


def run_in(sizes: Sequence[int]) -> tuple[Engine, list[bytes]]:
    """A new engine, and what it makes of all events given in batches of these sizes, round and round."""
    engine, found, at, turn = new_engine(), list[bytes](), 0, 0
    while at < len(EVENTS):
        size = sizes[turn % len(sizes)]
        found += as_bytes(engine, engine.run(EVENTS[at : at + size]))
        at, turn = at + size, turn + 1
    return engine, found


# ---------------------------------------------------------------------------------------------------------------- bytes


def test_the_traffic_shows_every_rule_and_every_kind_of_decision() -> None:
    """Else the comparisons below would compare little."""
    engine = new_engine()
    judged = engine.run(EVENTS)
    assert {rule for each in judged for rule in each.decision.rules} == {
        "burst", "throwaway", "watched_model", "tried", "capped"
    }  # fmt: skip
    assert {each.decision.action for each in judged} >= {Action.ALLOW, Action.THROTTLE, Action.CHALLENGE, Action.HOLD}
    assert {each.decision.segment for each in judged} == {"enterprise", "default"}
    assert {each.decision.propensity for each in judged} == {0.4, 0.6, 1.0}
    assert any(
        text for each in judged for text in engine.values(each.event.type, each.features) if isinstance(text, str)
    )


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5))
@settings(max_examples=10)
def test_batches_make_no_difference(sizes: list[int]) -> None:
    assert run_in(sizes)[1] == run_in([len(EVENTS)])[1]


_DIGEST = """
import hashlib
from tests.unit.pipeline.test_engine import run_in
print(hashlib.sha256(b"".join(run_in([7])[1])).hexdigest())
"""


@pytest.mark.parametrize("seed", ["0", "1"])
def test_another_process_comes_to_the_same_bytes(seed: str) -> None:
    """Python's own hashes differ from process to process; nothing may depend on them."""
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    other = subprocess.run(
        [sys.executable, "-c", _DIGEST], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == hashlib.sha256(b"".join(run_in([300])[1])).hexdigest()


def test_another_secret_draws_other_canaries_and_counts_the_same() -> None:
    one, other = new_engine().run(EVENTS), new_engine(secret=1).run(EVENTS)
    assert [each.packed for each in one] == [each.packed for each in other]
    assert [each.decision.silent for each in one] != [each.decision.silent for each in other]


# --------------------------------------------------------------------------------------------------------------- absorb


@pytest.mark.parametrize("cut", [1, 150, 299])
def test_after_absorbing_it_goes_on_as_if_it_had_decided(cut: int) -> None:
    first = new_engine()
    decided = first.run(EVENTS[:cut])
    second = new_engine()
    second.absorb(EVENTS[:cut], [each.decision for each in decided], [each for one in decided for each in one.entries])
    assert as_bytes(second, second.run(EVENTS[cut:])) == as_bytes(first, first.run(EVENTS[cut:]))
    assert second.clock == first.clock == EVENTS[-1].received
    assert (second.brakes, second.texts.all()) == (first.brakes, first.texts.all())


def test_the_clock_never_goes_back() -> None:
    engine = new_engine()
    late = read(DECODER, body(id="late"), NOW - HOUR)
    engine.run([read(DECODER, body(), NOW)])
    [judged] = engine.run([late])
    assert engine.clock == NOW
    assert judged.features == [1.0]  # the hour that ends now has no place for it


# --------------------------------------------------------------------------------------------------------------- faults


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine whose `log` raises on a certain number."""
    monkeypatch.setattr(functions, "_log", breaking_log)
    return new_engine()


def breaking_request(number: int) -> Event:
    return read(DECODER, request(number, cost=7.0, ip="203.0.113.1", seats=BREAKING_SEATS))


def test_a_rule_that_raises_is_left_out_told_and_counted(breaking: Engine) -> None:
    event = read(DECODER, body({"seats": BREAKING_SEATS, "email": "a@mailinator.com"}))
    [judged] = breaking.run([event])
    assert judged.decision.degraded == ("rule breaks: ZeroDivisionError",)
    assert judged.decision.rules == ("throwaway",)
    assert (breaking.counts.rule_errors, breaking.counts.feature_errors) == (1, 0)


def test_a_feature_that_raises_is_missing_told_and_counted(breaking: Engine) -> None:
    sound = [read(DECODER, request(number, cost=7.0, seats=2)) for number in (0, 2)]
    judged = breaking.run([sound[0], breaking_request(1), sound[1]])
    assert [each.decision.degraded for each in judged] == [
        (), ("feature: ZeroDivisionError", "rule breaks: ZeroDivisionError"), ()
    ]  # fmt: skip
    assert (breaking.counts.rule_errors, breaking.counts.feature_errors) == (1, 1)
    assert judged[1].decision.rules == ("tried", "capped")
    names = [name for name, _ in breaking.recorded("api.request")]
    [spent], [broken] = (
        [at for at, name in enumerate(names) if name.startswith(f"total({what}")] for what in ("cost", "log(seats)")
    )
    assert [each.features[spent] for each in judged] == [7.0, 14.0, 21.0]
    assert [each.features[broken] for each in judged] == [2.0, 2.0, 4.0]


def test_what_raises_does_so_everywhere_alike(breaking: Engine) -> None:
    events = [breaking_request(number) if number % 5 == 0 else event for number, event in enumerate(EVENTS[:60])]
    at_once = as_bytes(breaking, breaking.run(events))
    one_by_one = new_engine()
    assert [found for event in events for found in as_bytes(one_by_one, one_by_one.run([event]))] == at_once


def test_words_that_raise_leave_the_decision_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pack = PACK.replace('why = "{count} sign-ups', 'why = "{log(seats)} of {count} sign-ups')
    monkeypatch.setattr(functions, "_log", breaking_log)
    engine = new_engine(pack)
    many = [read(DECODER, body({"seats": 2 if number else BREAKING_SEATS}, id=str(number))) for number in (1, 2, 3, 0)]
    judged = engine.run(many)
    assert engine.why(judged[2]) == {"burst": "2 of 3 sign-ups from 198.51.100.0/24"}
    assert engine.why(judged[3]) == {"burst": "its words could not be made (ZeroDivisionError)"}


# --------------------------------------------------------------------------------------------------------------- values


def test_features_have_names_and_types() -> None:
    engine = new_engine()
    judged = engine.run(
        [read(DECODER, request(number, model="big", cost=2.0, ip="203.0.113.1"), NOW) for number in range(2)]
    )
    names = [name.split("(")[0] for name, _ in engine.recorded("api.request")]
    kinds = {name.split("(")[0]: kind for name, kind in engine.recorded("api.request")}
    assert kinds["last"] == Kind.TEXT
    assert kinds["is_new"] == Kind.BOOL
    first, second = (dict(zip(names, engine.values("api.request", each.features), strict=True)) for each in judged)
    assert (first["last"], first["is_new"], first["mean"]) == (None, True, 2.0)
    assert (second["last"], second["is_new"], second["mean"]) == ("big", False, 2.0)


def test_a_reset_engine_is_as_good_as_new() -> None:
    engine = new_engine()
    engine.lists.put("banned", "a1", NOW + DAY)
    engine.brakes.switch("burst", off=True)
    engine.run([read(DECODER, raw, received + DAY) for raw, received in traffic(200)])
    engine.reset()
    new = new_engine()
    assert as_bytes(engine, engine.run(EVENTS)) == as_bytes(new, new.run(EVENTS))
    assert engine.counts == new.counts
    assert engine.lists.entries(NOW) == new.lists.entries(NOW)
