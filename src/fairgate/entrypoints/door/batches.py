"""The handlers of many actions at once: taken and undone a thousand at a time, again and again without harm.

Each is an action of its own, under the batch's name and the entity's value as its `ref`: a batch that was cut short, by
whatever, is sent again, and what was done of it is not done twice.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from fairgate.domain.errors import BadEntity, NoSuchEntry, RefTaken
from fairgate.domain.ledger import Entry
from fairgate.entrypoints.door.actions import PostAction, PostUndo, undo, wanted_entry
from fairgate.entrypoints.door.bodies import ANYONE, Unfit, answering, decoded
from fairgate.entrypoints.door.door import Door
from fairgate.entrypoints.door.http import Problem, Request, Response, encode

#: Entities of one request, and the bytes of its body.
MOST: Final = 1_000
LARGEST_BATCH: Final = 1 << 20
#: So many are done between two looks at other requests.
_PIECE: Final = 100
_T = TypeVar("_T")


class PostBatch(msgspec.Struct, forbid_unknown_fields=True, rename={"length": "for"}):
    """An action is to be taken on each of several entities of one kind; the other members are those of one action.

    `ref` is the batch's name. At most a thousand values.
    """

    kind: str
    values: list[str]
    action: str
    why: str
    ref: str
    length: str | None = None
    reasons: list[str] = []
    evidence: list[str] = []


class PostBatchUndo(msgspec.Struct, forbid_unknown_fields=True):
    """Actions are to be undone, at most a thousand; see one undo."""

    numbers: list[int]
    why: str
    spare: str | None = None


class RefusedOf(msgspec.Struct):
    """An entity on which nothing was done, and why."""

    value: str
    error: Problem


class BatchAnswer(msgspec.Struct):
    """What became of a batch: the numbers of its actions in the order of the values, those of an earlier try included.

    `taken` of them are new. `refused` are the entities on which nothing was done.
    """

    taken: int
    numbers: list[int]
    refused: list[RefusedOf]


class BatchUndoAnswer(msgspec.Struct):
    """What became of it: how many stand no longer, and the numbers of those that were not there to be undone."""

    undone: int
    missing: list[int]


@answering
async def post_batch(door: Door, request: Request) -> Response:
    """Act on several entities."""
    asked, by = decoded(request.body, PostBatch), request.by or ANYONE
    values = _few(asked.values, "values")
    if not asked.ref:
        raise Unfit(422, "no_ref", "name the batch, so that it can be sent again: ref", "ref")
    answer = BatchAnswer(0, [], [])
    for piece in _pieces(values):
        pipeline, now = door.pipeline, door.clock.now()
        for value in piece:
            one = PostAction(
                asked.kind, value, asked.action, asked.why, asked.length, asked.reasons, asked.evidence, asked.ref
            )
            wanted = _wanted(door, one, by, now, answer)
            if wanted is not None:
                try:
                    entry, known = pipeline.act(msgspec.structs.replace(wanted, ref=f"{asked.ref}/{value}"))
                except RefTaken as error:
                    answer.refused.append(RefusedOf(value, Problem("ref_taken", str(error), "ref")))
                else:
                    answer.taken += not known
                    answer.numbers.append(entry.number)
        await asyncio.sleep(0)
    await door.durable()
    return Response(200, encode(answer))


@answering
async def post_batch_undo(door: Door, request: Request) -> Response:
    """Undo several actions."""
    asked, by = decoded(request.body, PostBatchUndo), request.by or ANYONE
    answer = BatchUndoAnswer(0, [])
    for piece in _pieces(_few(asked.numbers, "numbers")):
        pipeline, now = door.pipeline, door.clock.now()
        for number in piece:
            try:
                undo(pipeline, number, PostUndo(asked.why, asked.spare), by, now)
            except NoSuchEntry:
                answer.missing.append(number)
            else:
                answer.undone += 1
        await asyncio.sleep(0)
    await door.durable()
    return Response(200, encode(answer))


def _wanted(door: Door, one: PostAction, by: str, now: int, answer: BatchAnswer) -> Entry | None:
    """The entry that is asked for on one entity; None, and told, where its value can be none."""
    try:
        return wanted_entry(door.pipeline.engine, one, by, now)
    except BadEntity as error:
        answer.refused.append(RefusedOf(one.value, Problem("invalid", f"the value {error.reason}", "values")))
    except Unfit as unfit:
        if unfit.field != "value":  # it is so for all of them
            raise
        answer.refused.append(RefusedOf(one.value, Problem("invalid", unfit.reason, "values")))
    return None


def _few(several: list[_T], field: str) -> list[_T]:
    if not 0 < len(several) <= MOST:
        raise Unfit(422, "too_many", f"1 to {MOST:,} in one request", field)
    return several


def _pieces(several: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(several), _PIECE):
        yield several[start : start + _PIECE]
