"""The records: how far they are behind the log, what has not reached other services, and appeals that wait."""

from collections.abc import Iterator, Mapping
from typing import Final

from fairgate.domain.errors import BadSettings
from fairgate.domain.windows import HOUR
from fairgate.entrypoints.doctor.data import length_of
from fairgate.entrypoints.doctor.finding import Finding, Installation, State, bad, ok, warn
from fairgate.entrypoints.signing import signer_of
from fairgate.ports.outbox import Backlog
from fairgate.wiring import RECORDS, existing_records, read_by_the_clerk

#: Records of the log that the clerk may have before it: less than a second's work for it.
_FAR: Final = 100_000
#: What goes with the file where it is deleted.
_ONLY_THERE: Final = "Appeals and the audit log stand nowhere else, and go with it: keep a copy."
#: How old a message may be that waits.
_OLD: Final = HOUR


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
