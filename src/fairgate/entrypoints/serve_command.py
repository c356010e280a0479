"""`fairgate serve`: the door, until it is told to stop."""

import signal
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

import uvicorn

from fairgate.entrypoints.decision_api import Door
from fairgate.wiring import calm_collector, open_pipeline, settings_of


def run(config: Path | None, given: Mapping[str, object]) -> int:
    """Serve with the settings of a file, overridden by those given; returns after a graceful stop."""
    settings = settings_of(config, given)
    with open_pipeline(settings) as pipeline:
        calm_collector()
        door = Door(pipeline, snapshot_events=settings.snapshot_events)
        server = server_of(door, settings.host, settings.port)
        stop_on_signals(server)
        server.run()
    return 0


def stop_on_signals(server: uvicorn.Server) -> None:
    """Let a stop by signal end with a return. The server raises the signal again after it, which would kill."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def server_of(door: Door, host: str, port: int) -> uvicorn.Server:
    """The HTTP server around a door."""
    config = uvicorn.Config(
        door,
        host=host,
        port=port,
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
