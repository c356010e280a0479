"""What the desk asks the door to do, in the name of whoever asked the desk for it."""

import logging
import ssl
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fairgate.domain.access import Granted
from fairgate.domain.errors import BadSettings
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.door.http import Problems
from fairgate.entrypoints.door_client import url_of
from fairgate.entrypoints.passes import Passes
from fairgate.settings import DoorSettings

#: Seconds that the door gets to answer: far more than it needs, and less than people wait.
_PATIENCE: Final = 10.0
#: Statuses by which the door says that it is done.
_DONE: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED})
#: Statuses by which the door speaks of what was asked for, and which it would answer again.
_TOLD: Final = frozenset(
    {
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.PRECONDITION_FAILED,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
_log = logging.getLogger(__name__)


class AtTheDoor:
    """Asks the door with a pass: it does there what whoever is named in it may do, and notes their name.

    Raises `Refusal`: in the door's words where they may not, or what is asked for can't be; 503 where the door can't be
    reached or does not do it now.
    """

    def __init__(self, door: DoorSettings, passes: Passes) -> None:
        self._door = door
        self._passes = passes

    async def post(self, path: str, body: msgspec.Struct, granted: Granted) -> bytes:
        """Post something to the door; returns the body of its answer, which says that it is done and durable."""
        return await self._ask("POST", path, body, granted)

    async def put(self, path: str, body: msgspec.Struct, granted: Granted) -> bytes:
        """Put something at the door; see `post`."""
        return await self._ask("PUT", path, body, granted)

    async def get(self, path: str, granted: Granted) -> bytes:
        """Look at something at the door; see `post`."""
        return await self._ask("GET", path, None, granted)

    async def _ask(self, method: str, path: str, body: msgspec.Struct | None, granted: Granted) -> bytes:
        content = None if body is None else msgspec.json.encode(body)
        try:
            async with httpx.AsyncClient(
                base_url=url_of(self._door),
                headers={"authorization": self._passes.issue(granted)},
                timeout=_PATIENCE,
                verify=_trusted(self._door.tls_cert),
                trust_env=False,  # a pass is never sent through a proxy that the environment happens to name
            ) as client:
                answer = await client.request(method, path, content=content)
        # ValueError: the certificate's file holds none.
        except (httpx.HTTPError, OSError, ValueError, BadSettings) as error:
            _log.warning("the door can't be reached for %s", path, exc_info=error)
            raise _later("the door can't be reached") from error
        if answer.status_code not in _DONE:
            raise _refused(answer)
        return answer.content


def _refused(answer: httpx.Response) -> Refusal:
    """What the door refused, as the desk's answer."""
    try:
        told = msgspec.json.decode(answer.content, type=Problems).error
    except msgspec.DecodeError:
        return _later(f"the door answered with status {answer.status_code}")
    if answer.status_code not in _TOLD:
        return _later(f"the door did not do it ({told.reason})")
    return Refusal(answer.status_code, told.code, f"the door: {told.reason}", told.field)


def _later(why: str) -> Refusal:
    return Refusal(503, "door_unavailable", f"{why}, so nothing has changed: ask again later")


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
