"""Leases over HTTP: the sidecar's own server in front of a desk, gateways in an event loop."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.domain.access import Scope
from fairgate.entrypoints.access import new_key
from fairgate.entrypoints.share import leases
from fairgate.integrations.driver import Driver
from fairgate.integrations.lease_http import Exchange, HttpDesk
from fairgate.ports.api_keys import ApiKeys
from fairgate.settings import ShareLeases
from fairgate.share import Grant, Pool, Share, Standing
from fairgate.share.lease import Desk, DeskUnreachable, Sent, Terms
from fairgate.share.lease_desk import LeaseDesk
from fairgate.share.lease_holder import LeaseHolder
from tests.e2e.doors import ROOT
from tests.e2e.shares import OpenShare, pool, served, settings_for, sharing

POOLS = [Pool("default", 20_000.0, 2_000.0)]
TERMS = Terms(2, {"default": 1_000.0}, lifetime=2.0)
HELLO = Sent(gateway="g", process="p", life=0, number=1)


@contextmanager
def desk_at(folder: Path, keys: ApiKeys | None = None, terms: Terms = TERMS) -> Iterator[tuple[OpenShare, LeaseDesk]]:
    """A sidecar with a desk."""
    quantum = terms.quanta["default"]
    agreed = ShareLeases(gateways=terms.gateways, lifetime=terms.lifetime, delta=terms.delta, sigma=terms.sigma)
    settings = settings_for(folder, pool(capacity=20_000, burst=2_000, quantum=quantum), leases=agreed)
    with sharing(settings, keys) as opened:
        sidecar = opened.application.sidecar
        desk = sidecar.desk
        assert desk is not None
        for account in ("a", "b"):
            sidecar.share.set_principal(account, Standing(trust=0.9), 1)
        yield opened, desk


@asynccontextmanager
async def gateway(name: str, desk: Desk) -> AsyncIterator[tuple[LeaseHolder, Driver]]:
    """A gateway that is in touch with a desk."""
    holder = LeaseHolder(name, POOLS, TERMS, born=time.monotonic_ns() // 1_000)
    driver = Driver(holder)
    keeping = asyncio.create_task(Exchange(holder, desk, driver.touched).run())
    try:
        yield holder, driver
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        driver.close()


async def use(driver: Driver, account: str, times: int) -> int:
    granted = 0
    for _ in range(times):
        answer = await driver.acquire(account, "m", 50, 10, 5.0)
        if isinstance(answer, Grant):
            granted += answer.settle(50, 8)
    return granted


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - what is looked at is the gateway's own
            await asyncio.sleep(0.01)


def test_two_gateways_are_served_and_give_back_what_is_left(tmp_path: Path) -> None:
    async def play(url: str) -> None:
        desks = [HttpDesk(url), HttpDesk(url)]
        async with gateway("g1", desks[0]) as (one, first), gateway("g2", desks[1]) as (_, second):
            users = [use(driver, account, 100) for driver in (first, second) for account in ("a", "b")]
            assert await asyncio.gather(*users) == [100] * 4
            assert not one.cut_off
        for desk in desks:
            await desk.close()

    with desk_at(tmp_path) as (opened, desk):
        asyncio.run(play(opened.url))
        assert opened.acquire("b").status_code == 200, "others use the share beside it"
        assert not desk.leases
        used = 400 * (50 + 2 * 8)
        assert opened.pool()["used"] == pytest.approx(used + 200)


def test_a_request_beside_the_desk_that_waits_is_told(tmp_path: Path) -> None:
    with desk_at(tmp_path) as (opened, _):
        for _ in range(12):
            assert opened.acquire("a", input_tokens=3_000, deadline_ms=5_000).status_code == 200
            answer = opened.client.post(leases.PATH, content=msgspec.json.encode(HELLO))
            assert answer.status_code == 200


def test_a_gateway_needs_a_key_of_the_scope_share(tmp_path: Path) -> None:
    async def ask(url: str, key: str | None) -> str:
        desk = HttpDesk(url, key)
        try:
            told = await desk.exchange(HELLO)
        except DeskUnreachable as error:
            return str(error)
        finally:
            await desk.close()
        return str(told.number)

    with open_api_keys(tmp_path / "keys.db") as keys:
        texts = {}
        for scope in (Scope.SHARE, Scope.READ):
            texts[scope], key = new_key(str(scope), frozenset({scope}), 1, None)
            keys.add(key)
        with desk_at(tmp_path, keys) as (opened, _):
            found = [asyncio.run(ask(opened.url, key)) for key in (None, texts[Scope.READ], texts[Scope.SHARE])]
    assert found == ["status 401", "status 403", "1"]


SAID = b'{"gateway": "g", "process": "p", "life": 0, "number": 1'


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"{", "malformed", ""),
        (b"\xff", "malformed", ""),
        (b"[]", "invalid", ""),
        (SAID + b', "more": 1}', "invalid", ""),
        (SAID.replace(b'"g"', b'""') + b"}", "invalid", "gateway"),
        (SAID.replace(b"0", b"-1") + b"}", "invalid", "life"),
        (SAID + b', "returns": [{"lease": "x", "spent": -1}]}', "invalid", "returns[0].spent"),
        (SAID + b', "wants": [{"id": "x", "account": "a", "model": "m", "cost": 1e30, "deadline": 1}]}', "invalid",
         "wants[0].cost"),
        (SAID + b', "wants": [{"id": "x", "account": "a", "model": "m", "cost": 1, "deadline": 1e9}]}', "invalid",
         "wants[0].deadline"),
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(body: bytes, code: str, field: str) -> None:
    response = leases.exchange(LeaseDesk(Share(POOLS), TERMS), body)
    error = msgspec.json.decode(response.body)["error"]
    assert (response.status, error["code"], error.get("field", "")) == (400, code, field)


def test_a_gateway_goes_on_at_the_safe_rate_while_the_desk_is_away(tmp_path: Path) -> None:
    away = False

    class Away:
        """A desk that can be cut off."""

        def __init__(self, desk: HttpDesk) -> None:
            self._desk = desk

        async def exchange(self, sent: Sent) -> Any:  # noqa: ANN401 - an answer
            if away:
                raise DeskUnreachable("away")
            return await self._desk.exchange(sent)

    async def play(url: str) -> None:
        nonlocal away
        desk = HttpDesk(url)
        async with gateway("g1", Away(desk)) as (holder, driver):
            assert await use(driver, "a", 5) == 5
            away = True
            await until(lambda: holder.cut_off)
            began = time.monotonic()
            granted = await use(driver, "b", 100)
            seconds = time.monotonic() - began
            assert granted == 100
            assert seconds > (100 * 66 - 1_000) / 5_000
            away = False
            await until(lambda: not holder.cut_off)
            assert await use(driver, "a", 50) == 50
        await desk.close()

    with desk_at(tmp_path) as (opened, desk):
        asyncio.run(play(opened.url))
        assert not desk.leases


@pytest.mark.parametrize(("status", "body"), [(503, b""), (200, b"{"), (200, b'{"number": "x"}'), (None, b"")])
def test_an_answer_that_is_none_is_no_answer(status: int | None, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairgate.integrations.lease_http._ANSWER_SECONDS", 0.2)

    async def app(
        _scope: object, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        await receive()
        if status is None:
            await asyncio.sleep(2.0)
        await send({"type": "http.response.start", "status": status or 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async def ask(url: str) -> None:
        desk = HttpDesk(url)
        with pytest.raises(DeskUnreachable):
            await desk.exchange(HELLO)
        await desk.close()

    with served(app) as url:
        asyncio.run(ask(url))
    asyncio.run(ask(url))  # nobody listens any more


def test_the_desk_itself_is_a_desk() -> None:
    async def play() -> None:
        share = Share(POOLS)
        share.set_principal("a", Standing(trust=0.9), 1)
        desk = LeaseDesk(share, TERMS)
        async with gateway("g", desk) as (_, driver):
            assert await use(driver, "a", 50) == 50
        assert not desk.leases

    asyncio.run(play())


def test_the_gateway_of_the_page_works(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "share-gateways.md").read_text("utf-8")
    (code,) = re.findall(r"(?ms)^```python\n(.*?)^```", page)
    terms = Terms(4, {"default": 2_500.0})
    with desk_at(tmp_path, terms=terms) as (opened, desk):
        names: dict[str, Any] = {}
        exec(code.replace("http://localhost:8082", opened.url), names)  # noqa: S102 - the page's own
        asyncio.run(names["main"]())
        assert names["holder"].talk.cut_off is False
        assert not desk.leases
        assert desk.share.stocks["default"].used == 900 - 512 + 512 * 0.1 + 2 * 431


def test_without_gateways_in_the_settings_there_are_no_leases(tmp_path: Path) -> None:
    with sharing(settings_for(tmp_path, pool(capacity=20_000))) as opened:
        answer = opened.client.post(leases.PATH, content=msgspec.json.encode(HELLO))
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_leases")
