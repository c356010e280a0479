"""The ASGI middleware in a gateway of Starlette, before models that stream, fail or break off."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from fairgate.integrations.asgi import FairShare
from fairgate.integrations.client import Asked, InProcess, ShareClient, Sidecar
from fairgate.integrations.driver import Driver
from fairgate.integrations.gate import Fail, Gate
from fairgate.share import Pool, Share
from tests.e2e.doors import free_port, wait_until
from tests.e2e.shares import Models, pool, served, settings_for, sharing

USERS = {"sk-ann": "ann", "sk-ben": "ben"}


def ask(scope: Any, body: bytes) -> Asked | None:  # noqa: ANN401 - ASGI's
    """Whose request it is, by the gateway's own keys; what it needs, by its body."""
    headers = dict(scope["headers"])
    account = USERS.get(headers.get(b"authorization", b"").decode().removeprefix("Bearer "))
    if account is None:
        return None
    asked = json.loads(body)
    return Asked(
        account, asked["model"], 100, asked["max_tokens"], deadline=(headers.get(b"wait") == b"long" and 20) or 0.3
    )


def gateway_to(models: str) -> Starlette:
    """A gateway that passes everything on to the models."""

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        yield
        await http.aclose()

    http = httpx.AsyncClient(base_url=models, timeout=30, trust_env=False)

    async def chat(request: Request) -> Response:
        body = await request.body()
        if json.loads(body)["model"] == "raises":
            raise RuntimeError("a fault of the gateway")
        if not json.loads(body).get("stream"):
            answer = await http.post("/v1/chat/completions", content=body)
            return JSONResponse(answer.json(), answer.status_code)

        async def parts() -> AsyncIterator[bytes]:
            async with http.stream("POST", "/v1/chat/completions", content=body) as answer:
                async for part in answer.aiter_bytes():
                    yield part

        return StreamingResponse(parts(), media_type="text/event-stream")

    async def other(_request: Request) -> Response:
        return JSONResponse({"fine": True})

    return Starlette(
        routes=[Route("/v1/chat/completions", chat, methods=["POST"]), Route("/other", other)], lifespan=life
    )


class Gateway:
    """A gateway that is open."""

    def __init__(self, url: str, fair: FairShare, models: Models, share: "Seen") -> None:
        self.url, self.fair, self.models, self.share = url, fair, models, share

    @property
    def counts(self) -> dict[str, int]:
        return dict(self.fair.gate.counts)

    def chat(self, model: str = "plain", words: int = 20, key: str = "sk-ann", **more: Any) -> httpx.Response:  # noqa: ANN401 - JSON
        headers = {"authorization": f"Bearer {key}"} | more.pop("headers", {})
        with httpx.Client(base_url=self.url, timeout=30, trust_env=False) as client:
            return client.post("/v1/chat/completions", json=asked_for(model, words) | more, headers=headers)

    def others_chat(self) -> httpx.Response:
        return self.chat("slow", 60, key="sk-ben", stream=True)


def asked_for(model: str, words: int) -> dict[str, Any]:
    return {"model": model, "max_tokens": words, "stream_options": {"include_usage": True}}


class Seen:
    """What a test may see of a share, here or in a sidecar."""

    def __init__(self, share: Share) -> None:
        self._share = share

    def pool(self) -> Any:  # noqa: ANN401 - a pool as told
        return self._share.state().pools[0]

    def used(self) -> float:
        return float(self.pool().used)

    def bind(self, account: str, ceil: float | None) -> None:
        self._share.bind(account, ceil)

    def quiet(self) -> bool:
        return bool(self.pool().in_flight == 0)


@contextmanager
def gateway(client: ShareClient, share: Share, fail: Fail = "closed") -> Iterator[Gateway]:
    models = Models()
    with served(models) as address:
        fair = FairShare(gateway_to(address), client, ask, fail=fail)
        with served(fair, "on") as url:
            yield Gateway(url, fair, models, Seen(share))


