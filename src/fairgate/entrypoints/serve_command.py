"""`fairgate serve`: the door, until it is told to stop."""

import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

import uvicorn

from fairgate.domain.errors import BadSettings
from fairgate.entrypoints.decision_api import Door
from fairgate.wiring import calm_collector, open_pipeline, settings_of

#: Connections that may wait to be accepted.
_BACKLOG = 2_048


def run(config: Path | None, given: Mapping[str, object]) -> int:
    """Serve with the settings of a file, overridden by those given; returns after a graceful stop."""
    settings = settings_of(config, given)
    with open_pipeline(settings) as pipeline:
        calm_collector()
        door = Door(pipeline, snapshot_events=settings.snapshot_events)
        server = server_of(door)
        with listening(settings.host, settings.port) as listener:
            stop_on_signals(server)
            server.run(sockets=[listener])
    return 0


def stop_on_signals(server: uvicorn.Server) -> None:
    """Let a stop by signal end with a return. The server raises the signal again after it, which would kill."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there, port 0 taking a free one; raises `BadSettings` where that can't be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        what = error.strerror or str(error)
        raise BadSettings(f"{host}, port {port} can't be listened at: {what}. Choose another with --port.") from error


def server_of(door: Door) -> uvicorn.Server:
    """The HTTP server around a door."""
    config = uvicorn.Config(
        door,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    return uvicorn.Server(config)
