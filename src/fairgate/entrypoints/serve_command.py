"""`fairgate serve`: the door, until it is told to stop."""

import contextlib
import math
import resource
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

import uvicorn

from fairgate.backends.embedded.clock import SystemClock
from fairgate.domain.errors import BadSettings
from fairgate.entrypoints.access import Access, kept_fresh, require_keys
from fairgate.entrypoints.door.asgi import Application
from fairgate.entrypoints.door.connection import Connection
from fairgate.entrypoints.door.door import Door, Live
from fairgate.entrypoints.openapi import ALL_ROUTES
from fairgate.entrypoints.supervisor import supervised_desk
from fairgate.ingest.decode import Taken
from fairgate.monitor.logs import configure
from fairgate.monitor.metrics import DoorMetrics
from fairgate.monitor.traces import NoTraces
from fairgate.pipeline.online import Outcome
from fairgate.ports.traces import Traces
from fairgate.settings import DoorSettings, Settings, settings_of
from fairgate.wiring import LivePipeline, calm_collector, open_keys, traces_from

#: Connections that may wait to be accepted.
_BACKLOG = 2_048
#: Seconds that a connection is kept open without a request.
_IDLE_SECONDS = 60
#: Files that a process has open beside its connections.
_FILES = 256


def run(config: Path | None, given: Mapping[str, object]) -> int:
    """Serve with the settings of a file, overridden by those given; returns after a graceful stop."""
    settings = settings_of(config, given)
    configure(settings.telemetry.log_level, json=settings.telemetry.log_json)
    clock = SystemClock()
    with contextlib.ExitStack() as stack:
        keys = stack.enter_context(open_keys(settings))
        require_keys(settings.door.host, keys, clock.now())
        access = Access(keys, clock, settings.door.host)
        stack.enter_context(kept_fresh(access))
        traces = stack.enter_context(traces_from(settings.telemetry.otlp_endpoint, settings.telemetry.otlp_share))
        live = stack.enter_context(contextlib.closing(LivePipeline(settings, clock)))
        server = server_of(application_of(live, settings, access, traces=traces))
        calm_collector()
        listener = stack.enter_context(listening(settings.door))
        allow_files(settings.door.connections + _FILES)
        if settings.desk.enabled:
            stack.enter_context(supervised_desk(settings))
        stop_on_signals(server)
        server.run(sockets=[listener])
    return 0


def application_of(
    live: Live,
    settings: Settings,
    access: Access,
    *,
    traces: Traces | None = None,
    on_taken: Callable[[Taken, Outcome], None] | None = None,
) -> Application:
    """The door with its metrics; for the parameters see `Door`."""
    routes = [route.path for route in ALL_ROUTES]
    metrics = DoorMetrics(live.pipeline.engine.checked.pack, routes, ["default", *settings.call_site])
    door = Door(live, settings, metrics, on_taken=on_taken)
    return Application(door, access, traces or NoTraces(), ALL_ROUTES)


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


def listening(settings: DoorSettings) -> socket.socket:
    """A socket that listens there, port 0 taking a free one; raises `BadSettings` where that can't be.

    Its connections end when a client takes nothing of what it is sent for as long as a request may take to arrive.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        what = f"{settings.host}, port {settings.port} can't be listened at: {error.strerror or error}"
        raise BadSettings(f"{what}. Choose another with --port.") from error
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        milliseconds = max(1, int(settings.body_seconds * 1_000))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    return listener


def allow_files(wanted: int) -> None:
    """Raise the number of files that this process may open to what is wanted, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def server_of(application: Application) -> Server:
    """The HTTP server around a door. Raises `BadSettings` where the certificate can't be used."""
    settings = application.door.settings.door
    config = uvicorn.Config(
        application,
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="on",
        interface="asgi3",
        proxy_headers=False,
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=math.ceil(settings.stop_seconds),
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    try:
        config.load()
    except OSError as error:
        what = f"{settings.tls_cert} and {settings.tls_key} can't be used: {error.strerror or error}"
        raise BadSettings(f"{what}. They must be PEM files of a certificate chain and its private key.") from error
    return Server(config)
