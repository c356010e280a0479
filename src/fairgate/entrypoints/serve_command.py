"""`fairgate serve`: the door, until it is told to stop."""

import contextlib
import logging
import resource
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from fairgate.backends.embedded.clock import SystemClock
from fairgate.domain.audit import Head, signed
from fairgate.domain.errors import FairgateError
from fairgate.entrypoints.access import Access, kept_fresh, require_keys
from fairgate.entrypoints.door.anchors import record_of
from fairgate.entrypoints.door.asgi import Application
from fairgate.entrypoints.door.connection import Connection
from fairgate.entrypoints.door.door import Door, Live
from fairgate.entrypoints.http_server import Server, listening_at, server_for, stop_on_signals
from fairgate.entrypoints.openapi import ALL_ROUTES
from fairgate.entrypoints.passes import passes_of
from fairgate.entrypoints.signing import signer_of
from fairgate.entrypoints.supervisor import Supervisor, supervised_clerk, supervised_desk
from fairgate.ingest.decode import Taken
from fairgate.monitor.logs import configure
from fairgate.monitor.metric_list import Beside, ChildReading
from fairgate.monitor.metrics import DoorMetrics
from fairgate.monitor.traces import NoTraces
from fairgate.pipeline.online import Outcome
from fairgate.ports.traces import Traces
from fairgate.secret_file import secrets_of
from fairgate.settings import DoorSettings, Settings, settings_of
from fairgate.wiring import LivePipeline, calm_collector, existing_records, open_challengers, open_keys, traces_from

#: Connections that may wait to be accepted.
_BACKLOG = 2_048
#: Seconds that a connection is kept open without a request.
_IDLE_SECONDS = 60
#: Files that a process has open beside its connections.
_FILES = 256
_log = logging.getLogger(__name__)


def run(config: Path | None, given: Mapping[str, object]) -> int:
    """Serve with the settings of a file, overridden by those given; returns after a graceful stop."""
    settings = settings_of(config, given)
    configure(settings.telemetry.log_level, json=settings.telemetry.log_json)
    clock = SystemClock()
    with contextlib.ExitStack() as stack:
        keys = stack.enter_context(open_keys(settings))
        require_keys(settings.door.host, keys, clock.now())
        access = Access(keys, clock, settings.door.host, passes_of(settings, clock))
        stack.enter_context(kept_fresh(access))
        traces = stack.enter_context(traces_from(settings.telemetry.otlp_endpoint, settings.telemetry.otlp_share))
        live = stack.enter_context(contextlib.closing(LivePipeline(settings, clock)))
        desk = supervised_desk(settings) if settings.desk.enabled else None
        clerk = supervised_clerk(settings) if settings.clerk.enabled else None
        server = server_of(
            application_of(
                live, settings, access, traces=traces, beside=lambda: Beside(_reading_of(desk), _reading_of(clerk))
            )
        )
        stack.callback(_anchor, live, settings)  # when the processes beside it have ended
        calm_collector()
        listener = stack.enter_context(listening(settings.door))
        allow_files(settings.door.connections + _FILES)
        if desk is not None:
            open_challengers(settings)  # which raises here what would keep the desk from starting
            stack.enter_context(desk)
        if clerk is not None:
            check_webhooks(settings)
            stack.enter_context(clerk)
        stop_on_signals(server)
        server.run(sockets=[listener])
    return 0


def _anchor(live: LivePipeline, settings: Settings) -> None:
    """Let the log vouch for the audit log as it is left. What can't be vouched for now is the next time."""
    try:
        with existing_records(settings.data) as records:
            head = Head() if records is None else records.audit.head()
        if head.rows and "pipeline" in vars(live):  # else it is just being made anew
            pipeline = live.pipeline
            pipeline.note(record_of(signed(head, secrets_of(settings.data, make=False)), pipeline.clock.now()))
            pipeline.commit()
    except FairgateError:
        _log.exception("the audit log's last rows are not anchored yet")


def check_webhooks(settings: Settings) -> None:
    """Raise `BadSettings` where a webhook has no secret: its letters could never be sent."""
    for name in settings.webhook:
        signer_of(name)


def application_of(  # noqa: PLR0913 - what a door is put together from
    live: Live,
    settings: Settings,
    access: Access,
    *,
    traces: Traces | None = None,
    on_taken: Callable[[Taken, Outcome], None] | None = None,
    beside: Callable[[], Beside] = Beside,
) -> Application:
    """The door with its metrics; for the parameters see `Door`."""
    routes = [route.path for route in ALL_ROUTES]
    metrics = DoorMetrics(live.pipeline.engine.checked.pack, routes, ["default", *settings.call_site])
    door = Door(live, settings, metrics, on_taken=on_taken, beside=beside)
    return Application(door, access, traces or NoTraces(), ALL_ROUTES)


def _reading_of(child: Supervisor | None) -> ChildReading | None:
    return None if child is None else ChildReading(child.state.pid is not None, child.state.starts)


def listening(settings: DoorSettings) -> socket.socket:
    """A socket that listens there, port 0 taking a free one; raises `BadSettings` where that can't be.

    Its connections end when a client takes nothing of what it is sent for as long as a request may take to arrive.
    """
    listener = listening_at(settings.host, settings.port, "Choose another with --port.", _BACKLOG)
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
    return server_for(application, settings, settings.stop_seconds, http=Connection, timeout_keep_alive=_IDLE_SECONDS)
