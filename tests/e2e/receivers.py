"""Another team's service that takes webhooks: a real HTTP server, which may fail, be slow, or be down."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from standardwebhooks.webhooks import Webhook

from fairgate.entrypoints.signing import new_secret, variable_of


@dataclass(frozen=True, slots=True)
class Got:
    """A message that came, and when."""

    id: str
    type: str
    data: Any
    at: float

    @property
    def name(self) -> str:
        """The id without the time in it."""
        return self.id.partition("-")[0]


@dataclass
class Receiver:
    """Notes what comes with a good signature. `answer` says what to answer to the n-th request, from 0 on."""

    name: str
    secret: str = field(default_factory=new_secret)
    answer: Callable[[int], int] = lambda _: 204
    seconds: float = 0.0
    port: int = 0
    requests: int = 0
    got: list[Got] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def env(self) -> dict[str, str]:
        """What the service must have in its environment."""
        return {variable_of(self.name): self.secret}

    def table(self, more: str = "") -> str:
        """The service's settings of this webhook."""
        return f'[webhook.{self.name}]\nurl = "http://127.0.0.1:{self.port}/hooks"\n{more}\n'

    def ids(self) -> list[str]:
        """The names of the messages that came, each once, in the order in which they came first."""
        with self.lock:
            return list(dict.fromkeys(each.name for each in self.got))

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Take a request; returns the status."""
        with self.lock:
            number, self.requests = self.requests, self.requests + 1
        time.sleep(self.seconds)
        status = self.answer(number)
        with self.lock:
            try:
                Webhook(self.secret).verify(body, headers)
            except Exception as error:  # noqa: BLE001 - the test looks at what was wrong
                self.refused.append(repr(error))
                return 401
            if 200 <= status < 300:
                told = msgspec.json.decode(body)
                self.got.append(Got(headers["webhook-id"], told["type"], told["data"], time.monotonic()))
        return status


@contextmanager
def receiving(*receivers: Receiver) -> Iterator[None]:
    """Receivers that listen, each at a port of its own, the same one where it listened before."""
    servers = [_server(each) for each in receivers]
    threads = [threading.Thread(target=each.serve_forever, args=(0.02,)) for each in servers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_: object) -> None:
        """Say nothing: who sends may have been killed."""


def _server(receiver: Receiver) -> _Server:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) < length:  # whoever sent it was killed meanwhile
                self.close_connection = True
                return
            status = receiver.take({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = _Server(("127.0.0.1", receiver.port), Handler)
    receiver.port = server.server_address[1]
    return server
