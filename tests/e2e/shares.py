"""A share's sidecar as a real server in a thread, and models to call: they stream, they break off, they fail."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec
import uvicorn

from fairgate.backends.embedded.clock import SystemClock
from fairgate.entrypoints.access import Access
from fairgate.entrypoints.serve_command import listening
from fairgate.entrypoints.share.asgi import Application
from fairgate.entrypoints.share_command import opened, server_of
from fairgate.ports.api_keys import ApiKeys
from fairgate.settings import Settings, SharePool, ShareSettings
from tests.e2e.doors import NoKeys, client_of, free_port, wait_until

_START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class OpenShare:
    """A sidecar that is open."""

    application: Application
    client: httpx.Client
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(self, what: str, **body: object) -> httpx.Response:
        return self.client.post(f"/v1/share/{what}", json=body)

    def acquire(self, account: str = "a", **more: object) -> httpx.Response:
        asked = {"account": account, "model": "m", "input_tokens": 100, "max_output": 50, "deadline_ms": 0}
        return self.client.post("/v1/share/acquire", json=asked | more)

    def granted(self, account: str = "a", **more: object) -> str:
        answer = self.acquire(account, **more)
        assert answer.status_code == 200, answer.text
        grant: str = answer.json()["grant"]
        return grant

    def pool(self, number: int = 0) -> Any:  # noqa: ANN401 - parsed JSON
        return self.client.get("/v1/share/state").json()["pools"][number]

    def metric(self, name: str) -> float:
        """A figure by its name and labels as Prometheus reads them."""
        lines = self.client.get("/metrics").text.splitlines()
        return float(next(line.rpartition(" ")[2] for line in lines if line.startswith(f"{name} ")))


def settings_for(folder: Path, *pools: SharePool, **more: object) -> Settings:
    """Settings for a free port."""
    share = msgspec.structs.replace(ShareSettings(port=0, stop_seconds=2, pool=list(pools)), **more)
    return Settings(data=folder, share=share)


def pool(**said: Any) -> SharePool:  # noqa: ANN401 - the keys of a pool
    return SharePool(**said)


@contextmanager
def sharing(settings: Settings, keys: ApiKeys | None = None) -> Iterator[OpenShare]:
    """A sidecar that is open, stopped gracefully on leaving."""
    clock = SystemClock()
    access = Access(keys or NoKeys(), clock, settings.share.host)
    with opened(settings, access, clock) as application:
        server = server_of(application)
        listener = listening(application.door.settings.door)
        port = listener.getsockname()[1]
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive())
            with client_of(port) as client:
                yield OpenShare(application, client, port)
        finally:
            server.should_exit = True
            thread.join(_START_SECONDS)
        assert not thread.is_alive()


App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


@contextmanager
def served(app: App, lifespan: Literal["on", "off"] = "off") -> Iterator[str]:
    """The address of an ASGI application on a real server."""
    config = uvicorn.Config(app, log_config=None, lifespan=lifespan, timeout_graceful_shutdown=2, interface="asgi3")
    server, port = uvicorn.Server(config), free_port()
    with closing(listening(msgspec.structs.replace(Settings().door, port=port))) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive())
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(_START_SECONDS)
    assert not thread.is_alive()


class Models:
    """Models behind OpenAI's interface. They write as many words as `max_tokens` says.

    By the name: `slow-...` waits between words, `broken-...` breaks off after five, `failing-...` answers 500,
    `silent-...` says nothing of usage.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.running = 0
        self.most_running = 0
        self.words = 0

    async def __call__(self, _scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        asked = json.loads(body)
        self.calls += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if asked["model"].startswith("failing"):
                await _json(send, 500, {"error": {"message": "out of order", "type": "server_error"}})
            elif asked.get("stream"):
                await self._stream(asked, receive, send)
            else:
                await asyncio.sleep(0.3 if asked["model"].startswith("slow") else 0)
                await _json(send, 200, _whole(asked))
        finally:
            self.running -= 1

    async def _stream(self, asked: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - parsed JSON, ASGI's
        await send(_start(200, b"text/event-stream"))
        gone = asyncio.ensure_future(receive())
        for number in range(asked["max_tokens"]):
            if gone.done() or (asked["model"].startswith("broken") and number == 5):
                if not gone.done():
                    raise ConnectionAbortedError
                return
            await _event(send, _chunk(asked, {"role": "assistant", "content": "word "}))
            self.words += 1
            await asyncio.sleep(0.05 if asked["model"].startswith("slow") else 0.001)
        gone.cancel()
        await _event(send, _chunk(asked, {}, "stop"))
        if (asked.get("stream_options") or {}).get("include_usage") and not asked["model"].startswith("silent"):
            await _event(send, _chunk(asked, None) | {"usage": _usage(asked)})
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": False})


def _usage(asked: Any) -> dict[str, Any]:  # noqa: ANN401 - parsed JSON
    count = asked["max_tokens"]
    return {
        "prompt_tokens": 11,
        "completion_tokens": count,
        "total_tokens": 11 + count,
        "prompt_tokens_details": {"cached_tokens": 4},
    }


def _whole(asked: Any) -> dict[str, Any]:  # noqa: ANN401 - parsed JSON
    message = {"role": "assistant", "content": "word " * asked["max_tokens"]}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    answer = {"id": "c1", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": [choice]}
    return answer if asked["model"].startswith("silent") else answer | {"usage": _usage(asked)}


def _chunk(asked: Any, delta: dict[str, str] | None, end: str | None = None) -> dict[str, Any]:  # noqa: ANN401 - parsed JSON
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": end}]
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": asked["model"], "choices": choices}


async def _event(send: Any, data: dict[str, Any]) -> None:  # noqa: ANN401 - ASGI's
    body = b"data: " + json.dumps(data).encode() + b"\n\n"
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _json(send: Any, status: int, body: dict[str, Any]) -> None:  # noqa: ANN401 - ASGI's
    await send(_start(status, b"application/json"))
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def _start(status: int, kind: bytes) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]}
