"""The handlers of actions: what stands about somebody, acting on them by hand, and undoing it."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from fairgate.domain.action import ACTIONS, Action
from fairgate.domain.event import moment
from fairgate.domain.ledger import FOREVER, Entry, Subject
from fairgate.domain.windows import DAY
from fairgate.enforce.entitlements import Entitlements, entitlements
from fairgate.enforce.standing import standing_of
from fairgate.enforce.statement import statement_of
from fairgate.enforce.subjects import ACCOUNT
from fairgate.entrypoints.door.bodies import ANYONE, Unfit, answering, decoded, said
from fairgate.entrypoints.door.door import Door
from fairgate.entrypoints.door.http import JSON, Request, Response, encode
from fairgate.ingest.wire import LONGEST_IDENTIFIER
from fairgate.language.durations import HINT, parse_duration
from fairgate.language.pack_file import LONGEST_ACTION
from fairgate.language.problems import one_of
from fairgate.pipeline.engine import Engine
from fairgate.pipeline.online import Pipeline

#: Whoever is spared is looked at again.
LONGEST_SPARED = 365 * DAY
#: Reasons and pieces of evidence of one action, and the characters of one.
MOST_NAMED, LONGEST_NAMED = 20, 300
#: Entities that may be named beside an account whose standing is asked for.
_BESIDE = ("org", "key")
_NUMBER_DIGITS = 18


class PostAction(msgspec.Struct, forbid_unknown_fields=True, rename={"length": "for"}):
    """An action is to be taken on an entity.

    `for` is a length of time, such as `7d`: without it, what the pack says of the action, and else no end. `reasons`
    are codes of the pack, `evidence` is what speaks for it, in words or as links. The same again under one `ref` is
    taken once.
    """

    kind: str
    value: str
    action: str
    why: str
    length: str | None = None
    reasons: list[str] = []
    evidence: list[str] = []
    ref: str = ""


class PostUndo(msgspec.Struct, forbid_unknown_fields=True):
    """An action is to be undone. Who it was on is spared by rules for a while where `spare` gives one, such as `7d`."""

    why: str
    spare: str | None = None


class UndoneShown(msgspec.Struct):
    """When, by whom and why an action was undone."""

    at: datetime
    by: str
    why: str


class ActionShown(msgspec.Struct, omit_defaults=True):
    """An action on an entity. Without `until` it stands until it is undone; without `by` it followed from a decision.

    A personal value is shown as its token. `pack` is the one by which it was decided, or that was live.
    """

    number: int
    kind: str
    value: str
    action: str
    stands: bool
    since: datetime
    until: datetime | None
    reasons: list[str]
    evidence: list[str]
    pack: str
    by: str = ""
    why: str = ""
    ref: str = ""
    undone: UndoneShown | None = None


class ActionsAnswer(msgspec.Struct):
    """What is held about an entity, the oldest first: what stands, and what was undone of late."""

    actions: list[ActionShown]


@answering
async def post_action(door: Door, request: Request) -> Response:
    """Act on an entity."""
    asked, pipeline = decoded(request.body, PostAction), door.pipeline
    now = door.clock.now()
    wanted = wanted_entry(pipeline.engine, asked, request.by or ANYONE, now)
    _check_unchanged(door, request, wanted.subject)
    entry, known = pipeline.act(wanted)
    await door.durable()
    return Response(200 if known else 201, encode(action_shown(entry, now)))


@answering
async def post_undo(door: Door, request: Request) -> Response:
    """Undo an action, and spare who it was on for a while where that is asked for."""
    asked, pipeline, now = decoded(request.body, PostUndo), door.pipeline, door.clock.now()
    number = _number(request.params["number"])
    undo(pipeline, number, asked, request.by or ANYONE, now)
    await door.durable()
    return Response(200, encode(action_shown(pipeline.engine.ledger.get(number), now)))


@answering
async def get_action(door: Door, request: Request) -> Response:
    """An action by its number."""
    entry = door.pipeline.engine.ledger.get(_number(request.params["number"]))
    return Response(200, encode(action_shown(entry, door.clock.now())))


@answering
async def get_statement(door: Door, request: Request) -> Response:
    """The statement of reasons for an action."""
    engine = door.pipeline.engine
    entry = engine.ledger.get(_number(request.params["number"]))
    return Response(200, encode(statement_of(entry, engine.checked.pack)))


@answering
async def get_actions(door: Door, request: Request) -> Response:
    """What is held about an entity."""
    engine, now = door.pipeline.engine, door.clock.now()
    subject = _subject(engine, request.query.get("kind", ACCOUNT), request.query.get("value", ""))
    return Response(200, encode(ActionsAnswer([action_shown(each, now) for each in engine.ledger.of(subject)])))


@answering
async def get_standing(door: Door, request: Request) -> Response:
    """What an account may do now, in one read; 304 where the caller has that already."""
    account = request.params["account"]
    named = [(ACCOUNT, account), *((kind, request.query[kind]) for kind in _BESIDE if kind in request.query)]
    subjects = [_subject(door.pipeline.engine, kind, value) for kind, value in named]
    found, etag = _standing(door, subjects)
    headers = (*JSON, (b"etag", etag), (b"cache-control", b"private, no-cache"))
    if etag in request.headers.get(b"if-none-match", b""):
        return Response(304, b"", headers)
    reasons = door.pipeline.engine.checked.pack.reasons
    return Response(200, encode(standing_of(subjects[0], found, reasons)), headers)


def wanted_entry(engine: Engine, asked: PostAction, by: str, now: int) -> Entry:
    """The entry that is asked for, still without a number. Raises `Unfit`, `NoSuchEntityKind` and `BadEntity`."""
    action = ACTIONS.get(asked.action)
    if action is None:
        raise Unfit(422, "unknown_action", f"there is no such action ({one_of(asked.action, ACTIONS)})", "action")
    subject = _subject(engine, asked.kind, asked.value)
    _check_named(engine, asked, action)
    return Entry(
        number=-1,
        subject=subject,
        action=action,
        starts=now,
        ends=_ends(asked.length, action, engine, now),
        reasons=tuple(asked.reasons),
        evidence=tuple(asked.evidence),
        pack=engine.checked.pack.label,
        by=by,
        why=said(asked.why),
        ref=asked.ref,
    )


def undo(pipeline: Pipeline, number: int, asked: PostUndo, by: str, now: int) -> None:
    """Undo an action as asked; said twice, it is done once. Raises `Unfit` and `NoSuchEntry`."""
    engine, why = pipeline.engine, said(asked.why)
    ends = None if asked.spare is None else _ends(asked.spare, Action.ALLOW, engine, now, "spare")
    entry = engine.ledger.get(number)
    if entry.undone is not None:
        return
    pipeline.undo([number], by, why)
    if ends is not None:
        evidence, pack = (f"action {number}",), engine.checked.pack.label
        pipeline.act(Entry(-1, entry.subject, Action.ALLOW, now, ends, (), evidence, pack, by, why))


def _standing(door: Door, subjects: Sequence[Subject]) -> tuple[Entitlements, bytes]:
    """What an account may do with these entities, and the tag of that: another pack may make it something else."""
    engine, now = door.pipeline.engine, door.clock.now()
    standing = [entry for subject in subjects for entry in engine.ledger.standing(subject, now)]
    if engine.all_off or any(engine.allowed(subject, now) for subject in subjects):
        standing = []
    found = entitlements(standing, engine.ledger.specs, engine.brakes.off_actions)
    numbers = ".".join(str(each.number) for each in found.entries)
    return found, f'"{engine.checked.pack.digest[:8]}-{numbers}"'.encode()


def _check_unchanged(door: Door, request: Request, subject: Subject) -> None:
    """Refuse who has seen something else than what stands now: two people may be at the same account."""
    seen = request.headers.get(b"if-match")
    if seen is not None and seen != _standing(door, [subject])[1]:
        raise Unfit(412, "changed", "something else stands about it by now: look again", "if-match")


def _check_named(engine: Engine, asked: PostAction, action: Action) -> None:
    known = engine.checked.pack.reasons
    for code in asked.reasons:
        if code not in known:
            raise Unfit(422, "unknown_reason", f"the pack has no such reason ({one_of(code, known)})", "reasons")
    if not asked.reasons and action > Action.WATCH:
        raise Unfit(422, "unknown_reason", f"name a reason of the pack: {', '.join(sorted(known))}", "reasons")
    for field, several in (("reasons", asked.reasons), ("evidence", asked.evidence), ("ref", [asked.ref])):
        if len(several) > MOST_NAMED or any(len(each) > LONGEST_NAMED or not each.isprintable() for each in several):
            what = f"at most {MOST_NAMED}, each of at most {LONGEST_NAMED} printable characters"
            raise Unfit(422, "too_long", what, field)


def _ends(length: str | None, action: Action, engine: Engine, now: int, field: str = "for") -> int:
    """When an action ends by itself."""
    most = LONGEST_SPARED if action == Action.ALLOW else LONGEST_ACTION
    if length is None:
        spec = engine.ledger.specs.get(action)
        if action == Action.ALLOW:
            raise Unfit(422, "bad_length", "say for how long rules spare it, at most 365d", field)
        return FOREVER if spec is None or spec.length is None else now + spec.length
    found = parse_duration(length)
    if found is None or not 0 < found <= most:
        raise Unfit(422, "bad_length", f"say for how long, at most {most // DAY}d: {HINT}", field)
    return now + found


def _subject(engine: Engine, kind: str, value: str) -> Subject:
    if not value.isprintable() or len(value) > LONGEST_IDENTIFIER:
        what = f"the value has more than {LONGEST_IDENTIFIER} characters, or one that can't be seen"
        raise Unfit(422, "invalid", what, "value")
    return engine.subject(kind, value)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _NUMBER_DIGITS):
        raise Unfit(404, "no_action", "actions are known by their numbers", "number")
    return int(text)


def action_shown(entry: Entry, now: int) -> ActionShown:
    """An action as it is answered at a time."""
    undone = entry.undone
    return ActionShown(
        number=entry.number,
        kind=entry.subject.kind,
        value=entry.subject.value,
        action=entry.action.word,
        stands=entry.stands(now),
        since=moment(entry.starts),
        until=None if entry.ends == FOREVER else moment(entry.ends),
        reasons=list(entry.reasons),
        evidence=list(entry.evidence),
        pack=entry.pack,
        by=entry.by,
        why=entry.why,
        ref=entry.ref,
        undone=None if undone is None else UndoneShown(moment(undone.at), undone.by, undone.why),
    )
