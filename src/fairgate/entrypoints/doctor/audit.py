"""The audit log: whether its last rows are as they were written, and how long ago the log vouched for them."""

from typing import Final

from fairgate.domain.windows import DAY
from fairgate.entrypoints.doctor.data import length_of
from fairgate.entrypoints.doctor.finding import Finding, Installation, bad, ok, warn
from fairgate.pipeline.audit_check import Check, Placed, anchors_in
from fairgate.secret_file import secrets_of
from fairgate.wiring import existing_records

#: Rows that are checked, the last ones, and records of the log that are looked through for anchors.
_ROWS: Final = 10_000
_RECORDS: Final = 500_000
#: How old the last anchor may be: the desk posts one every day at least.
_OLD: Final = 2 * DAY
_VERIFY: Final = "Run `fairgate audit verify`; where a backup was restored, `fairgate audit acknowledge` says so."


def audit(at: Installation) -> Finding:
    """Whether the last rows are in order, and vouched for. Raises `BadSettings`, `LogError`, `RecordsUnavailable`."""
    anchors = _anchors(at)
    with existing_records(at.settings.data) as opened:
        head = None if opened is None else opened.audit.head()
        if opened is None or head is None or not (head.rows or anchors):
            return ok("nothing is in it yet")
        secrets = secrets_of(at.settings.data, make=False)
        checked = Check(opened.audit, anchors, secrets).run(max(0, head.rows - _ROWS))
    if checked.faults:
        first = checked.faults[0]
        return bad(f"row {first.first:,} is not as it was: {first.kind}, {first.words}", _VERIFY)
    words = f"the last {min(checked.rows, _ROWS):,} of {checked.rows:,} rows are as they were written"
    if not anchors:
        return warn(f"{words}, and none of them is vouched for", "Is the desk running? It posts anchors to the door.")
    age = at.now - anchors[-1].received
    words = f"{words}; the log vouched for row {anchors[-1].anchor.count:,} {length_of(age)} ago"
    if age > _OLD:
        return warn(words, "Is the desk running? Its log says why it can't post anchors to the door.")
    return ok(words)


def _anchors(at: Installation) -> list[Placed]:
    """The anchors of late."""
    if at.log is None:
        return []
    return list(anchors_in(at.log, max(at.log.begin(), at.log.end() - _RECORDS)))
