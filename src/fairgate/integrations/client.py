"""What a gateway asks a share through: one protocol, in this process or over HTTP."""

import asyncio
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import httpx
import msgspec

from fairgate.domain.errors import BadAmount
from fairgate.integrations.driver import Driver, ShareClosed
from fairgate.share import Grant, Usage

#: Seconds between two reports of what streams have written so far.
CHARGE_SECONDS: Final = 0.2
#: Seconds for which nobody is asked after no answer came: a gateway must not wait for it with each request.
PAUSE_SECONDS: Final = 1.0
#: Seconds that an answer may take beyond the time that the request may wait.
_ANSWER_SECONDS, _CONNECT_SECONDS = 1.0, 0.5
#: Charges in one request.
_BATCH = 1_000
_OK, _MANY = 200, 429


class ShareUnreachable(Exception):
    """No answer came from where compute is shared out, or none that can be used: then its status is kept."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request needs. `account` is who the gateway's own authentication says; nothing that the caller sent."""

    account: str
    model: str
    input_tokens: int
    max_output: int
    #: Seconds that it may wait.
    deadline: float = 10.0


@dataclass(frozen=True, slots=True)
class Granted:
    """Leave to use compute, by the id of its grant."""

    grant: str
    estimate: float


@dataclass(frozen=True, slots=True)
class Refused:
    """No leave: a coarse word, and after how many seconds it is worth asking again; None where it never is."""

    code: str
    retry_after: float | None


Answer: TypeAlias = Granted | Refused


class ShareClient(Protocol):
    """Where compute is shared out. `acquire` raises `ShareUnreachable`, and `BadAmount` for what can't be asked.

    What has been granted must be settled or aborted; more than once does no harm. If that doesn't arrive, the grant
    ends by itself, and is counted as it was estimated.
    """

    async def acquire(self, asked: Asked) -> Answer:
        """Ask, and wait. Who is cancelled meanwhile leaves the queue."""
        ...

    def charge(self, grant: str, output: int) -> None:
        """Say what was written so far, in all; it may be reported a little later, together with others."""
        ...

    def stopped(self, grant: str) -> bool:
        """Whether what a grant writes must be cut off, as far as is known: it is told with what it is charged."""
        ...

    async def settle(self, grant: str, usage: Usage) -> None:
        """Say what was used. Raises `ShareUnreachable`."""
        ...

    async def abort(self, grant: str, output: int) -> None:
        """Say that it came to an early end, after so much output. Raises `ShareUnreachable`."""
        ...

    async def close(self) -> None:
        """Let go of what is open."""
        ...


