"""Undoing an action at the door, in the name of whoever asked the desk for it."""

import logging
import ssl
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.door.actions import PostUndo
from fairgate.entrypoints.door.http import Problems
from fairgate.entrypoints.door_client import url_of
from fairgate.settings import DoorSettings

#: Seconds that the door gets to answer: far more than it needs, and less than people wait.
_PATIENCE: Final = 10.0
#: Statuses by which the door speaks of the caller or of what was asked for, and which it would answer again.
_TOLD: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY})
_log = logging.getLogger(__name__)


async def undo(door: DoorSettings, number: int, asked: PostUndo, authorization: str | None) -> None:
    """Let the door undo an action, asked with a caller's own `Authorization` header. Asked again, it undoes it once.

    Raises `Refusal` in the door's words where this caller may not, or what is asked for can't be: 409 where nothing is
    left to undo; 503 where the door can't be reached or does not do it now.
    """
    headers = {} if authorization is None else {b"authorization": authorization.encode("latin-1")}  # as it came
    try:
        async with httpx.AsyncClient(
            base_url=url_of(door),
            headers=headers,
            timeout=_PATIENCE,
            verify=_trusted(door.tls_cert),
            trust_env=False,  # a key is never sent through a proxy that the environment happens to name
        ) as client:
            answer = await client.post(f"/v1/actions/{number}/undo", content=msgspec.json.encode(asked))
    except (httpx.HTTPError, OSError, ValueError) as error:  # ValueError: the certificate's file holds none
        _log.warning("action %d was not undone: the door can't be reached", number, exc_info=error)
        raise _later("the door can't be reached") from error
    if answer.status_code != HTTPStatus.OK:
        raise _refused(answer)


def _refused(answer: httpx.Response) -> Refusal:
    """What the door refused, as the desk's answer."""
    try:
        told = msgspec.json.decode(answer.content, type=Problems).error
    except msgspec.DecodeError:
        return _later(f"the door answered with status {answer.status_code}")
    if answer.status_code == HTTPStatus.NOT_FOUND:
        what = "the action has ended by itself, or was undone long ago: nothing is left to undo, so refuse the appeal"
        return Refusal(409, "action_over", what)
    if answer.status_code not in _TOLD:
        return _later(f"the door did not do it ({told.reason})")
    challenge = answer.headers.get("www-authenticate")
    headers = () if challenge is None else ((b"www-authenticate", challenge.encode("latin-1")),)
    return Refusal(answer.status_code, told.code, f"the door: {told.reason}", told.field, headers)


def _later(why: str) -> Refusal:
    return Refusal(503, "door_unavailable", f"{why}, so the appeal is still open: decide it again later")


def _trusted(certificate: Path | None) -> ssl.SSLContext | bool:
    """What the door is known by: its own certificate, whatever name that is for, since an address is asked here."""
    if certificate is None:
        return True
    own = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=own.public_bytes(Encoding.PEM).decode("ascii"))
    return context
