"""One connection of a client: what it may take of time and memory before a request of it has come to the door."""

import asyncio
from collections import deque
from typing import Any, cast

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from fairgate.entrypoints.door.asgi import Application
from fairgate.entrypoints.door.http import Response, problem

#: Bytes of the request line and the headers together (what comes with their last piece is not counted), and headers.
LARGEST_HEAD = 32 * 1024
MOST_HEADERS = 64
_SLOW = problem(408, "slow", "the request did not arrive in time")
_LONG_HEAD = problem(
    431, "head_too_large", f"request line and headers may have {LARGEST_HEAD:,} bytes, and be {MOST_HEADERS} headers"
)
_BAD = problem(400, "bad_request", "this is no HTTP request")
_TOO_MANY = problem(429, "busy", "too many connections are open", headers=((b"retry-after", b"2"),))
#: Takes in the trailers that may follow a body, and keeps nothing.
_NO_TRAILERS: Any = deque(maxlen=0)


class _TooManyHeaders(Exception):
    """Ends the parsing of a request."""


class Connection(HttpToolsProtocol):
    """A connection that is ended when a request takes too long to arrive, or is none."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        door = cast(Application, config.app).door
        self._settings = door.settings.door
        self._metrics = door.metrics
        self._arriving: asyncio.TimerHandle | None = None
        self._whole = False
        self._head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request; one connection too many is told so and ended."""
        super().connection_made(transport)
        if len(self.connections) > self._settings.connections:
            self._end(_TOO_MANY)
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._stop_waiting()

    def data_received(self, data: bytes) -> None:
        """Take what has arrived; what is not whole by now has so many seconds to come."""
        self._head += len(data)
        super().data_received(data)
        if self._whole or self.transport.is_closing():
            self._stop_waiting()
        elif self._head > LARGEST_HEAD:
            self._end(_LONG_HEAD)
        elif self._arriving is None:
            self._wait()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        if len(self.headers) == MOST_HEADERS:
            raise _TooManyHeaders
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """What follows is a body: its size is looked at where it is read."""
        super().on_headers_complete()
        self.headers = _NO_TRAILERS
        self._head = -(1 << 62)

    def on_message_complete(self) -> None:
        """A request has arrived."""
        super().on_message_complete()
        self._whole, self._head = True, 0

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the server's words for it
        """What has arrived is no request."""
        self._end(_LONG_HEAD if self.headers is not None and len(self.headers) == MOST_HEADERS else _BAD)

    def _unsupported_upgrade_warning(self) -> None:
        """Another protocol is asked for: the request is answered, and nothing after it can be read."""
        self.cycle.keep_alive = False

    def _wait(self) -> None:
        self._arriving = self.loop.call_later(self._settings.body_seconds, self._late)

    def _stop_waiting(self) -> None:
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None

    def _late(self) -> None:
        if self.flow.read_paused:  # it is we who don't read: an earlier request of this connection is still worked on
            self._wait()
        else:
            self._arriving = None
            self._end(_SLOW)

    def _end(self, response: Response) -> None:
        """Answer in place of the request that can't be read, if it is its turn, and close."""
        self._stop_waiting()
        cycle = self.cycle
        if cycle is None or (cycle.response_complete and self._head >= 0):
            self._answer_and_close(response)
        elif cycle.more_body:  # its body is not whole: nothing has been answered, or it did not wait for all of it
            if self.pipeline or cycle.response_started:
                self.transport.close()
            else:
                self._answer_and_close(response)
        else:  # requests before it are being worked on: the last of them closes
            cycle.keep_alive = False
            self.transport.pause_reading()

    def _answer_and_close(self, response: Response) -> None:
        self._metrics.answered("", response.status, 0.0)
        self.transport.write(_on_the_wire(response))
        self.transport.close()


def _on_the_wire(response: Response) -> bytes:
    headers = [*response.headers, (b"content-length", str(len(response.body)).encode()), (b"connection", b"close")]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return STATUS_LINE[response.status] + lines + b"\r\n" + response.body