class InProcess:
    """A share in this process. One event loop uses it."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def acquire(self, asked: Asked) -> Answer:
        """See `ShareClient`."""
        driver = self._driver
        try:
            answer = await driver.acquire(
                asked.account, asked.model, asked.input_tokens, asked.max_output, asked.deadline
            )
        except ShareClosed as error:
            raise ShareUnreachable("it is closed") from error
        if isinstance(answer, Grant):
            return Granted(answer.id, answer.estimate)
        return Refused(answer.reason, answer.retry_after if math.isfinite(answer.retry_after) else None)

    def charge(self, grant: str, output: int) -> None:
        """See `ShareClient`."""
        found = self._driver.share.open(grant)
        if isinstance(found, Grant) and found.charge(output):
            self._driver.touched()

    def stopped(self, grant: str) -> bool:
        """See `ShareClient`."""
        found = self._driver.share.open(grant)
        return isinstance(found, Grant) and found.stopped

    async def settle(self, grant: str, usage: Usage) -> None:
        """See `ShareClient`."""
        found = self._driver.share.open(grant)
        if isinstance(found, Grant):
            found.settle(usage.input, usage.output, usage.cached, usage.gpu_seconds)
            self._driver.touched()

    async def abort(self, grant: str, output: int) -> None:
        """See `ShareClient`."""
        found = self._driver.share.open(grant)
        if isinstance(found, Grant):
            found.charge(output)
            found.abort()
            self._driver.touched()

    async def close(self) -> None:
        """See `ShareClient`."""
        self._driver.close()


class Sidecar:
    """A share in a sidecar (`fairgate share serve`), asked over HTTP. One event loop uses it.

    What streams have written is collected and reported together, `CHARGE_SECONDS` apart. After no answer came the
    sidecar is left alone for `PAUSE_SECONDS`.
    """

    def __init__(self, url: str, key: str | None = None, transport: httpx.AsyncBaseTransport | None = None) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=256)
        self._http = httpx.AsyncClient(
            base_url=url, headers=headers, limits=limits, transport=transport, trust_env=False
        )
        self._charges: dict[str, int] = {}
        #: Grants that are to be cut off, until they have ended.
        self._stopped: set[str] = set()
        #: Those of the report that is under way which have not ended meanwhile.
        self._asked_of: set[str] = set()
        self._reporting: asyncio.Task[None] | None = None
        self._paused_until = -math.inf

    async def acquire(self, asked: Asked) -> Answer:
        """See `ShareClient`."""
        body = {
            "account": asked.account,
            "model": asked.model,
            "input_tokens": asked.input_tokens,
            "max_output": asked.max_output,
            "deadline_ms": round(1_000 * asked.deadline),
        }
        if time.monotonic() < self._paused_until:
            raise ShareUnreachable("no answer came a moment ago")
        answer = await self._post("/v1/share/acquire", body, asked.deadline)
        found = _json(answer)
        if answer.status_code == _OK and "grant" in found:
            return Granted(str(found["grant"]), float(found.get("estimate", 0)))
        error = found.get("error", {})
        if answer.status_code == _MANY or error.get("code") in {"too_large", "no_such_model"}:
            return Refused(str(error.get("code", "busy")), found.get("retry_after"))
        if answer.status_code in {400, 422}:
            raise BadAmount(error.get("reason", "this can't be asked"))
        raise ShareUnreachable("an answer of another form", answer.status_code)

    def charge(self, grant: str, output: int) -> None:
        """See `ShareClient`."""
        self._charges[grant] = output
        if self._reporting is None:
            self._reporting = asyncio.get_running_loop().create_task(self._report())

    def stopped(self, grant: str) -> bool:
        """See `ShareClient`."""
        return grant in self._stopped

    async def settle(self, grant: str, usage: Usage) -> None:
        """See `ShareClient`."""
        self._forget(grant)
        body = {
            "grant": grant,
            "input": usage.input,
            "output": usage.output,
            "cached": usage.cached,
            "gpu_seconds": usage.gpu_seconds,
        }
        _told(await self._post("/v1/share/settle", body))

    async def abort(self, grant: str, output: int) -> None:
        """See `ShareClient`."""
        self._forget(grant)
        _told(await self._post("/v1/share/abort", {"grant": grant, "output": output}))

    async def close(self) -> None:
        """See `ShareClient`."""
        if self._reporting is not None:
            self._reporting.cancel()
        await self._http.aclose()

    async def _report(self) -> None:
        """Report what was written, until nothing new is; a report that fails is made up for by the next one."""
        try:
            await asyncio.sleep(CHARGE_SECONDS)
            while self._charges:
                some = [(grant, self._charges.pop(grant)) for grant in list(self._charges)[:_BATCH]]
                with suppress(ShareUnreachable):
                    await self._charge(some)
                await asyncio.sleep(CHARGE_SECONDS)
        finally:
            self._reporting = None

    async def _charge(self, some: Sequence[tuple[str, int]]) -> None:
        self._asked_of = {grant for grant, _ in some}
        answer = await self._post("/v1/share/charge", [{"grant": grant, "output": n} for grant, n in some])
        _told(answer)
        stop = _json(answer).get("stop")
        self._stopped |= self._asked_of.intersection(stop if isinstance(stop, list) else ())

    def _forget(self, grant: str) -> None:
        self._charges.pop(grant, None)
        self._stopped.discard(grant)
        self._asked_of.discard(grant)

    async def _post(self, path: str, body: object, seconds: float = 0.0) -> httpx.Response:
        timeout = httpx.Timeout(seconds + _ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        content = msgspec.json.encode(body)
        try:
            answer = await self._http.post(path, content=content, timeout=timeout)
        except httpx.HTTPError as error:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            raise ShareUnreachable(type(error).__name__) from error
        return answer


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(answer.content)
    except msgspec.DecodeError as error:
        raise ShareUnreachable("an answer that is no JSON") from error
    if not isinstance(found, dict):
        raise ShareUnreachable("an answer of another form")
    return found


def _told(answer: httpx.Response) -> None:
    """A grant that the other side doesn't know has ended, such as by a restart: there is nothing to mend."""
    if answer.status_code not in {_OK, 404}:
        raise ShareUnreachable("an answer of another form", answer.status_code)
