"""CloudEvents 1.0 JSON to events: single, batch and lines.

Every fault names its field and reason, and in a batch the good events go through.
"""

import re
from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any, TypeAlias

import msgspec

from fairgate.domain.event import Event, Refusal, microseconds
from fairgate.domain.windows import DAY, LONGEST_REPEAT, MINUTE
from fairgate.ingest.identifiers import TYPES
from fairgate.ingest.wire import LONGEST_ID, NO_OFFSET, Envelope, Wire, wire_of
from fairgate.language.checked import CheckedPack

#: Bytes of one event, and of one batch.
LARGEST_EVENT = 64 * 1024
LARGEST_BATCH = 16 * 1024 * 1024
#: Events of one batch: others wait while it is decided on.
MOST_EVENTS = 10_000
#: How far an event's time may be ahead of the time it is received.
MOST_AHEAD = 5 * MINUTE

Taken: TypeAlias = Event | Refusal
#: An array with more commas is not taken apart: ten thousand honest events have fewer, and 16 MB of `0,` fill memory.
_MOST_COMMAS = 200 * MOST_EVENTS
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_FAULT = re.compile(r"(?P<what>.*?)(?: - at `(?P<where>[^`]*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `([^`]+)`")
_HIGH = rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF_CHARACTER = re.compile(rb"%b(?!%b)|(?<!%b)%b" % (_HIGH, _LOW, _HIGH, _LOW))


class Decoder:
    """Decodes and admits the events of one pack. Events older than `oldest` microseconds when received are refused.

    An event is taken or refused the same way alone, in a batch, or in lines. Of a name given twice the last counts.
    """

    def __init__(self, checked: CheckedPack, longest: int) -> None:
        self.wires = {name: wire_of(event_type, TYPES) for name, event_type in checked.pack.event_types.items()}
        envelopes = [wire.envelope for wire in self.wires.values()]
        union: Any = reduce(or_, envelopes)
        self._one = msgspec.json.Decoder(union)
        self._many = msgspec.json.Decoder(list[union])
        self._raw = msgspec.json.Decoder(list[msgspec.Raw])
        self._type_of: dict[type[Envelope], Wire] = {wire.envelope: wire for wire in self.wires.values()}
        self.oldest = min(longest or LONGEST_REPEAT, LONGEST_REPEAT)

    def single(self, body: bytes | memoryview, received: int | None) -> Taken:
        """One event. `received` is microseconds; None for an import, which is received at its own time."""
        if len(body) > LARGEST_EVENT:
            return Refusal("too_large", "", f"the event has {len(body):,} bytes; at most {LARGEST_EVENT:,} are taken")
        try:
            envelope = self._one.decode(body)
        except msgspec.ValidationError as error:
            return _refusal(str(error), body)
        except _UNREADABLE as error:
            return _malformed(error, body)
        return self._taken(envelope, received)

    def batch(self, body: bytes, received: int | None) -> list[Taken]:
        """A JSON array of events, each taken or refused by itself; a body that is no array is one refusal."""
        parts = self._split(body)
        if isinstance(parts, Refusal):
            return [parts]
        if len(body) <= LARGEST_EVENT or max((memoryview(part).nbytes for part in parts), default=0) <= LARGEST_EVENT:
            try:
                return [self._taken(envelope, received) for envelope in self._many.decode(body)]
            except _UNREADABLE:
                pass  # something in it is wrong: find out what, one by one
        return [self.single(memoryview(part), received) for part in parts]

    def lines(self, body: bytes, received: int | None) -> list[Taken]:
        """Newline-delimited events; empty lines are skipped."""
        if len(body) > LARGEST_BATCH:
            return [_too_large(body)]
        if body.count(b"\n") >= MOST_EVENTS + body.endswith(b"\n"):  # counted first: empty lines would fill memory
            return [_too_many()]
        return [self.single(line, received) for line in body.split(b"\n") if line.strip()]

    def admit(self, event: Event) -> Taken:
        """The event, if its id, its values and its time are acceptable; for events that were not decoded here."""
        unnamed = _unnamed(event.id, event.source)
        if unnamed is not None:
            return unnamed
        fault = self.wires[event.type].admit(event.data)
        if fault is not None:
            return Refusal("invalid", f"data.{fault[0]}", f"{fault[0]} {fault[1]}", event.id)
        return self._timely(event)

    def _taken(self, envelope: Envelope, received: int | None) -> Taken:
        wire = self._type_of[type(envelope)]
        unnamed = _unnamed(envelope.id, envelope.source)
        if unnamed is not None:
            return unnamed
        fault = wire.admit(envelope.data)
        if fault is not None:
            return Refusal("invalid", f"data.{fault[0]}", f"{fault[0]} {fault[1]}", envelope.id)
        moment = envelope.time
        if moment is None:
            if received is None:
                return Refusal("missing", "time", "an imported event needs a time", envelope.id)
            time = received
        elif moment.tzinfo is None:
            return Refusal("invalid", "time", f"time {NO_OFFSET}", envelope.id)
        else:
            time = microseconds(moment)
        name, arrival = wire.event_type.name, time if received is None else received
        return self._timely(Event(envelope.source, envelope.id, name, time, arrival, envelope.data))

    def _timely(self, event: Event) -> Taken:
        if event.time < 0:
            return Refusal("invalid", "time", "time is before 1970: check the sender's clock", event.id)
        if event.time > event.received + MOST_AHEAD:
            reason = "time is more than five minutes ahead of its receipt: check the sender's clock"
            return Refusal("ahead", "time", reason, event.id)
        if event.time <= event.received - self.oldest:
            return Refusal("late", "time", f"time is {_words(self.oldest)} or more before its receipt", event.id)
        return event

    def _split(self, body: bytes) -> list[msgspec.Raw] | Refusal:
        if len(body) > LARGEST_BATCH:
            return _too_large(body)
        if body.count(b",") > _MOST_COMMAS:
            return _too_many()
        try:
            parts = self._raw.decode(body)
        except msgspec.ValidationError:
            return Refusal("malformed", "", "this is not a JSON array of events")
        except _UNREADABLE as error:
            return _malformed(error, body)
        return parts if len(parts) <= MOST_EVENTS else _too_many()


