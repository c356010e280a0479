"""The records: how far they are behind the log, what has not reached other services, what waits or is stuck."""

from collections.abc import Iterator, Mapping
from typing import Final

from fairgate.domain.bulk import Bulk, BulkState
from fairgate.domain.errors import BadSettings
from fairgate.domain.windows import DAY, HOUR
from fairgate.entrypoints.doctor.data import length_of
from fairgate.entrypoints.doctor.finding import Finding, Installation, State, bad, ok, warn
from fairgate.entrypoints.signing import signer_of
from fairgate.ports.outbox import Backlog
from fairgate.wiring import RECORDS, Records, existing_records, read_by_the_clerk

#: Records of the log that the clerk may have before it: less than a second's work for it.
_FAR: Final = 100_000
#: What goes with the file where it is deleted.
_ONLY_THERE: Final = "Appeals and the audit log stand nowhere else, and go with it: keep a copy."
#: How old a message may be that waits.
_OLD: Final = HOUR
#: Bulk actions that are looked at, the newest, and for how long one that has stopped is told of.
_NEWEST: Final = (1 << 63) - 1
_LOOKED_AT: Final = 100
_LATELY: Final = 7 * DAY


def records(at: Installation) -> Finding:
    """Whether the records can be used, and how far they are behind the log. Raises `RecordsUnavailable`."""
    where = at.settings.data / RECORDS
    read = read_by_the_clerk(at.settings.data)
    if read is None:
        switched = "the clerk, which keeps them, is switched off"
        return ok("there are none yet; the clerk makes them" if at.settings.clerk.enabled else switched)
    end, begin = at.end_for(read), 0 if at.log is None else at.log.begin()
    if read > end:
        remedy = f"Stop the service and delete {where}*: actions are made again from the log, and told again."
        remedy += f" {_ONLY_THERE} Better restore the one of the backup that the log is from."
        return bad(f"they go to record {read:,}, and the log only to {end:,}", remedy)
    if read < begin:
        what = f"they go to record {read:,}, and the log has dropped what came before {begin:,}"
        return bad(what, f"Restore {where} from a backup, or live without the actions that ended between.")
    words = f"{end - read:,} of {end:,} records of the log are not in them yet"
    if end - read <= _FAR:
        return ok(words)
    if at.settings.clerk.enabled:
        return warn(words, "Is the clerk running? Its log says what keeps it. The log drops nothing that it lacks.")
    remedy = f"Switch the clerk on, or delete {where}*: the log drops nothing that they lack. {_ONLY_THERE}"
    return warn(f"{words}, and the clerk is switched off", remedy)


def webhooks(at: Installation) -> Finding:
    """Whether messages to other services can be sent, and arrive. Raises `RecordsUnavailable`."""
    if not at.settings.clerk.enabled:
        return ok("the clerk, which sends them, is switched off")
    found = [*_unsigned(at), *_held_up(at, _backlogs(at))]
    if not found:
        told = ", ".join(at.settings.webhook)
        return ok(f"nothing is held up of what is told to {told}" if told else "no service is told anything")
    worst = bad if any(each.state == State.BAD for each in found) else warn
    return worst("\n".join(each.words for each in found), " ".join(dict.fromkeys(each.remedy for each in found)))


def appeals(at: Installation) -> Finding:
    """Whether appeals are decided in time. Raises `RecordsUnavailable`."""
    with existing_records(at.settings.data) as opened:
        if opened is None:
            return ok("there are none yet")
        docket = opened.appeals.docket(at.now)
    words = f"{docket.open:,} are open, {docket.overdue:,} of them overdue"
    if not docket.overdue:
        return ok(words)
    remedy = "Decide them: `GET /v1/appeals?state=open` at the desk lists them, those that are due first at first."
    return warn(f"{words}, the first for {length_of(at.now - docket.first)}", remedy)


def bulk(at: Installation) -> Finding:
    """Whether bulk actions come to their end. Raises `RecordsUnavailable`."""
    with existing_records(at.settings.data) as opened:
        if opened is None:
            return ok("there are none yet")
        going, late = opened.bulks.going(), opened.bulks.found(_NEWEST, _LOOKED_AT)
        stopped = [each for each in late if each.state == BulkState.STOPPED and at.now - each.drafted <= _LATELY]
        found = [*(_going(at, opened, each) for each in going), *(_stopped(opened, each) for each in stopped)]
    if not found:
        return ok("none is under way, and none has stopped of late")
    words = "\n".join(each.words for each in found)
    stuck = [each for each in found if each.state != State.OK]
    return warn(words, " ".join(dict.fromkeys(each.remedy for each in stuck))) if stuck else ok(words)


def _going(at: Installation, opened: Records, bulk: Bulk) -> Finding:
    """How far one is that somebody is at work on."""
    progress, began = opened.bulks.progress(bulk.number), opened.bulks.history(bulk.number)[-1].at
    left = sum(progress.fates.values()) if bulk.state == BulkState.UNDOING else progress.left
    what = "undone of" if bulk.state == BulkState.UNDOING else "accounts left of"
    words = f"bulk action {bulk.number} is {bulk.state} for {length_of(at.now - began)}: {left:,} {what} "
    words += f"{progress.taken if bulk.state == BulkState.UNDOING else bulk.preview.accounts:,}"
    if not at.settings.desk.enabled:
        return warn(f"{words}, and the desk, which carries it out, is switched off", "Switch the desk on.")
    if at.now - began <= _OLD:
        return ok(words)
    return warn(words, "Does the door answer, and does the clerk keep up? The desk tries again, and its log says why.")


def _stopped(opened: Records, bulk: Bulk) -> Finding:
    """How far one was when it stopped."""
    left, many = opened.bulks.progress(bulk.number).left, bulk.preview.accounts
    words = f"bulk action {bulk.number} stopped, {left:,} of {many:,} accounts are left: {bulk.problem}"
    remedy = "`fairgate bulk show` tells what was done, `fairgate bulk undo` takes it back; draft the rest anew."
    return warn(words, remedy)


def _backlogs(at: Installation) -> Mapping[str, Backlog]:
    """What waits for whom, and what was put aside."""
    with existing_records(at.settings.data) as opened:
        return {} if opened is None else {each.receiver: each for each in opened.outbox.backlogs()}


def _unsigned(at: Installation) -> Iterator[Finding]:
    """The webhooks without a secret: the door does not start with them."""
    for name in at.settings.webhook:
        try:
            signer_of(name)
        except BadSettings as error:
            yield bad(str(error), "Set it here, too, if the service has it.")


def _held_up(at: Installation, backlogs: Mapping[str, Backlog]) -> Iterator[Finding]:
    for name, each in backlogs.items():
        if each.dead:
            remedy = "`fairgate webhooks dead` says why; once it is mended, `fairgate webhooks again` sends them."
            yield warn(f"{each.dead:,} messages to {name} were put aside", remedy)
        if not each.waiting:
            continue
        age = at.now - each.oldest
        if name not in at.settings.webhook:
            remedy = f"They are sent once [webhook.{name}] is there again; nothing else comes to them."
            yield warn(f"{each.waiting:,} messages wait for {name}, which the settings don't have", remedy)
        elif age > _OLD:
            remedy = "Do these services answer 2xx? The clerk tries again by itself."
            yield warn(f"{each.waiting:,} messages wait for {name}, the oldest for {length_of(age)}", remedy)
