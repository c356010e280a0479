"""A running door, asked over HTTP by the commands of operators."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

import httpx
import msgspec

from fairgate.domain.errors import DoorRefused, DoorUnreachable
from fairgate.entrypoints.door.actions import ActionShown, PostAction, PostUndo
from fairgate.entrypoints.door.anchors import PostAnchor
from fairgate.entrypoints.door.changes import ErasureAnswer, PackAnswer, PostErasure, PutEntry, PutSwitch
from fairgate.entrypoints.door.http import Problems
from fairgate.entrypoints.door.shown import EntryShown
from fairgate.settings import DoorSettings, Settings

#: Seconds that an answer may take.
_PATIENCE = 60.0
_Answer = TypeVar("_Answer")


class DoorClient:
    """What operators ask of a door. Raises `DoorRefused` in the door's words, or `DoorUnreachable`."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def put_entry(self, name: str, value: str, length: str, why: str) -> datetime | None:
        """Enter a value in a list for a length of time; returns when it ends."""
        answer = self._ask("PUT", f"/v1/lists/{_part(name)}/{_part(value)}", PutEntry(length, why))
        return _decoded(answer, EntryShown).until

    def take_off(self, name: str, value: str, why: str) -> None:
        """Take a value off a list."""
        self._ask("DELETE", f"/v1/lists/{_part(name)}/{_part(value)}", params={"why": why})

    def put_switch(self, rule: str, why: str, *, off: bool) -> None:
        """Switch a rule, or `all` enforcement, off or on."""
        self._ask("PUT", f"/v1/switches/{_part(rule)}", PutSwitch(off=off, why=why))

    def post_action(self, asked: PostAction) -> ActionShown:
        """Act on an entity."""
        return _decoded(self._ask("POST", "/v1/actions", asked), ActionShown)

    def post_undo(self, number: int, asked: PostUndo) -> ActionShown:
        """Undo an action."""
        return _decoded(self._ask("POST", f"/v1/actions/{number}/undo", asked), ActionShown)

    def post_erasure(self, account: str, why: str) -> ErasureAnswer:
        """Make what is personal in an account's events unreadable."""
        return _decoded(self._ask("POST", "/v1/erasures", PostErasure(account, why)), ErasureAnswer)

    def post_reload(self) -> PackAnswer:
        """Let the pack go live as its folder has it now."""
        return _decoded(self._ask("POST", "/v1/reload"), PackAnswer)

    def post_anchor(self, anchor: PostAnchor) -> None:
        """Let the log vouch for the audit log."""
        self._ask("POST", "/v1/audit/anchors", anchor)

    def _ask(
        self, method: str, path: str, body: msgspec.Struct | None = None, params: dict[str, str] | None = None
    ) -> httpx.Response:
        content = None if body is None else msgspec.json.encode(body)
        try:
            answer = self._client.request(method, path, content=content, params=params)
        except httpx.HTTPError as error:
            raise DoorUnreachable(str(self._client.base_url), str(error)) from error
        if answer.is_success:
            return answer
        try:
            reason = msgspec.json.decode(answer.content, type=Problems).error.reason
        except msgspec.DecodeError:
            reason = f"status {answer.status_code}"
        raise DoorRefused(reason)


@contextmanager
def open_door(settings: Settings, url: str | None, key: str | None) -> Iterator[DoorClient]:
    """The door of these settings, or at another address, asked with an API key where one is given."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    certificate = settings.door.tls_cert
    with httpx.Client(
        base_url=url or url_of(settings.door),
        headers=headers,
        timeout=_PATIENCE,
        verify=True if certificate is None else str(certificate),
        trust_env=False,  # a key is never sent through a proxy that the environment happens to name
    ) as client:
        yield DoorClient(client)


def url_of(settings: DoorSettings) -> str:
    """Where a door with these settings answers."""
    return url_at(settings.host, settings.port, tls=settings.tls_cert is not None)


def url_at(host: str, port: int, *, tls: bool) -> str:
    """Where something that listens at a host and port answers on this machine."""
    host = reached(host)
    return f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{port}"


def reached(host: str) -> str:
    """The address by which this machine reaches what listens at one; all addresses are its own."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what others listen at: nothing does here


def _decoded(answer: httpx.Response, shape: type[_Answer]) -> _Answer:
    return msgspec.json.decode(answer.content, type=shape)


def _part(text: str) -> str:
    """A part of a path."""
    return quote(text, safe="")
