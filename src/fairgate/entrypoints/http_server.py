"""The HTTP server that door and desk have in common: where it listens, how it stops, and its certificate."""

import math
import signal
import socket
from types import FrameType
from typing import Any

import uvicorn

from fairgate.domain.errors import BadSettings
from fairgate.settings import DoorSettings


class Server(uvicorn.Server):
    """Stops gracefully at the first signal; the second ends the process at once, which loses nothing acknowledged."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's parameters
        """Handle a signal. It is not raised again after the stop, as the server by itself would."""
        self.should_exit = True
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)


def stop_on_signals(server: Server) -> None:
    """Let a stop by signal end with a return, also before and after the server handles signals itself."""
    signal.signal(signal.SIGTERM, server.handle_exit)
    signal.signal(signal.SIGINT, server.handle_exit)


def listening_at(host: str, port: int, remedy: str, backlog: int) -> socket.socket:
    """A socket that listens, port 0 taking a free one; raises `BadSettings` with the remedy where that can't be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=backlog)
    except OSError as error:
        what = f"{host}, port {port} can't be listened at: {error.strerror or error}"
        raise BadSettings(f"{what}. {remedy}") from error


def server_for(application: Any, tls: DoorSettings, stop_seconds: float, **more: Any) -> Server:  # noqa: ANN401 - uvicorn's own types
    """A server around an ASGI application, with the door's certificate; `more` is for `uvicorn.Config`.

    Raises `BadSettings` where the certificate can't be used.
    """
    config = uvicorn.Config(
        application,
        loop="uvloop",
        ws="none",
        lifespan="on",
        interface="asgi3",
        proxy_headers=False,
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(stop_seconds),
        ssl_certfile=tls.tls_cert,
        ssl_keyfile=tls.tls_key,
        **more,
    )
    try:
        config.load()
    except OSError as error:
        what = f"{tls.tls_cert} and {tls.tls_key} can't be used: {error.strerror or error}"
        raise BadSettings(f"{what}. They must be PEM files of a certificate chain and its private key.") from error
    return Server(config)
