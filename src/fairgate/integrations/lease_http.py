"""Leases over HTTP: the desk as a gateway reaches it, and what keeps the two in touch."""

import asyncio
import logging
import time
from collections.abc import Callable

import httpx
import msgspec

from fairgate.share.lease import Desk, DeskUnreachable, Sent, Told
from fairgate.share.lease_holder import LeaseHolder

PATH = "/v1/share/leases"
#: Seconds that an answer may take: it comes from memory, and until it is here nothing else can be said.
_ANSWER_SECONDS, _CONNECT_SECONDS = 1.0, 0.5
#: Seconds between two looks, at least and at most.
_SOONEST, _LATEST = 0.001, 1.0
#: Messages to give everything back with at the end: a lease may come with the answer to the first.
_LAST = 3
_OK = 200
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Told).decode
_log = logging.getLogger(__name__)


class HttpDesk:
    """A desk behind `POST /v1/share/leases`. `key` is an API key of the scope `share`. One event loop uses it."""

    def __init__(self, url: str, key: str | None = None, transport: httpx.AsyncBaseTransport | None = None) -> None:
        headers = {"content-type": "application/json"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        timeout = httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        self._http = httpx.AsyncClient(
            base_url=url, headers=headers, timeout=timeout, transport=transport, trust_env=False
        )

    async def exchange(self, sent: Sent) -> Told:
        """See `Desk`. Raises `DeskUnreachable`, also for an answer that comes too late or is none."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS + _CONNECT_SECONDS):  # httpx has none for the whole
                answer = await self._http.post(PATH, content=_encode(sent))
        except (httpx.HTTPError, TimeoutError) as error:
            raise DeskUnreachable(type(error).__name__) from error
        if answer.status_code != _OK:
            raise DeskUnreachable(f"status {answer.status_code}")
        try:
            return _decode(answer.content)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DeskUnreachable("an answer of another form") from error

    async def close(self) -> None:
        """Let go of what is open."""
        await self._http.aclose()


class Exchange:
    """Keeps a holder in touch with the desk, from one event loop, while `run` runs.

    `touched` is called when something may have come of those who wait, such as `Driver.touched`. `clock` must be the
    holder's. That the desk is away, and that it is back, is logged once.
    """

    def __init__(
        self,
        holder: LeaseHolder,
        desk: Desk,
        touched: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._holder = holder
        self._desk = desk
        self._touched = touched
        self._clock = clock
        self._news = asyncio.Event()
        self._away = False
        holder.wake = self._news.set

    async def run(self) -> None:
        """Exchange messages until this is cancelled; then give back what is left of leases."""
        try:
            while True:
                if not await self._once():
                    await self._wait()
        finally:
            for _ in range(_LAST):
                self._holder.retire()
                if not await self._once():
                    break

    async def _once(self) -> bool:
        """Say what there is to say, and hear the answer; False where there is nothing."""
        sent = self._holder.send()
        if sent is None:
            return False
        try:
            answer = self._desk.exchange(sent)
            told = answer if isinstance(answer, Told) else await answer
        except DeskUnreachable as error:
            self._holder.lost()
            self._note(away=True, why=str(error))
        except asyncio.CancelledError:
            self._holder.lost()
            raise
        else:
            self._holder.hear(told)
            self._note(away=False)
        self._touched()
        return True

    async def _wait(self) -> None:
        """Sleep until there is something to say."""
        self._news.clear()
        at = self._holder.send_at()
        seconds = _LATEST if at is None else min(max(at - self._clock(), _SOONEST), _LATEST)
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return
        if (at := self._holder.send_at()) is not None and (seconds := at - self._clock()) > 0:
            await asyncio.sleep(min(seconds, _LATEST))  # there is news, and it is too soon for the next message

    def _note(self, *, away: bool, why: str = "") -> None:
        if away and not self._away:
            _log.warning("the desk of leases is away (%s): what is left of leases is used, then the safe rate", why)
        elif self._away and not away:
            _log.warning("the desk of leases is back")
        self._away = away
