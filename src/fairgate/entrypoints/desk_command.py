"""`fairgate desk`: the process beside the door for all that is slow. `fairgate serve` starts it by itself."""

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import sys
from functools import partial

from fairgate.backends.embedded.clock import SystemClock
from fairgate.domain.errors import FairgateError
from fairgate.entrypoints.access import Access, kept_fresh, require_keys
from fairgate.entrypoints.desk.anchoring import Anchoring
from fairgate.entrypoints.desk.app import app_of
from fairgate.entrypoints.desk.at_the_door import AtTheDoor
from fairgate.entrypoints.desk.audit import DESK_FILE, DeskAudit
from fairgate.entrypoints.desk.backlog import Backlog
from fairgate.entrypoints.desk.bulk import BulkDesk
from fairgate.entrypoints.desk.bulk_drafts import Drafting
from fairgate.entrypoints.desk.bulk_runner import BulkRunner
from fairgate.entrypoints.desk.caseroom import Caseroom
from fairgate.entrypoints.desk.challenging import Challenging
from fairgate.entrypoints.desk.doubts import Doubts
from fairgate.entrypoints.desk.front import Front
from fairgate.entrypoints.desk.hearing import Hearing
from fairgate.entrypoints.desk.jobs import Jobs
from fairgate.entrypoints.desk.judging import Judging
from fairgate.entrypoints.desk.labelling import Labelling
from fairgate.entrypoints.desk.lifeline import lines_of, on_end, settings_of_line, stop_then_kill
from fairgate.entrypoints.desk.measuring import Measuring
from fairgate.entrypoints.desk.meters import Meters
from fairgate.entrypoints.desk.office import Office
from fairgate.entrypoints.desk.oidc import Oidc
from fairgate.entrypoints.desk.outcomes import Outcomes
from fairgate.entrypoints.desk.planning import Planning
from fairgate.entrypoints.desk.records import DeskRecords, case_is_open
from fairgate.entrypoints.desk.roster import Roster
from fairgate.entrypoints.desk.second_looks import SecondLooks
from fairgate.entrypoints.desk.sessions import Sessions
from fairgate.entrypoints.desk.upkeep import Upkeep
from fairgate.entrypoints.desk.watch import Watch
from fairgate.entrypoints.desk.workers import Workers, scratch_of
from fairgate.entrypoints.http_server import listening_at, server_for, stop_on_signals
from fairgate.entrypoints.passes import passes_of
from fairgate.monitor.logs import configure
from fairgate.secret_file import secrets_of
from fairgate.settings import Settings
from fairgate.wiring import open_challengers, open_keys

#: The door comes first. Where the disk's scheduler knows priorities it takes them from this, too.
_NICER = 10
#: Seconds that a desk gets to stop when the door is gone.
_STOP_SECONDS = 8.0
_BACKLOG = 128
_REMEDY = "Set desk.port to another, or desk.enabled to false."
#: Connections at a time, so that they leave files to open for everything else.
_CONNECTIONS = 800
_log = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Serve until told to stop; 0, or 1 where something that must go on has ended."""
    configure(settings.telemetry.log_level, json=settings.telemetry.log_json)
    os.nice(_NICER)
    clock, desk = SystemClock(), settings.data / "desk"
    with contextlib.ExitStack() as stack:
        keys = stack.enter_context(open_keys(settings))
        require_keys(settings.desk.host, keys, clock.now())
        access = Access(keys, clock, settings.desk.host)
        stack.enter_context(kept_fresh(access))
        listener = stack.enter_context(listening_at(settings.desk.host, settings.desk.port, _REMEDY, _BACKLOG))
        shutil.rmtree(scratch_of(settings), ignore_errors=True)  # left by workers that were killed
        meters = Meters()
        jobs = Jobs(settings, clock, desk / "jobs", meters)
        upkeep, records = Upkeep(settings, meters), DeskRecords(settings, clock)
        audit = DeskAudit(records)
        asyncio.run(audit.take_over(desk / DESK_FILE))
        door = AtTheDoor(settings.door, passes_of(settings, clock))
        sessions, watch = Sessions(settings, records), Watch(records)
        secrets = partial(secrets_of, settings.data, make=False)
        outcomes = Outcomes(records, door, meters)
        labelling = Labelling(settings.data, records, door)
        runner, workers = BulkRunner(settings, records, door, access, sessions), Workers(settings)
        planning = Planning(settings, records, workers, Roster(settings, records))
        caseroom = Caseroom(settings, records, audit, planning)
        measuring = Measuring(records, workers)
        judging = Judging(caseroom, records, door, labelling, Doubts(settings, measuring))
        office = Office(
            settings=settings,
            access=access,
            audit=audit,
            workers=workers,
            jobs=jobs,
            upkeep=upkeep,
            meters=meters,
            records=records,
            door=door,
            keys=keys,
            sessions=sessions,
            watch=watch,
            front=Front(settings, records, sessions, watch),
            oidc=Oidc(settings, clock),
            hearing=Hearing(settings, records, audit, door, labelling),
            caseroom=caseroom,
            judging=judging,
            second_looks=SecondLooks(records, caseroom, judging, measuring),
            measuring=measuring,
            outcomes=outcomes,
            challenging=Challenging(settings.challenges, open_challengers(settings), records, door, outcomes, meters),
            anchoring=Anchoring(records, door, secrets, settings.desk.anchor_minutes),
            bulk=BulkDesk(records, audit, Drafting(settings, records, door, workers), runner.wake),
            bulk_runner=runner,
            planning=planning,
            backlog=Backlog(settings, records),
            open_case=partial(case_is_open, settings.data),
        )
        return _serve(office, listener)


def _serve(office: Office, listener: socket.socket) -> int:
    failed = False

    def fail() -> None:
        nonlocal failed
        failed = True
        server.should_exit = True

    tls = office.settings.door
    server = server_for(app_of(office, fail), tls, _STOP_SECONDS / 2, http="httptools", limit_concurrency=_CONNECTIONS)
    stop_on_signals(server)
    host, port = listener.getsockname()[:2]
    _log.info("the desk listens", extra={"host": host, "port": port})
    server.run(sockets=[listener])
    return int(failed or not server.started)


def supervised() -> int:
    """Run as the child of a door: its settings come from the input, and so does its end."""
    lines = lines_of(sys.stdin.fileno())
    settings = settings_of_line(next(lines))
    on_end(lines, lambda: stop_then_kill(_STOP_SECONDS))
    try:
        return run(settings)
    except FairgateError:
        _log.exception("the desk can't run")
        return 1


if __name__ == "__main__":
    sys.exit(supervised())
