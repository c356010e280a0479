"""`fairgate audit`: the audit log checked, shown, and what was cut off by a restored backup acknowledged."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from fairgate.backends.embedded.clock import SystemClock
from fairgate.backends.embedded.segments import open_log
from fairgate.domain.access import Granted, Scope
from fairgate.domain.audit import Doing, Kind, Row, fingerprint, more_of, signed
from fairgate.domain.errors import BadRequest, LogLocked
from fairgate.domain.event import moment
from fairgate.domain.ledger import Subject
from fairgate.domain.reading import LONGEST_REASON, Sight, no_case, sight_of
from fairgate.domain.windows import SECOND
from fairgate.entrypoints.door.anchors import asked_for, record_of
from fairgate.entrypoints.door_client import open_door
from fairgate.entrypoints.operator import Operator
from fairgate.entrypoints.passes import passes_of
from fairgate.pipeline.audit_check import Check, Checked, Fault, FaultKind, Placed, anchors_in
from fairgate.ports.audit import Audit, Sought
from fairgate.secret_file import secrets_of
from fairgate.wiring import existing_records, open_pipeline, open_records

_ALL: Final = (1 << 63) - 1
_ROWS: Final = ("number", "time", "by", "what", "about", "why")
#: What a backup that was restored does to an audit log.
_CUTS: Final = frozenset({FaultKind.CUT_OFF, FaultKind.REPLACED})


def verify(data: Path, echo: Callable[[str], object], *, as_json: bool) -> int:
    """Check the audit log of a data folder; 1 where anything is wrong. Raises what opening and reading raises."""
    checked = check(data)
    echo(msgspec.json.format(msgspec.json.encode(checked), indent=2).decode() if as_json else _said(checked))
    return 0 if checked.sound else 1


def check(data: Path) -> Checked:
    """Check the audit log of a data folder, as far back as its log has anchors. Raises as `verify`."""
    anchors: Sequence[Placed] = []
    if any((data / "log").glob("*.log")):
        with open_log(data / "log", read_only=True) as log:
            anchors = list(anchors_in(log))
    secrets = secrets_of(data, make=False)
    with existing_records(data) as records:
        if records is None:
            raise BadRequest(f"There are no records in {data}, and so no audit log: check the path.")
        return Check(records.audit, anchors, secrets).run()


def sought(
    by: str | None,
    what: Sequence[str],
    about: tuple[str, str] | None,
    since: datetime | None,
    until: datetime | None,
) -> Sought:
    """The rows that the options ask for; times are UTC. Raises `BadRequest` where there is no such kind."""
    unknown = set(what) - set(Kind)
    if unknown:
        raise BadRequest(f"There is no kind {min(unknown)}; there are {', '.join(Kind)}.")
    kinds = tuple(Kind(each) for each in what) or None
    return Sought(by, kinds, None if about is None else Subject(*about), _time(since), _time(until))


def shown(data: Path, wanted: Sought, limit: int, *, as_json: bool) -> str:
    """The newest rows that are asked for. Raises what opening and reading the records raises."""
    with existing_records(data) as records:
        rows = [] if records is None else records.audit.found(wanted, _ALL, limit)
    if as_json:
        return msgspec.json.format(msgspec.json.encode(rows), indent=2).decode()
    return _table([_ROWS, *(_cells(row) for row in rows)]) if rows else "there are no such rows"


def acknowledge(operator: Operator) -> int:
    """Say that rows which the log vouches for are known to be gone, so that what is there now is vouched for; 0.

    Raises `BadRequest` where nothing is cut off, or something else is wrong, too.
    """
    if not (operator.why.strip() and operator.why.isprintable() and len(operator.why) <= LONGEST_REASON):
        raise BadRequest(f"Say why in at most {LONGEST_REASON} printable characters.")
    settings = operator.settings
    checked = check(settings.data)
    if checked.sound:
        raise BadRequest("Nothing is cut off, so there is nothing to acknowledge.")
    if any(fault.kind not in _CUTS for fault in checked.faults):
        raise BadRequest("More is wrong than what a restored backup does: `fairgate audit verify` says what.")
    with open_records(settings.data) as records:
        head = records.audit.head()
    secrets = secrets_of(settings.data, make=False)
    anchor = signed(head, secrets, kept=checked.vouched, by=operator.by, why=operator.why)
    try:
        with open_pipeline(settings) as pipeline:
            pipeline.note(record_of(anchor, pipeline.clock.now()))
            pipeline.commit()
    except LogLocked:
        granted = Granted("", operator.by, frozenset({Scope.ADMIN}))
        key = passes_of(settings, SystemClock()).issue(granted).removeprefix("Bearer ")
        with open_door(settings, operator.url, key) as door:
            door.post_anchor(asked_for(anchor))
    operator.echo(f"acknowledged: of what older anchors vouch for, rows after {checked.vouched:,} are gone")
    return 0


def note_query(data: Path, by: str, why: str, query: str, now: int) -> None:
    """Note that somebody at this machine is about to read personal values by a query.

    Raises `BadRequest` where they don't say why, and `RecordsUnavailable`.
    """
    seen = _sight(why)
    more = more_of(kind="sql", sha256=fingerprint(query), characters=len(query))
    about = Subject("query", "on this machine")
    with open_records(data) as records:
        records.audit.append([Doing(now, by, "", Kind.ASKED_PERSONAL, about, seen.why, seen.case, None, more)])


def note_reading(audit: Audit, by: str, why: str, about: Sequence[Subject], now: int) -> None:
    """Note that somebody at this machine is about to be shown personal values of something. Raises as `note_query`."""
    seen = _sight(why)
    doings = [Doing(now, by, "", Kind.READ, each, seen.why, seen.case) for each in about]
    if doings:
        audit.append(doings)


def _sight(why: str) -> Sight:
    """What somebody at this machine sees, who says why. Raises `BadRequest` where they don't."""
    seen = sight_of(may=True, reason=why.encode("utf-8", "replace"), open_case=no_case)
    if not seen.shown:
        raise BadRequest("Say with --why, in 3 to 300 characters, why personal values are to be shown.")
    return seen


def _time(given: datetime | None) -> int | None:
    return None if given is None else round(given.replace(tzinfo=UTC).timestamp() * SECOND)


def _said(checked: Checked) -> str:
    """What was found, in lines."""
    vouched = f"the log's {checked.anchors:,} anchors vouch for rows up to {checked.vouched:,}"
    lines = [f"{checked.rows:,} rows; {vouched}"]
    if checked.unknown:
        lines.append(f"{checked.unknown:,} anchors are of a secret that is not known any more, and say nothing")
    if checked.acknowledged:
        lines.append(f"{checked.acknowledged:,} anchors are set aside: somebody acknowledged that rows were cut off")
    lines += [_fault_said(fault) for fault in checked.faults]
    if checked.more_faults:
        lines.append(f"and {checked.more_faults:,} more")
    if checked.sound:
        lines.append("all of them are as they were written, in their order, and none is missing")
    return "\n".join(lines)


def _fault_said(fault: Fault) -> str:
    rows = f"row {fault.first:,}" if fault.first == fault.last else f"rows {fault.first:,} to {fault.last:,}"
    return f"{rows}: {fault.kind}: {fault.words}"


def _cells(row: Row) -> tuple[str, ...]:
    doing = row.doing
    about = f"{doing.about.kind} {doing.about.value}"
    return (str(row.number), f"{moment(doing.time):%Y-%m-%d %H:%M:%S}", doing.by, doing.what, about, doing.why)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)