@contextmanager
def through(kind: str, folder: Path, **said: Any) -> Iterator[Gateway]:  # noqa: ANN401 - the keys of a pool
    """A gateway with a share in its own process, or in a sidecar."""
    if kind == "in process":
        share = Share([Pool("default", **said)])
        with gateway(InProcess(Driver(share)), share) as opened:
            yield opened
        return
    with (
        sharing(settings_for(folder, pool(**said))) as side,
        gateway(Sidecar(side.url), side.application.sidecar.share) as opened,
    ):
        yield opened


both = pytest.mark.parametrize("kind", ["in process", "sidecar"])


@both
def test_answers_whole_or_streamed_are_settled_by_their_usage(tmp_path: Path, kind: str) -> None:
    with through(kind, tmp_path, capacity=100_000.0) as found:
        assert found.chat(words=20).json()["usage"]["completion_tokens"] == 20
        wait_until(found.share.quiet)
        assert found.share.used() == pytest.approx(7 + 4 * 0.1 + 2 * 20)
        streamed = found.chat(words=300, stream=True)
        assert streamed.text.count("word ") == 300
        wait_until(found.share.quiet)
        assert found.share.used() == pytest.approx(2 * 7.4 + 2 * 320)
        assert found.counts == {"granted": 2, "settled": 2}


@both
def test_a_stream_is_charged_while_it_runs(tmp_path: Path, kind: str) -> None:
    with through(kind, tmp_path, capacity=100_000.0) as found, ThreadPoolExecutor(1) as some:
        for _ in range(60):  # it learns that answers are short
            found.chat(words=1)
        before = found.share.used()
        running = some.submit(found.chat, "slow", 60, stream=True)
        wait_until(lambda: found.share.pool().in_flight == 1)
        first = found.share.used() - before
        assert first < 200
        wait_until(lambda: found.share.used() - before > first + 40 or running.done())
        assert not running.done(), "charged only at its end"
        running.result()


@both
def test_without_capacity_it_is_429_and_no_model_is_called(tmp_path: Path, kind: str) -> None:
    with through(kind, tmp_path, capacity=0.0, burst=10.0) as found:
        assert found.chat().status_code == 200, "what was saved up"
        denied = found.chat()
        assert denied.status_code == 429
        assert int(denied.headers["retry-after"]) >= 1
        assert denied.json()["error"]["code"] in {"late", "busy"}
        assert (found.models.calls, found.counts["denied"]) == (1, 1)


@both
def test_failures_and_early_ends_are_aborted(tmp_path: Path, kind: str) -> None:
    with through(kind, tmp_path, capacity=100_000.0) as found:
        assert found.chat("failing").status_code == 500
        wait_until(found.share.quiet)
        assert found.share.used() == 100
        assert found.chat("raises").status_code == 500
        wait_until(found.share.quiet)
        assert found.share.used() == 200
        with pytest.raises(httpx.RemoteProtocolError):
            found.chat("broken", 50, stream=True)
        wait_until(found.share.quiet)
        assert 300 + 2 * 4 <= found.share.used() <= 300 + 2 * 6
        assert found.counts == {"granted": 3, "aborted": 3}


@both
def test_a_client_that_goes_away_in_a_stream_is_charged_for_what_was_written(tmp_path: Path, kind: str) -> None:
    with through(kind, tmp_path, capacity=100_000.0) as found:
        body = json.dumps(asked_for("slow", 400) | {"stream": True}).encode()
        with talking(found, body) as connection:
            got = b""
            while got.count(b"word") < 10:
                got += connection.recv(1_000)
        wait_until(found.share.quiet)
        assert 100 + 2 * 10 <= found.share.used() <= 100 + 2 * 200
        assert found.counts == {"granted": 1, "aborted": 1}
        wait_until(lambda: found.models.running == 0)


