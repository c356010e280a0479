"""What decisions found of the accounts of a case, read again from the log."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from fairgate.backends.embedded.segments import open_log
from fairgate.casework.dividing import findings_in
from fairgate.domain.case import Finding
from fairgate.domain.errors import FairgateError
from fairgate.entrypoints.desk.problems import Refusal


async def findings_of(log: Path, events: Sequence[int]) -> list[Finding]:
    """What the events of these numbers say, oldest first. Raises `Refusal` where the log can't be read."""

    def looked() -> list[Finding]:
        with open_log(log, read_only=True) as opened:
            return findings_in(opened, events)

    if not events:
        return []
    try:
        return await asyncio.to_thread(looked)
    except FairgateError as error:
        what = "the log, which has the events of this case, can't be read: `fairgate doctor` says why"
        raise Refusal(503, "unavailable", what) from error