def _too_large(body: bytes) -> Refusal:
    return Refusal("too_large", "", f"the batch has {len(body):,} bytes; at most {LARGEST_BATCH:,} are taken")


def _too_many() -> Refusal:
    return Refusal("too_large", "", f"the batch is too long; at most {MOST_EVENTS:,} events are taken at once")


def _words(length: int) -> str:
    return f"{length / DAY:g} days" if length >= DAY else f"{length / MINUTE:g} minutes"


def _malformed(error: Exception, body: bytes | memoryview) -> Refusal:
    """The refusal of a body that could not be read as JSON."""
    match error:
        case _ if not body:
            reason = "there is nothing in it"
        case RecursionError():
            reason = "the JSON is nested too deeply"
        case UnicodeDecodeError():
            reason = f"this is not UTF-8: {error.reason}"
        case _ if _HALF_CHARACTER.search(body):
            reason = "this is not JSON: an escape stands for half a character (a lone surrogate)"
        case _:
            reason = f"this is not JSON: {error}"
    return Refusal("malformed", "", reason)


def _unnamed(name: str, source: str) -> Refusal | None:
    """The refusal of an event whose id or source is none."""
    if _names(name) and _names(source):
        return None
    field = "source" if _names(name) else "id"
    return Refusal("invalid", field, f"{field} is empty, longer than {LONGEST_ID} or has control characters")


def _names(text: str) -> bool:
    return 0 < len(text) <= LONGEST_ID and text.isprintable()


def _refusal(message: str, body: bytes | memoryview) -> Refusal:
    """A refusal from what msgspec says of a body that is JSON but no event."""
    match = _FAULT.match(message)
    what, where = (match["what"], match["where"] or "$") if match else (message, "$")
    field = where.removeprefix("$").removeprefix(".")
    missing = _MISSING.match(what)
    if missing:
        name = missing[1]
        path = f"{field}.{name}" if field else name
        return Refusal("missing", path, f"{path} is required", _id_of(body))
    if field == "type" and what.startswith("Invalid value"):
        return Refusal("unknown_type", "type", "type is no event type of the pack", _id_of(body))
    if field == "specversion":
        return Refusal("mistyped", field, 'specversion must be "1.0"', _id_of(body))
    return Refusal("mistyped", field, f"{field or 'the event'}: {what[:1].lower()}{what[1:]}", _id_of(body))


class _OnlyId(msgspec.Struct):
    id: Any = ""


def _id_of(body: bytes | memoryview) -> str:
    """The id that a refused event gave, so that its sender can tell which it was; not one that is no id."""
    try:
        given = msgspec.json.decode(body, type=_OnlyId).id
    except _UNREADABLE:
        return ""
    return given if isinstance(given, str) and len(given) <= LONGEST_ID and given.isprintable() else ""


def refused(taken: Sequence[Taken]) -> list[Refusal]:
    """The refusals among what was taken."""
    return [each for each in taken if isinstance(each, Refusal)]
