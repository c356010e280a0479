"""The handlers that change what is decided: lists, switches, labels. Each answers when its change is on disk."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import msgspec

from fairgate.domain.action import SWITCH, Action
from fairgate.domain.errors import BadSettings, NoSuchRecord, NothingSealed, NotPrepared, ReloadUnderWay
from fairgate.domain.event import Refusal, moment
from fairgate.domain.memory import Memory
from fairgate.domain.pack import Pack
from fairgate.domain.windows import DAY
from fairgate.entrypoints.door.answers import status_of
from fairgate.entrypoints.door.bodies import ANYONE, Unfit, answering, decoded, said
from fairgate.entrypoints.door.door import Door
from fairgate.entrypoints.door.http import Request, Response, encode, problem
from fairgate.entrypoints.door.reads import switches
from fairgate.entrypoints.door.shown import EntryShown
from fairgate.ingest.wire import LONGEST_IDENTIFIER
from fairgate.language.durations import HINT, parse_duration
from fairgate.language.problems import PackError, one_of
from fairgate.pipeline.labels import Said, label_event
from fairgate.pipeline.noted import LabelledRecord
from fairgate.pipeline.online import Pipeline

#: What is entered by hand ends some day: an entry that nobody looks at again is how innocents stay blocked.
LONGEST_ENTRY = 365 * DAY
_ALL = "all"
_ERASED = "nothing personal of this account can be read any more, here or in backups to come"
_APPEALS = "the words of its appeals, and its challenges, go as soon as the clerk reads of it"
#: What a label may say beside whether it was bad.
_MORE = ("kind", "said_by", "source", "confidence", "selected_by", "propensity")


class PutEntry(msgspec.Struct, forbid_unknown_fields=True, rename={"length": "for"}):
    """A value is to stand in a list for a length of time, such as `7d`, at most 365d."""

    length: str
    why: str


class PutSwitch(msgspec.Struct, forbid_unknown_fields=True):
    """A rule, an action, or all enforcement, is to be switched off or on again."""

    off: bool
    why: str


class SpokenOf(msgspec.Struct, forbid_unknown_fields=True):
    """An event: its number in the log, or its source and id."""

    sequence: int | None = None
    source: str | None = None
    id: str | None = None


class PostLabel(msgspec.Struct, forbid_unknown_fields=True):
    """What an earlier event turned out to be.

    `bad` is null where somebody looked and could not tell. `type` is the label type, needed where several speak of
    such events. What stands between is for label types that have it: `source` says where it comes from (a case, an
    appeal, ...), `confidence` how sure that is, `selected_by` which rules picked the event to be looked at, separated
    by spaces, and `propensity` with which probability, 1 where it was not by lot. The same label again is a repeat;
    another `id` makes it a new one.
    """

    of: SpokenOf
    bad: bool | None
    kind: str | None = None
    said_by: str | None = None
    source: str | None = None
    confidence: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    selected_by: str | None = None
    propensity: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    type: str = ""
    id: str = ""


class PostErasure(msgspec.Struct, forbid_unknown_fields=True):
    """What is personal in an account's events is to be made unreadable."""

    account: str
    why: str


class ErasureAnswer(msgspec.Struct):
    """Done: on disk, and never to be undone.

    `kept` is how many tokens of what the account used are still remembered, by the policy of the settings, `until` when
    the last of them goes, `ground` why they may be kept. So many `actions` on it stay. `words` says all of it.
    """

    account: str
    words: str
    kept: int = 0
    until: datetime | None = None
    ground: str = ""
    actions: int = 0


class PackAnswer(msgspec.Struct):
    """The pack that is live, and whether it was another before."""

    pack: str
    version: str
    digest: str
    changed: bool


class LabelAnswer(msgspec.Struct):
    """The label's event: its type, its number in the log, and whether the same had been said before."""

    type: str
    id: str
    sequence: int
    repeated: bool


@answering
async def put_entry(door: Door, request: Request) -> Response:
    """Enter a value in a list for a time, or give it another end."""
    asked = decoded(request.body, PutEntry)
    length = parse_duration(asked.length)
    if length is None or not 0 < length <= LONGEST_ENTRY:
        raise Unfit(422, "bad_length", f"say for how long, at most 365d: {HINT}", "for")
    why, until = said(asked.why), door.clock.now() + length
    name, value, by = request.params["name"], request.params["value"], request.by or ANYONE
    if not value.isprintable() or len(value) > LONGEST_IDENTIFIER:
        what = f"the value has more than {LONGEST_IDENTIFIER} characters, or one that can't be seen"
        raise Unfit(422, "invalid", what, "value")
    lists = door.pipeline.engine.lists
    door.pipeline.put_in_list(name, value, until, by, why)
    entry = lists.entry(name, value)
    await door.durable()
    return Response(200, encode(EntryShown(name, entry.value, moment(until), by, why)))


@answering
async def take_off(door: Door, request: Request) -> Response:
    """Take a value off a list."""
    why, now = said(request.query.get("why", "")), door.clock.now()
    name, value, by = request.params["name"], request.params["value"], request.by or ANYONE
    entry = door.pipeline.engine.lists.entry(name, value)
    if entry.until <= now:
        raise Unfit(404, "no_entry", "the value does not stand in this list", "value")
    door.pipeline.put_in_list(name, value, now, by, why)
    await door.durable()
    return Response(200, encode(EntryShown(name, entry.value, moment(now), by, why)))


