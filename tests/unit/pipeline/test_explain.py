"""Decisions explained from their records: in the words of their own pack, with and without what is personal."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fairgate.domain.errors import NoSuchRecord
from fairgate.pipeline.explain import Explanation
from fairgate.pipeline.online import Answer, Pipeline
from tests.support import NOW, PACK, SetClock, body, open_pipeline, request, traffic
from tests.unit.pipeline.live import NEXT_PACK, answers

#: Its words speak of what is personal, of what tells nobody who it is, of a feature and of a text.
TELLING = PACK.replace(
    'why = "{count} sign-ups from {ip.network}"',
    'why = "{count} sign-ups from {ip.network} as {email.domain}, {email}, plan {plan}"',
)


@contextmanager
def played(folder: Path, text: str = PACK, count: int = 120) -> Iterator[tuple[Pipeline, list[Answer]]]:
    """A pipeline after some traffic, and what was answered."""
    clock = SetClock()
    with open_pipeline(folder, text, clock=clock) as pipeline:
        found = []
        for raw, received in traffic(count):
            clock.time = received
            found += answers(pipeline, raw)
        yield pipeline, found


def explained(pipeline: Pipeline, sequence: int, *, personal: bool = True) -> Explanation:
    return pipeline.explainer.explain(sequence, personal=personal)


def test_every_decision_is_explained_as_it_was_made(tmp_path: Path) -> None:
    with played(tmp_path) as (pipeline, found):
        engine = pipeline.engine
        fired = 0
        for answer, (raw, received) in zip(found, traffic(120), strict=True):
            told = explained(pipeline, answer.sequence)
            event = pipeline.decoder.single(raw, received)
            judged = pipeline.judged(event, answer.sequence)  # type: ignore[arg-type]
            assert told.record.decision == answer.decision
            assert {each.rule.name: each.why for each in told.rules if each.why} == engine.why(judged)
            assert [each.rule.name for each in told.rules] == list(answer.decision.rules)
            assert [name for name, _ in engine.recorded(answer.type)] == list(told.features)
            values = engine.values(answer.type, judged.features)
            for (_, value), expected in zip(told.features.values(), values, strict=True):
                assert value == expected or (isinstance(value, float) and math.isnan(value))
            fired += bool(told.rules)
        assert fired > 20


def test_without_personal_there_are_tokens_and_what_tells_nobody_who_it_is(tmp_path: Path) -> None:
    with open_pipeline(tmp_path, TELLING) as pipeline:
        found = answers(pipeline, *(body({"plan": "free"}, id=str(number)) for number in range(4)))
        open_, hidden = (explained(pipeline, found[-1].sequence, personal=personal) for personal in (True, False))
        token = pipeline.engine.tokens.text
    assert open_.readable
    assert open_.personal == {"email": "a@example.com", "ip": "198.51.100.7"}
    assert open_.rules[0].why == "4 sign-ups from 198.51.100.0/24 as example.com, a@example.com, plan free"
    assert not hidden.readable
    assert hidden.personal == {"email": token("a@example.com"), "ip": token("198.51.100.7")}
    assert hidden.rules[0].why == "4 sign-ups from 198.51.100.0/24 as example.com, unknown, plan free"
    assert open_.public == hidden.public


def test_what_is_erased_can_be_read_by_nobody(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as pipeline:
        [answer] = answers(pipeline, body())
        before = explained(pipeline, answer.sequence, personal=False)
        pipeline.erase("a", "test", "asked for")
        assert explained(pipeline, answer.sequence) == before


def test_an_event_without_personal_attributes_is_explained(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as pipeline:
        [answer] = answers(pipeline, request(1, cost=2.0))
        told = explained(pipeline, answer.sequence)
    assert (told.personal, told.readable, told.public["cost"]) == ({}, False, 2.0)


def test_a_decision_of_an_earlier_pack_is_told_in_its_words(tmp_path: Path) -> None:
    changed = NEXT_PACK.replace("{count} sign-ups from", "Now it would say {count} from").replace(
        "score = 3.0", "score = 2.5"
    )
    with played(tmp_path) as (pipeline, found):
        before = [explained(pipeline, answer.sequence) for answer in found]
    with open_pipeline(tmp_path, changed, clock=SetClock(traffic(121)[-1][1])) as pipeline:
        assert [explained(pipeline, answer.sequence) for answer in found] == before
        texts = pipeline.engine.texts.all()
        many = answers(pipeline, *(body({"ip": "192.0.2.1"}, id=f"new{number}") for number in range(3)))
        last = explained(pipeline, many[-1].sequence)
        assert pipeline.engine.texts.all() == texts
    assert last.rules[0].why == "Now it would say 3 from 192.0.2.0/24"
    assert (last.rules[0].rule.score, last.pack) == (2.5, "support 2 " + last.pack[-10:])


def test_there_is_nothing_to_explain_but_decisions(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as pipeline:
        for sequence in (0, 1, 99):  # the pack, and numbers never given
            with pytest.raises(NoSuchRecord):
                explained(pipeline, sequence)
        assert pipeline.clock.now() == NOW
