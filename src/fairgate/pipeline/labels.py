"""Labels: what somebody has found out about an earlier event, made an event of the pack's own label type."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from fairgate.domain.errors import BadLabel
from fairgate.domain.event import Event
from fairgate.domain.pack import EventType, Pack
from fairgate.ingest.wire import Wire
from fairgate.language.problems import one_of
from fairgate.pipeline.explain import Explanation

_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says of an event: whether it was bad, and more, by attributes of the label type.

    `bad` is None where they looked and could not tell. `type` is the label type, or empty where only one speaks of
    such events. `id` tells labels apart that say the same.
    """

    by: str
    bad: bool | None
    more: Mapping[str, str | float]
    type: str
    id: str


def label_event(pack: Pack, wires: Mapping[str, Wire], spoken_of: Explanation, said: Said, now: int) -> Event:
    """The event of a label, timed now: it has the attributes of the event spoken of that its type declares too.

    It has the source of the event, by which it is known whose id `of` is. The same said again by the same has the same
    id. Raises `BadLabel`.
    """
    label = _label_type(pack, spoken_of.record.type, said.type)
    record, wire = spoken_of.record, wires[label.name]
    told: dict[str, Any] = {"of": record.id, "bad": said.bad, **said.more}
    for name in told:
        if label.attribute(name) is None:
            hint = one_of(name, [each.name for each in label.attributes])
            raise BadLabel(f"{label.name} has no attribute `{name}` ({hint})", name)
    kept = {**spoken_of.public, **(spoken_of.personal if spoken_of.readable else {})}
    known = {each.name: kept[each.name] for each in label.attributes if kept.get(each.name) is not None}
    try:
        data = msgspec.convert({**known, **told}, wire.data, strict=True)
    except msgspec.ValidationError as error:
        raise BadLabel(f"{label.name} can't be made of what {record.type} has: {error}") from error
    words = msgspec.json.encode([record.source, record.id, said.by, label.name, told, said.id], order="sorted")
    return Event(record.source, blake2b(words, digest_size=_ID_BYTES).hexdigest(), label.name, now, now, data)


def _label_type(pack: Pack, event_type: str, wanted: str) -> EventType:
    found = {each.name: each for each in pack.event_types.values() if event_type in each.label_of}
    if not found:
        raise BadLabel(f"the pack has no label type that speaks of {event_type}", "of")
    if wanted and wanted not in found:
        raise BadLabel(f"`{wanted}` is no label type that speaks of {event_type} ({one_of(wanted, found)})", "type")
    if not wanted and len(found) > 1:
        raise BadLabel(f"several label types speak of {event_type}: say which ({', '.join(sorted(found))})", "type")
    return found[wanted] if wanted else next(iter(found.values()))
