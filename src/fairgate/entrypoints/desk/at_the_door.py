"""What the desk asks the door to do, in the name of whoever asked the desk for it."""

import logging
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

import httpx
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fairgate.domain.access import Granted, Scope
from fairgate.domain.errors import BadSettings
from fairgate.enforce.standing import Standing
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.door.answers import Results
from fairgate.entrypoints.door.http import Problem, Problems
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
#: What the desk does by itself: it sends events of its own, and asks how accounts stand.
_OWN: Final = Granted("", "desk", frozenset({Scope.INGEST, Scope.READ}))
_log = logging.getLogger(__name__)


class EventRefused(Exception):
    """The door does not take an event as it is, and would not take it later either."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


class AtTheDoor:
    """Asks the door with a pass: it does there what whoever is named in it may do, and notes their name.

    Raises `Refusal`: in the door's words where they may not, or what is asked for can't be; 503 where the door can't be
    reached or does not do it now.
    """

    def __init__(self, door: DoorSettings, passes: Passes) -> None:
        self._door = door
        self._passes = passes

    async def get(self, path: str, granted: Granted) -> bytes:
        """Ask the door for something; returns the body of its answer."""
        return await self._ask("GET", path, b"", granted)

    async def post(self, path: str, body: msgspec.Struct, granted: Granted) -> bytes:
        """Post something to the door; returns the body of its answer, which says that it is done and durable."""
        return await self._ask("POST", path, msgspec.json.encode(body), granted)

    async def put(self, path: str, body: msgspec.Struct, granted: Granted) -> bytes:
        """Put something at the door; see `post`."""
        return await self._ask("PUT", path, msgspec.json.encode(body), granted)

    async def forward(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], granted: Granted
    ) -> httpx.Response:
        """Ask the door whatever somebody asks it, by a path with its query; returns its answer, also a refusal.

        Raises `Refusal` where the door can't be reached.
        """
        return await self._sent(method, path, body, granted, headers)

    async def standing(self, account: str) -> Standing:
        """How an account stands, asked in the desk's own name."""
        answer = await self._ask("GET", f"/v1/accounts/{quote(account, safe='')}/standing", b"", _OWN)
        return msgspec.json.decode(answer, type=Standing)

    async def tell(self, event: bytes) -> None:
        """Send an event in the desk's own name; it is in the log then, once, however often it is sent.

        Raises `EventRefused`, and `Refusal` where it can't be told now.
        """
        answer = await self._sent("POST", "/v1/events", event, _OWN)
        if answer.status_code in _DONE:
            return
        try:
            [result] = msgspec.json.decode(answer.content, type=Results).results
        except (msgspec.DecodeError, ValueError):
            raise _refused(answer) from None
        if result.error is None:
            raise _later(f"the door answered with status {answer.status_code}")
        raise EventRefused(result.error)

    async def _ask(self, method: str, path: str, body: bytes, granted: Granted) -> bytes:
        answer = await self._sent(method, path, body, granted)
        if answer.status_code not in _DONE:
            raise _refused(answer)
        return answer.content

    async def _sent(
        self, method: str, path: str, body: bytes, granted: Granted, headers: Mapping[str, str] = MappingProxyType({})
    ) -> httpx.Response:
        try:
            async with httpx.AsyncClient(
                base_url=url_of(self._door),
                headers={**headers, "authorization": self._passes.issue(granted)},
                timeout=_PATIENCE,
                verify=_trusted(self._door.tls_cert),
                trust_env=False,  # a pass is never sent through a proxy that the environment happens to name
            ) as client:
                return await client.request(method, path, content=body)
        # ValueError: the certificate's file holds none.
        except (httpx.HTTPError, OSError, ValueError, BadSettings) as error:
            _log.warning("the door can't be reached for %s", path, exc_info=error)
            raise _later("the door can't be reached") from error


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
