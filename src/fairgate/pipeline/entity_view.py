"""An entity as it stands now: what is remembered of it, and the lists it is in."""

from collections.abc import Mapping
from dataclasses import dataclass

from fairgate.detect.lists import Entry
from fairgate.language.tree import Aggregate
from fairgate.pipeline.engine import Engine, FeatureValue


@dataclass(frozen=True, slots=True)
class EntityFeature:
    """One aggregate by the entity. `name` is what rules call it, its text where it has no name."""

    name: str
    aggregate: Aggregate
    read_at: tuple[str, ...]
    value: FeatureValue


@dataclass(frozen=True, slots=True)
class EntityView:
    """`token` stands for a personal value, and is empty for others. `seen`: whether anything is remembered of it."""

    kind: str
    value: str
    token: str
    seen: bool
    features: tuple[EntityFeature, ...]
    lists: Mapping[str, Entry]


def entity_view(engine: Engine, kind: str, value: str, now: int) -> EntityView:
    """What an engine knows of an entity at a time; changes nothing. Raises `NoSuchEntityKind` or `BadEntity`."""
    peeked = engine.peek(kind, value, now)
    return EntityView(
        kind=kind,
        value=peeked.value,
        token=peeked.token,
        seen=peeked.seen,
        features=tuple(_feature(engine, aggregate, value) for aggregate, value in peeked.features),
        lists=engine.lists.listing(kind, peeked.value, max(now, engine.clock)),
    )


def _feature(engine: Engine, aggregate: Aggregate, value: FeatureValue) -> EntityFeature:
    names = {
        event_type: name
        for event_type, read in engine.checked.read.items()
        for name, each in read.items()
        if each.text == aggregate.text
    }
    name = next((name for name in names.values() if name != aggregate.text), aggregate.text)
    return EntityFeature(name, aggregate, tuple(names), value)
