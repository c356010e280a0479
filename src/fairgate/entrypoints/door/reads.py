"""The handlers that look: at a decision, at an entity, at the lists, at the switches. They change nothing."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from fairgate.decide.policy import ALL_RULES
from fairgate.decide.reasons import Given, Reader, render
from fairgate.detect.lists import FOREVER, Entry
from fairgate.domain.action import SWITCH
from fairgate.domain.errors import BadEntity, LogBroken, NoSuchEntityKind, NoSuchList, NoSuchRecord, PipelineStopped
from fairgate.domain.event import moment
from fairgate.domain.ledger import Subject
from fairgate.domain.pack import Mode, Stage
from fairgate.entrypoints.door.door import Door
from fairgate.entrypoints.door.http import JSON, Request, Response, encode, problem
from fairgate.entrypoints.door.personal import headers_of, note_read, sight
from fairgate.entrypoints.door.shown import (
    DecisionAnswer,
    DecisionShown,
    EntityAnswer,
    EntityFeatureShown,
    EntriesAnswer,
    EntryShown,
    EventShown,
    FeatureShown,
    ListsAnswer,
    ListShown,
    ReasonShown,
    RuleShown,
    SwitchesAnswer,
)
from fairgate.language.problems import one_of
from fairgate.language.tree import Kind
from fairgate.pipeline.engine import FeatureValue
from fairgate.pipeline.entity_view import EntityFeature, entity_view
from fairgate.pipeline.explain import Explanation, FiredRule

#: Entries of a list on one page: unless asked, and at most.
PAGE, LONGEST_PAGE = 100, 1_000
_LARGEST_SEQUENCE = 1 << 62


async def decision(door: Door, request: Request) -> Response:
    """A decision by its number, or by its event's source and id."""
    pipeline, name = door.pipeline, request.params["id"]
    source = request.query.get("source")
    if source is not None:
        sequence = pipeline.lookup.find(source, name)
    elif name.isascii() and name.isdigit():
        sequence = int(name[:20]) if int(name[:20]) < _LARGEST_SEQUENCE else None
    else:
        return problem(400, "no_source", "an event's id needs its source: add ?source=...", "source")
    if sequence is None:
        return _no_decision(source)
    seen = sight(door, request)
    loop, explain = asyncio.get_running_loop(), pipeline.explainer.explain
    try:  # an older pack has to be compiled: not here, where others wait
        explained = await loop.run_in_executor(None, lambda: explain(sequence, personal=seen.shown))
    except NoSuchRecord:
        return _no_decision(source)
    except LogBroken as error:
        raise PipelineStopped from error
    if seen.shown and explained.personal:
        await note_read(door, request, Subject("decision", str(sequence)), seen)
    return Response(200, encode(_decision_answer(sequence, explained)), JSON + headers_of(seen))


async def entity(door: Door, request: Request) -> Response:
    """What is remembered of an entity now, and the lists it is in."""
    engine, now = door.pipeline.engine, door.clock.now()
    try:
        view = entity_view(engine, request.params["kind"], request.params["value"], now)
    except NoSuchEntityKind as error:
        return no_kind(error)
    except BadEntity as error:
        return problem(422, "invalid", f"the value {error.reason}", "value")
    seen = sight(door, request)
    hidden = view.token and not seen.shown
    answer = EntityAnswer(
        kind=view.kind,
        value=view.token if hidden else view.value,
        seen=view.seen,
        at=moment(max(now, engine.clock)),
        features=[_entity_feature(each) for each in view.features],
        lists=[entry_shown(name, each) for name, each in view.lists.items()],
    )
    if view.token and seen.shown:
        await note_read(door, request, Subject(view.kind, view.token), seen)
    return Response(200, encode(answer), JSON + headers_of(seen))


async def all_lists(door: Door, _request: Request) -> Response:
    """The lists of the pack."""
    engine = door.pipeline.engine
    lists = [
        ListShown(
            name=each.name,
            about=each.about,
            entity=each.entity,
            effect=each.effect.word if each.effect is not None else None,
            reason=each.reason,
            personal=engine.lists.is_personal(each.name),
        )
        for each in engine.checked.pack.lists.values()
    ]
    return Response(200, encode(ListsAnswer(lists)))


