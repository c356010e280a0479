"""Anchors of the audit log, as the door takes them."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from fairgate.domain.audit import Anchor
from fairgate.domain.errors import BadSettings
from fairgate.entrypoints.door.bodies import Unfit, answering, decoded
from fairgate.entrypoints.door.door import Door
from fairgate.entrypoints.door.http import Request, Response, encode
from fairgate.pipeline.noted import AnchorRecord
from fairgate.secret_file import secrets_of

_LARGEST: Final = (1 << 63) - 1
_Count = Annotated[int, Meta(ge=0, le=_LARGEST)]
_Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class PostAnchor(msgspec.Struct, forbid_unknown_fields=True):
    """Where the audit log ends, signed by the desk or an operator; see `domain.audit.Anchor`. `mac` is in hexadecimal.

    `kept` is for who acknowledges that rows were cut off, with their name and their reason.
    """

    count: _Count
    head: _Hash
    version: Annotated[int, Meta(ge=1, le=255)]
    mac: _Hash
    kept: Annotated[int, Meta(ge=-1, le=_LARGEST)] = -1
    by: Annotated[str, Meta(max_length=200)] = ""
    why: Annotated[str, Meta(max_length=300)] = ""


class AnchorAnswer(msgspec.Struct):
    """The anchor is on disk: how many rows it vouches for."""

    count: int


def asked_for(anchor: Anchor) -> PostAnchor:
    """An anchor as it is posted."""
    return PostAnchor(anchor.count, anchor.head, anchor.version, anchor.mac.hex(), anchor.kept, anchor.by, anchor.why)


def record_of(anchor: Anchor, received: int) -> AnchorRecord:
    """An anchor as the log has it."""
    mac, said = anchor.mac, (anchor.kept, anchor.by, anchor.why)
    return AnchorRecord(received, anchor.count, anchor.head, anchor.version, mac, *said)


@answering
async def post_anchor(door: Door, request: Request) -> Response:
    """Let the event log vouch for the audit log as it is now."""
    asked = decoded(request.body, PostAnchor)
    mac, said = bytes.fromhex(asked.mac), (asked.kept, asked.by, asked.why)
    anchor = Anchor(asked.count, asked.head, asked.version, mac, *said)
    if not (anchor.by + anchor.why).isprintable() or anchor.by not in {"", request.by}:
        raise Unfit(422, "mistyped", "an acknowledgement has the name of who posts it, and a printable reason", "by")
    try:
        holds = anchor.holds(secrets_of(door.settings.data, make=False))
    except BadSettings as error:
        raise Unfit(503, "no_secret", "the installation's secret can't be read just now") from error
    if not holds:
        raise Unfit(403, "not_signed", "this anchor is not signed by the installation's secret", "mac")
    door.pipeline.note(record_of(anchor, door.clock.now()))
    await door.durable()
    return Response(200, encode(AnchorAnswer(anchor.count)))
