"""What decisions came to, told by Fairgate's webhooks: `POST /v1/share/standing`.

The signature says who speaks; no API key is asked for. What an account may do at all (`use`) and how fast (`rate`)
is heeded. What it may spend, which models it may use and what it is asked to pass is for the gateway.
"""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from fairgate.domain.errors import SharesUnusable
from fairgate.enforce.messages import STANDING_CHANGED, SWITCHED
from fairgate.entrypoints.door.http import Response, encode, problem
from fairgate.entrypoints.share.decisions import Word
from fairgate.entrypoints.share.handlers import Request
from fairgate.entrypoints.share.lines import Decided, Switched
from fairgate.entrypoints.share.sidecar import Sidecar
from fairgate.entrypoints.share.wire import Heeded
from fairgate.entrypoints.signing import Flaw, Unsigned

PATH: Final = "/v1/share/standing"
#: Bytes of a body: reasons and models in it are the pack's.
LARGEST: Final = 64 * 1024
_ACCOUNT = "account"
_LONGEST_NAME = 256
_NONE_TAKEN = problem(404, "no_webhooks", "the sidecar was started without a secret for webhooks: none are taken")
_MALFORMED = problem(400, "malformed", "the message is not as Fairgate's webhooks have it")
_UNSIGNED = {
    Flaw.HEADERS: problem(401, "unsigned", "webhook-id, webhook-timestamp and webhook-signature are needed"),
    Flaw.TIME: problem(401, "untimely", "this was sent more than five minutes ago, or ahead, by the clock here"),
    Flaw.SIGNATURE: problem(401, "bad_signature", "no signature of this message was made with the secret known here"),
}
Moment = Annotated[datetime, Meta(tz=True)]
Short = Annotated[str, Meta(min_length=1, max_length=64)]


class _Told(msgspec.Struct, gc=False):
    type: str
    timestamp: Moment
    data: msgspec.Raw


class _May(msgspec.Struct, gc=False):
    use: bool
    rate: Annotated[float, Meta(ge=0)]


class _Standing(msgspec.Struct, gc=False):
    kind: str
    value: str
    action: Short
    may: _May


class _Changed(msgspec.Struct, gc=False):
    standing: _Standing


class _Switch(msgspec.Struct, gc=False):
    switch: Short
    off: bool


_told = msgspec.json.Decoder(_Told)
_changed = msgspec.json.Decoder(_Changed)
_switch = msgspec.json.Decoder(_Switch)


async def standing(sidecar: Sidecar, request: Request) -> Response:
    """Take a message: it is on disk before it counts, and before it is answered 200."""
    if sidecar.verifier is None:
        return _NONE_TAKEN
    meters = sidecar.meters
    try:
        message = sidecar.verifier.message(request.headers, request.body)
        word = _word(message, request.body, sidecar.now())
        applied = word is not None and await sidecar.heed(word)
    except Unsigned as error:
        meters.refused[error.flaw].inc()
        return _UNSIGNED[error.flaw]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        meters.refused["malformed"].inc()
        return _MALFORMED
    except SharesUnusable:
        meters.refused["unwritable"].inc()
        raise
    meters.messages["ignored" if word is None else "applied" if applied else "old"].inc()
    return Response(200, encode(Heeded(applied)))


def _word(message: str, body: bytes, now: str) -> Word | None:
    """What a message says; None where it is about nothing that is shared out here. Raises as a decoder does."""
    told = _told.decode(body)
    if told.type == STANDING_CHANGED:
        found = _changed.decode(told.data).standing
        # Nobody with a longer name can ask for compute.
        if found.kind != _ACCOUNT or not 0 < len(found.value) <= _LONGEST_NAME:
            return None
        return Decided(now, message, told.timestamp, found.value, found.action, found.may.use, found.may.rate)
    if told.type == SWITCHED:
        switch = _switch.decode(told.data)
        return Switched(now, message, told.timestamp, switch.switch, switch.off)
    return None