async def entries(door: Door, request: Request) -> Response:
    """What stands in a list now, by value, a page at a time."""
    given, after, name = request.query.get("limit", str(PAGE)), request.query.get("after", ""), request.params["name"]
    if not (given.isascii() and given.isdigit() and len(given) <= len(str(LONGEST_PAGE)) and int(given) >= 1):
        return problem(400, "bad_limit", f"limit must be a whole number from 1 to {LONGEST_PAGE}", "limit")
    limit, now, lists = min(int(given), LONGEST_PAGE), door.clock.now(), door.pipeline.engine.lists
    try:  # a long list takes a while to sort
        standing = await asyncio.get_running_loop().run_in_executor(None, lists.standing, name, now)
    except NoSuchList as error:
        return no_list(error)
    page = [each for each in standing if each.value > after][: limit + 1]
    following = page[limit - 1].value if len(page) > limit else None
    return Response(200, encode(EntriesAnswer([entry_shown(name, each) for each in page[:limit]], following)))


async def switches(door: Door, _request: Request) -> Response:
    """What is switched off."""
    off = door.pipeline.engine.brakes.off
    actions = sorted(each.removeprefix(SWITCH) for each in off if each.startswith(SWITCH))
    rules = sorted(each for each in off if each != ALL_RULES and not each.startswith(SWITCH))
    return Response(200, encode(SwitchesAnswer(ALL_RULES in off, rules, actions)))


def no_list(error: NoSuchList) -> Response:
    """The answer where the pack has no such list."""
    return problem(404, "unknown_list", f"the pack has no such list ({one_of(error.name, error.known)})", "name")


def no_kind(error: NoSuchEntityKind) -> Response:
    """The answer where the pack has no such kind of entity."""
    reason = f"no event type of the pack has an entity of this kind ({one_of(error.kind, error.known)})"
    return problem(404, "unknown_kind", reason, "kind")


def entry_shown(name: str, entry: Entry) -> EntryShown:
    """An entry of a list as it is answered."""
    until = None if entry.until == FOREVER else moment(entry.until)
    if entry.told is None:
        return EntryShown(name, entry.value, until)
    return EntryShown(name, entry.value, until, entry.told.by, entry.told.why)


def _no_decision(source: str | None) -> Response:
    if source is None:
        return problem(404, "no_decision", "no event was decided on under this number", "id")
    return problem(404, "no_decision", "no event of this source and id came within the last thirty days", "id")


def _decision_answer(sequence: int, explained: Explanation) -> DecisionAnswer:
    record, decided = explained.record, explained.record.decision
    why = {each.rule.name: each.why for each in explained.rules if each.why}
    return DecisionAnswer(
        sequence=sequence,
        event=EventShown(
            source=record.source,
            id=record.id,
            type=record.type,
            time=moment(record.time),
            received=moment(record.received),
            attributes=_there(explained.public),
            personal=_there(explained.personal),
            readable=explained.readable,
        ),
        decision=DecisionShown(
            action=decided.action.word,
            log_odds=decided.log_odds,
            probability=decided.probability,
            segment=decided.segment,
            lists=list(decided.lists),
            silent=list(decided.silent),
            drawn=list(decided.drawn),
            notes=list(decided.notes),
            degraded=list(decided.degraded),
            propensity=decided.propensity,
            pack=decided.pack,
        ),
        reasons=[_reason(each, why) for each in explained.reasons],
        rules=[_rule(each) for each in explained.rules],
        features={name: FeatureShown(kind, _value(kind, value)) for name, (kind, value) in explained.features.items()},
    )


def _reason(given: Given, why: Mapping[str, str]) -> ReasonShown:
    return ReasonShown(
        code=given.reason.code,
        user=render(given, Reader.USER, why),
        reviewer=render(given, Reader.REVIEWER, why),
        executive=render(given, Reader.EXECUTIVE, why),
        score=given.score,
        decisive=given.decisive,
        lists=list(given.lists),
        rules=list(given.rules),
    )


def _rule(fired: FiredRule) -> RuleShown:
    rule = fired.rule
    return RuleShown(rule.name, rule.score, mode_word(rule.mode), fired.silent, rule.owner, rule.group, fired.why)


def mode_word(mode: Mode) -> str:
    """A mode as packs write it."""
    return f"canary {mode.fraction * 100:g}%" if mode.stage == Stage.CANARY else mode.stage


def _entity_feature(feature: EntityFeature) -> EntityFeatureShown:
    aggregate = feature.aggregate
    return EntityFeatureShown(
        name=feature.name,
        formula=aggregate.text,
        window=aggregate.over.name,
        by=aggregate.by[0].path,
        read_at=list(feature.read_at),
        type=aggregate.kind,
        value=_value(aggregate.kind, feature.value),
    )


def _value(kind: Kind, value: FeatureValue) -> float | str | bool | None:
    if isinstance(value, float) and math.isnan(value):
        return None
    return str(msgspec.to_builtins(moment(value))) if kind == Kind.TIME and isinstance(value, int) else value


def _there(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}
