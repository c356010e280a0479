"""The live pipeline as the tests drive it."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from fairgate.backends.embedded.segments import open_log
from fairgate.backends.embedded.snapshots import FolderSnapshots
from fairgate.domain.secret import Secrets
from fairgate.kernel.rows import Rows
from fairgate.pipeline.online import Answer, Outcome, Pipeline
from fairgate.pipeline.records import EventRecord, ListRecord, Record, decode, encode
from fairgate.pipeline.rerun import rerun
from fairgate.pipeline.seals import NOBODY, Seals
from fairgate.wiring import checked_from
from tests.support import PACK, SECRETS, seals_in

#: A pack with what the first has, one rule more and a list less.
NEXT_PACK = PACK.replace('version = "1"', 'version = "2"').replace('name = "tor"', 'name = "exits"').replace(
    'list("tor")', 'list("exits")'
) + """
[[rule]]
name = "regular"
on = "api.request"
when = 'count("api.request", by=account, over="24h") >= 3 and since("account.signup", by=account) > 60'
score = 1.0
action = "watch"
reason = "spend"
mode = "live"
"""  # fmt: skip


def take(pipeline: Pipeline, *bodies: bytes) -> list[Outcome]:
    """What becomes of these bodies when they come together, now."""
    now = pipeline.clock.now()
    outcomes = pipeline.take([pipeline.decoder.single(raw, now) for raw in bodies])
    pipeline.commit()
    return outcomes


def answers(pipeline: Pipeline, *bodies: bytes) -> list[Answer]:
    """The same for events that must be taken."""
    found = take(pipeline, *bodies)
    return [each for each in found if isinstance(each, Answer) or pytest.fail(str(each))]


def snapshot(pipeline: Pipeline) -> None:
    pipeline.commit()
    pipeline.keep(pipeline.capture(pipeline.mark()))


def logged(folder: Path, secrets: Mapping[int, int] = SECRETS.versions) -> list[bytes]:
    """The records of a log, with what is sealed in them in clear: sealing is different each time."""
    with open_log(folder / "log", read_only=True) as log, seals_in(folder, Secrets(secrets)) as seals:
        return [encode(opened(decode(at, data), seals)) for at, data in log.read()]


def opened(record: Record, seals: Seals) -> Record:
    """A record with what is sealed in clear, or nothing where it is erased."""
    if not isinstance(record, EventRecord | ListRecord) or record.key == NOBODY:
        return record
    return msgspec.structs.replace(record, sealed=seals.open(record.key, record.sealed) or b"")


def reread(folder: Path) -> int:
    """How many events there are in a log; those not erased must come out as recorded when decided on again."""
    with open_log(folder / "log", read_only=True) as log, seals_in(folder) as seals:
        report = rerun(log, checked_from, SECRETS, Rows, seals, FolderSnapshots(folder / "snapshots"))
    assert report.first is None
    return report.events + report.erased