@both
def test_a_stream_of_an_account_that_may_use_nothing_any_more_is_cut_off(tmp_path: Path, kind: str) -> None:
    with through(kind, tmp_path, capacity=100_000.0) as found, ThreadPoolExecutor(2) as some:
        banned, other = some.submit(found.chat, "slow", 400, stream=True), some.submit(found.others_chat)
        wait_until(lambda: found.share.pool().in_flight == 2)
        found.share.bind("ann", 0.0)
        text = banned.result().text
        assert text.count("word ") < 400
        last = text.strip().rpartition("\n\n")[2].splitlines()
        assert last[0] == "event: error"
        assert json.loads(last[1].removeprefix("data: "))["error"]["code"] == "busy", "no oracle"
        assert other.result().text.count("word ") == 60
        wait_until(found.share.quiet)
        assert found.counts == {"granted": 2, "aborted": 1, "stopped": 1, "settled": 1}
        wait_until(lambda: found.models.running == 0)
        assert found.chat().status_code == 429
        found.share.bind("ann", None)
        assert found.chat(words=3, stream=True).text.count("word ") == 3


@both
def test_a_client_that_goes_away_in_the_queue_leaves_it(tmp_path: Path, kind: str) -> None:
    with through(kind, tmp_path, capacity=0.0, burst=10.0) as found:
        assert found.chat().status_code == 200, "what was saved up"
        body = json.dumps(asked_for("plain", 4)).encode()
        with talking(found, body, b"wait: long\r\n"):
            wait_until(lambda: found.share.pool().waiting == 1)
        wait_until(lambda: found.share.pool().waiting == 0)
        assert (found.models.calls, found.share.pool().in_flight) == (1, 0)


def test_whose_request_it_is_comes_from_the_gateway_alone(tmp_path: Path) -> None:
    with through("in process", tmp_path, capacity=100_000.0) as found:
        found.chat(key="sk-ann", user="ben", account="ben", metadata={"account": "ben"}, headers={"x-account": "ben"})
        wait_until(found.share.quiet)
        assert [each.name for each in found.share.pool().clusters] == ["ann"]
        assert found.chat(key="sk-nobody").status_code == 200, "whom the gateway asks nothing for passes"
        with httpx.Client(base_url=found.url, trust_env=False) as client:
            assert client.get("/other").json() == {"fine": True}
        assert found.counts == {"granted": 1, "settled": 1}


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_what_an_outage_means_is_named_logged_and_counted(fail: Fail, caplog: pytest.LogCaptureFixture) -> None:
    nobody = Sidecar(f"http://127.0.0.1:{free_port()}")
    with gateway(nobody, Share([Pool("default", 1.0)]), fail) as found:
        answers = [found.chat(words=3) for _ in range(3)]
        assert {each.status_code for each in answers} == ({200} if fail == "open" else {503})
        assert found.models.calls == (3 if fail == "open" else 0)
        assert found.counts[f"failed_{fail}"] == 3
        if fail == "closed":
            assert answers[0].json()["error"]["code"] == "unavailable"
            assert "retry-after" in answers[0].headers
    said = [record.getMessage() for record in caplog.records if record.name == "fairgate.integrations.gate"]
    assert len(said) == 1, "once for an outage, not for every request"
    assert ("pass unasked" if fail == "open" else "no request passes") in said[0]


def test_an_outage_between_a_grant_and_its_end_loses_the_usage_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    settings = settings_for(tmp_path, pool(capacity=10_000), port=port)
    share = Share([Pool("default", 1.0)])
    with gateway(Sidecar(f"http://127.0.0.1:{port}"), share, "closed") as found, ThreadPoolExecutor(1) as some:
        with sharing(settings) as side:
            running = some.submit(found.chat, "slow", 60, stream=True)
            wait_until(lambda: side.pool()["in_flight"] == 1)
        assert running.result().text.count("word ") == 60
        wait_until(lambda: found.counts.get("lost", 0) == 1)
        assert found.counts == {"granted": 1, "settled": 1, "lost": 1}
    assert any("could not be told" in record.getMessage() for record in caplog.records)


def test_answers_that_no_sidecar_gives_are_an_outage() -> None:
    async def odd(scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
        status, body = odds[0]
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})
        assert scope["path"] == "/v1/share/acquire"

    odds = [(200, b"")]
    with served(odd) as url, gateway(Sidecar(url), Share([Pool("default", 1.0)]), "closed") as found:
        for odds[0] in ((200, b"<html>"), (200, b"[]"), (200, b"{}"), (500, b"{}"), (302, b""), (401, b"{}")):
            assert found.chat(words=1).status_code == 503, odds
    assert found.counts == {"failed_closed": 6}


