"""The live pipeline as the tests drive it."""

from pathlib import Path

import pytest

from fairgate.backends.embedded.segments import open_log
from fairgate.kernel.rows import Rows
from fairgate.pipeline.online import Answer, Outcome, Pipeline
from fairgate.pipeline.rerun import rerun
from fairgate.wiring import checked_from
from tests.support import PACK, SECRET

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
    pipeline.keep(pipeline.capture())


def logged(folder: Path) -> list[bytes]:
    with open_log(folder / "log", read_only=True) as log:
        return [data for _, data in log.read()]


def reread(folder: Path) -> int:
    """How many events come out as they are recorded when decided on again; all of them must."""
    with open_log(folder / "log", read_only=True) as log:
        report = rerun(log, checked_from, SECRET, Rows)
    assert report.first is None
    return report.events
