"""Leases for many gateways over HTTP: `POST /v1/share/leases` takes what a gateway says, and answers."""

from typing import Final

import msgspec

from fairgate.entrypoints.door.http import Response, encode, problem
from fairgate.entrypoints.share.handlers import Request
from fairgate.entrypoints.share.sidecar import Sidecar
from fairgate.share.lease import Sent
from fairgate.share.lease_desk import LeaseDesk

PATH: Final = "/v1/share/leases"
#: Bytes of a body: as many wants, returns and cancels as a message may have.
LARGEST: Final = 1 << 20
_decode = msgspec.json.Decoder(Sent).decode


def exchange(desk: LeaseDesk, body: bytes) -> Response:
    """Answer a gateway's message. What can't be read is refused, and nothing comes of it."""
    try:
        sent = _decode(body)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        if "unknown field" in what:  # its name is what somebody sent
            what = "there is a key that this body has not"
        return problem(400, "invalid", what, where.strip(".`"))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return problem(400, "malformed", "the body is not JSON in UTF-8")
    return Response(200, encode(desk.exchange(sent)))


async def leases(sidecar: Sidecar, request: Request) -> Response:
    """Take what a gateway says, and tell it what came of its wants."""
    if sidecar.desk is None:
        return problem(404, "no_leases", "the settings say of no gateways that they have leases")
    response = exchange(sidecar.desk, request.body)
    sidecar.driver.touched()  # something may have come of what others asked the share for
    return response