def test_after_an_outage_it_asks_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    settings = settings_for(tmp_path, pool(capacity=10_000), port=port)
    share = Share([Pool("default", 1.0)])
    with gateway(Sidecar(f"http://127.0.0.1:{port}"), share, "open") as found:
        found.chat(words=1)
        with sharing(settings):
            wait_until(lambda: found.chat(words=1).status_code == 200 and found.counts.get("granted", 0) > 0)
        assert found.chat(words=1).status_code == 200
    assert any("again" in record.getMessage() for record in caplog.records)
    assert found.counts["failed_open"] >= 2


def test_a_sidecar_that_hangs_holds_a_gateway_up_only_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = Sidecar(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with gateway(client, Share([Pool("default", 1.0)]), "open") as found:
            began = time.monotonic()
            assert found.chat(words=1).status_code == 200
            assert time.monotonic() - began < 3
            again = time.monotonic()
            assert found.chat(words=1).status_code == 200
            assert time.monotonic() - again < 0.8


def test_a_body_beyond_what_is_read_is_refused() -> None:
    client = InProcess(Driver(Share([Pool("default", 1.0)])))
    fair = FairShare(gateway_to("http://127.0.0.1:1"), client, ask, fail="closed", largest_body=1_000)
    with served(fair, "on") as url, httpx.Client(base_url=url, trust_env=False) as http:
        answer = http.post("/v1/chat/completions", content=b"x" * 5_000)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_what_can_not_be_asked_for_is_a_clients_mistake(tmp_path: Path) -> None:
    with through("in process", tmp_path, capacity=100_000.0) as found:
        assert found.chat(words=-5).status_code == 400
        assert found.chat(words=10**12).status_code == 400
        for body in (b"", b"{", b"[]", b"null", b"{}", b'{"model":"m"}', b'{"model":"m","max_tokens":"5"}', b"\xff"):
            with httpx.Client(base_url=found.url, trust_env=False) as client:
                key = {"authorization": "Bearer sk-ann"}
                answer = client.post("/v1/chat/completions", content=body, headers=key)
                assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid"), body
        assert found.models.calls == 0
    with through("sidecar", tmp_path, capacity=100_000.0) as found:
        assert found.chat(words=-5).status_code == 400
        assert found.counts == {}


def test_no_choice_for_an_outage_is_no_gateway() -> None:
    with pytest.raises(ValueError, match="open"):
        Gate(InProcess(Driver(Share([Pool("default", 1.0)]))), "maybe")  # type: ignore[arg-type]


@contextmanager
def talking(found: Gateway, body: bytes, headers: bytes = b"") -> Iterator[socket.socket]:
    """A connection that has sent a request; it is cut off on leaving."""
    port = int(found.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-ann\r\n"
        connection.sendall(head + headers + b"content-length: %d\r\n\r\n" % len(body) + body)
        yield connection


def test_a_driver_tells_nobody_twice() -> None:
    """Who is cancelled at the moment of the grant gives it back."""

    async def play() -> tuple[int, float]:
        share = Share([Pool("default", 1_000.0, burst=100.0)])
        driver = Driver(share)
        client = InProcess(driver)
        asked = Asked("a", "m", 400, 10, deadline=30)
        first = await client.acquire(asked)
        tasks = [asyncio.ensure_future(client.acquire(asked)) for _ in range(10)]
        await asyncio.sleep(0.01)
        for task in tasks[::2]:
            task.cancel()
        done = await asyncio.gather(*tasks[1::2])
        late = [asyncio.ensure_future(client.acquire(asked)) for _ in range(3)]
        await asyncio.sleep(0.01)
        share.set_capacity("default", 1e9)
        driver.touched()
        await asyncio.sleep(0)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for each in [first, *done]:
            await client.abort(each.grant, 0)  # type: ignore[union-attr]
        await client.close()
        state = share.state().pools[0]
        return state.in_flight + state.waiting, driver.waiting

    assert asyncio.run(play()) == (0, 0)
