"""The handlers of the ban memory: which actions are still to be looked up, and what they are remembered by."""

from datetime import datetime
from typing import Final

import msgspec

from fairgate.detect.ban_memory import remembering
from fairgate.domain.errors import NotRemembered
from fairgate.domain.event import moment
from fairgate.domain.memory import MOST_EACH
from fairgate.domain.secret import is_token_text
from fairgate.entrypoints.door.bodies import ANYONE, Unfit, answering, decoded, said
from fairgate.entrypoints.door.door import Door
from fairgate.entrypoints.door.http import Request, Response, encode

#: Actions of one answer: those that follow are told when these are looked up.
PAGE: Final = 100


class WaitingShown(msgspec.Struct):
    """An action that nobody has looked up: its account, and the lists that are to remember what that used."""

    action: int
    account: str
    since: datetime
    lists: list[str]


class MemoryAnswer(msgspec.Struct):
    """The ban memory: tokens in all lists, and the actions that wait, the oldest first and at most a hundred."""

    tokens: int
    waiting: list[WaitingShown]


class PostMemory(msgspec.Struct, forbid_unknown_fields=True):
    """What an action is to be remembered by: tokens by list. Without any it is known to be remembered by nothing."""

    action: int
    found: dict[str, list[str]]
    why: str


class RememberedAnswer(msgspec.Struct):
    """What an action is remembered by now: how many tokens, and until when the last of them is."""

    action: int
    tokens: int
    until: datetime | None


@answering
async def get_memory(door: Door, _request: Request) -> Response:
    """How much is remembered, and which actions wait. All of these are on disk, so that others find them there."""
    await door.durable()
    engine, now = door.pipeline.engine, door.clock.now()
    specs = engine.checked.pack.lists.values()
    waiting = [
        WaitingShown(
            action=each.number,
            account=each.subject.value,
            since=moment(each.starts),
            lists=[spec.name for spec in remembering(specs, each.action)],
        )
        for each in engine.memory.waiting(now)[:PAGE]
    ]
    return Response(200, encode(MemoryAnswer(len(engine.memory), waiting)))


@answering
async def post_memory(door: Door, request: Request) -> Response:
    """Remember an action by what its account used."""
    asked = decoded(request.body, PostMemory)
    for tokens in asked.found.values():
        if len(tokens) > MOST_EACH:
            raise Unfit(422, "too_many", f"a list remembers at most {MOST_EACH} tokens of an action", "found")
        if not all(is_token_text(each) for each in tokens):
            raise Unfit(422, "invalid", "only tokens are remembered, never what they stand for", "found")
    try:
        memory = door.pipeline.remember(asked.action, asked.found, request.by or ANYONE, said(asked.why))
    except NotRemembered as error:
        raise Unfit(409, "not_remembered", str(error), "action") from error
    await door.durable()
    until = max((each.until for each in memory.items), default=None)
    shown = None if until is None else moment(until)
    return Response(200, encode(RememberedAnswer(asked.action, len(memory.items), shown)))
