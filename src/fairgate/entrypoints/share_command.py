"""`fairgate share serve`: the sidecar that shares compute out to gateways, until it is told to stop."""

import contextlib
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from fairgate.backends.embedded.clock import SystemClock
from fairgate.domain.errors import BadSettings
from fairgate.entrypoints.access import Access, kept_fresh, require_keys
from fairgate.entrypoints.door.connection import Connection
from fairgate.entrypoints.http_server import Server, server_for, stop_on_signals
from fairgate.entrypoints.serve_command import allow_files, listening
from fairgate.entrypoints.share.asgi import PATHS, Application
from fairgate.entrypoints.share.sidecar import Sidecar
from fairgate.entrypoints.share.standings import Standings
from fairgate.entrypoints.signing import key_in
from fairgate.monitor.logs import configure
from fairgate.ports.clock import Clock
from fairgate.settings import Settings, settings_of
from fairgate.wiring import calm_collector, open_keys

#: The variable that has the secret of the webhook by which decisions come; without it none are taken.
VARIABLE = "FAIRGATE_SHARE_WEBHOOK"
#: Where what was said is kept, in the data folder.
STANDINGS = Path("share") / "standings.ndjson"
_IDLE_SECONDS = 60
_FILES = 256


class ShareServer(Server):
    """Lets those who wait know as soon as it begins to stop: they would hold it up for as long as they may wait."""

    application: Application

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        self.application.stop()
        await super().shutdown(sockets)


def serve(config: Path | None, given: Mapping[str, object]) -> int:
    """Serve with the settings of a file, overridden by those given; returns after a graceful stop."""
    settings = settings_of(config, given)
    configure(settings.telemetry.log_level, json=settings.telemetry.log_json)
    clock = SystemClock()
    with contextlib.ExitStack() as stack:
        keys = stack.enter_context(open_keys(settings))
        require_keys(settings.share.host, keys, clock.now())
        access = Access(keys, clock, settings.share.host)
        stack.enter_context(kept_fresh(access))
        application = stack.enter_context(opened(settings, access, clock))
        server = server_of(application)
        calm_collector()
        listener = stack.enter_context(listening(application.door.settings.door))
        allow_files(settings.share.connections + _FILES)
        stop_on_signals(server)
        server.run(sockets=[listener])
    return 0


@contextlib.contextmanager
def opened(settings: Settings, access: Access, clock: Clock) -> Iterator[Application]:
    """The application of some settings. Raises `SharesUnusable`, or `BadSettings` where a pool or a secret can't be."""
    key = key_in(VARIABLE)
    with contextlib.closing(Standings(settings.data / STANDINGS, clock)) as standings:
        try:
            sidecar = Sidecar(settings, standings, PATHS, key=key)
        except ValueError as error:
            raise BadSettings(f"[share]: {error}.") from error
        yield Application(sidecar, _as_door(settings), access)


def server_of(application: Application) -> ShareServer:
    """The HTTP server around a sidecar, with the door's certificate. Raises `BadSettings` where that can't be used."""
    door = application.door.settings.door
    made = server_for(application, door, door.stop_seconds, http=Connection, timeout_keep_alive=_IDLE_SECONDS)
    server = ShareServer(made.config)
    server.application = application
    return server


def _as_door(settings: Settings) -> Settings:
    """The settings, with the door's limits for connections to the sidecar: it has what is the same for both."""
    share = settings.share
    door = msgspec.structs.replace(
        settings.door,
        host=share.host,
        port=share.port,
        connections=share.connections,
        stop_seconds=share.stop_seconds,
    )
    return msgspec.structs.replace(settings, door=door)
