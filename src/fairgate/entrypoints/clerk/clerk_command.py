"""The clerk's process: `fairgate serve` starts it, and it ends with whoever started it."""

import asyncio
import logging
import os
import signal
import sys
from contextlib import ExitStack, closing, suppress
from functools import partial

from fairgate.backends.embedded.clock import SystemClock
from fairgate.backends.embedded.segment_reader import SegmentReader, published
from fairgate.casework.opening import Opening
from fairgate.domain.errors import FairgateError
from fairgate.entrypoints.clerk.clerk import Clerk
from fairgate.entrypoints.clerk.post import Post
from fairgate.entrypoints.desk.lifeline import lines_of, on_end, settings_of_line, stop_then_kill
from fairgate.entrypoints.signing import signer_of
from fairgate.language.pack_file import pack_from_texts
from fairgate.monitor.logs import configure
from fairgate.pipeline.erasing import Erasing
from fairgate.pipeline.projection import Projection
from fairgate.secret_file import secrets_of
from fairgate.settings import Settings
from fairgate.wiring import open_records

#: The door comes first.
_NICER = 5
#: Seconds that a clerk gets to stop when the door is gone.
_STOP_SECONDS = 8.0
_log = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Work until told to stop."""
    configure(settings.telemetry.log_level, json=settings.telemetry.log_json)
    os.nice(_NICER)
    clock = SystemClock()
    with ExitStack() as stack:
        log = stack.enter_context(closing(SegmentReader.open(settings.data / "log")))
        records = stack.enter_context(open_records(settings.data))
        posts = {name: (each, Post(each, signer_of(name), clock)) for name, each in settings.webhook.items()}
        secrets = partial(secrets_of, settings.data, make=False)
        erasing = Erasing(records.appeals, records.challenges, log, secrets)
        watchers = (Opening(records.case_feed), erasing)
        projection = Projection(log, records.ledger, list(posts), pack_from_texts, watchers)
        clerk = Clerk(projection, lambda: _look(log), records.outbox, posts, clock)
        _log.info("the clerk reads the log", extra={"receivers": len(posts)})
        with suppress(asyncio.CancelledError):
            asyncio.run(_until_stopped(clerk))


def _look(log: SegmentReader) -> None:
    """Show what was written to the log since: most times there is nothing, which its writer tells at less cost."""
    if published(log.directory) != log.end():
        log.refresh()


async def _until_stopped(clerk: Clerk) -> None:
    work = asyncio.ensure_future(clerk.run())
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, work.cancel)
    await work


def supervised() -> int:
    """Run as the child of a door: its settings come from the input, and so does its end."""
    lines = lines_of(sys.stdin.fileno())
    settings = settings_of_line(next(lines))
    on_end(lines, lambda: stop_then_kill(_STOP_SECONDS))
    failed = False
    try:
        run(settings)
    except* FairgateError:
        _log.exception("the clerk can't run")
        failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(supervised())