@answering
async def put_switch(door: Door, request: Request) -> Response:
    """Switch a rule, an action, or all enforcement, off or on."""
    asked = decoded(request.body, PutSwitch)
    why, rule, pipeline = said(asked.why), request.params["rule"], door.pipeline
    known = switches_of(pipeline.engine.checked.pack)
    if rule != _ALL and rule not in known:
        raise Unfit(404, "unknown_rule", f"the pack has no such rule ({one_of(rule, known)})", "rule")
    pipeline.switch("*" if rule == _ALL else rule, request.by or ANYONE, why, off=asked.off)
    await door.durable()
    return await switches(door, request)


@answering
async def post_label(door: Door, request: Request) -> Response:
    """Say what an earlier event turned out to be."""
    asked, pipeline = decoded(request.body, PostLabel), door.pipeline
    sequence = _sequence(pipeline, asked.of)
    loop, explain = asyncio.get_running_loop(), pipeline.explainer.explain
    try:
        spoken_of = await loop.run_in_executor(None, lambda: explain(sequence, personal=True))
    except NoSuchRecord as error:
        raise _no_event() from error
    more = {name: told for name in _MORE if (told := getattr(asked, name)) is not None}
    said = Said(by=request.by, bad=asked.bad, more=more, type=asked.type, id=asked.id)
    pack, wires = pipeline.engine.checked.pack, door.decoder.wires
    label = label_event(pack, wires, spoken_of, said, door.clock.now())
    taken = door.decoder.admit(label)
    if pipeline.lookup.find(label.source, label.id) is None:  # noted before it is given, and durable with it
        noted = LabelledRecord(label.time, request.by, request.key, sequence, label.type, label.id, asked.bad)
        pipeline.note(noted)
    [outcome] = await door.take([taken], trace=request.trace)
    if isinstance(outcome, Refusal):
        return problem(status_of(outcome), outcome.code, outcome.reason, outcome.field)
    return Response(200, encode(LabelAnswer(outcome.type, outcome.id, outcome.sequence, outcome.repeated)))


@answering
async def post_erasure(door: Door, request: Request) -> Response:
    """Make what is personal in an account's events unreadable, for ever."""
    asked = decoded(request.body, PostErasure)
    policy = door.settings.erasure
    try:
        left = door.pipeline.erase(asked.account, request.by or ANYONE, said(asked.why), policy.keeps)
    except NothingSealed as error:
        raise Unfit(404, "nothing_sealed", "nothing personal is recorded of this account", "account") from error
    actions = door.pipeline.actions_on(asked.account)
    return Response(200, encode(erasure_answer(asked.account, left, policy.ground, actions)))


@answering
async def post_reload(door: Door, _request: Request) -> Response:
    """Let the pack go live as its folder has it now. A pack with faults is refused, and the live one stays."""
    try:
        pack, changed = await door.reload()
    except PackError as error:
        return problem(422, "bad_pack", str(error))
    except BadSettings as error:
        return problem(409, "bad_settings", str(error))
    except NotPrepared as error:
        return problem(409, "not_prepared", str(error))
    except ReloadUnderWay as error:
        return problem(409, "under_way", str(error))
    return Response(200, encode(PackAnswer(pack.name, pack.version, pack.digest, changed)))


def erasure_answer(account: str, left: Iterable[Memory], ground: str, actions: int) -> ErasureAnswer:
    """What an erasure came to, when this is left of what the account's bans are remembered by, and so many actions."""
    stay = "1 action on it stays" if actions == 1 else f"{actions} actions on it stay"
    more = f"{_APPEALS}; {stay}, as do those on its keys and cards"
    items = {(each.list, each.token): each.until for memory in left for each in memory.items}
    if not items:
        return ErasureAnswer(account, f"{_ERASED}, and nothing of it is remembered in lists; {more}", actions=actions)
    until = moment(max(items.values()))
    tokens = "1 token" if len(items) == 1 else f"{len(items)} tokens"
    kept = f"{tokens} of what it used stay in lists until {until:%Y-%m-%d} to know it again ({ground})"
    return ErasureAnswer(account, f"{_ERASED}; {kept}; {more}", len(items), until, ground, actions)


def switches_of(pack: Pack) -> set[str]:
    """What can be switched off beside all enforcement: rules, and actions as `action:` and their word."""
    return {*(each.name for each in pack.rules), *(f"{SWITCH}{each.word}" for each in Action if each > Action.ALLOW)}


def _no_event() -> Unfit:
    return Unfit(404, "no_event", "there is no such event, or its source and id are older than thirty days", "of")


def _sequence(pipeline: Pipeline, of: SpokenOf) -> int:
    if of.sequence is not None and of.source is of.id is None:
        return of.sequence
    if of.source is None or of.id is None or of.sequence is not None:
        raise Unfit(422, "bad_label", "name the event by its sequence, or by its source and id", "of")
    found = pipeline.lookup.find(of.source, of.id)
    if found is None:
        raise _no_event()
    return found
