"""People who use Fairgate, and the sessions in which they do."""

import unicodedata
from typing import Final

import msgspec

from fairgate.domain.access import SESSION, Role
from fairgate.domain.audit import Doer, Doing, Kind, more_of
from fairgate.domain.ledger import Subject

#: What the audit log calls people, by their ids.
PERSON: Final = "person"

LONGEST_NAME = 64


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may log in. Times are microseconds since 1970 UTC.

    `password` is a hash of it, None for who has none. `totp` is the sealed secret of their one-time codes, `totp_new`
    one that they have not confirmed yet, and `step` the last step whose code was used. `oidc` is who they are to the
    provider of identities, None while that is not known; `mapped` says that their role is the provider's to say. Who is
    switched off stays, so that a name is never given again.
    """

    id: str
    name: str
    role: Role
    created: int
    created_by: str
    password: str | None = None
    totp: bytes | None = None
    totp_new: bytes | None = None
    step: int = 0
    oidc: str | None = None
    mapped: bool = False
    off: int | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which somebody is logged in. What its cookie holds is not kept: `token` is the SHA-256 of it."""

    id: str
    token: bytes
    person: str
    began: int
    seen: int
    by_oidc: bool = False


def begun(session: Session, person: Person) -> Doing:
    """What the audit log has of a session that begins."""
    more = more_of(by_oidc=session.by_oidc)
    return _in(session, person, session.began, Kind.LOGGED_IN, more)


def ended(session: Session, person: Person, at: int) -> Doing:
    """What the audit log has of a session that its person ends."""
    return _in(session, person, at, Kind.LOGGED_OUT)


def let_in(person: Person, doer: Doer) -> Doing:
    """What the audit log has of somebody who is let in."""
    return _about(person, doer, Kind.PERSON_ADDED, more_of(role=person.role))


def changed(before: Person, after: Person, doer: Doer) -> list[Doing]:
    """What the audit log has of a change of somebody: each thing that is otherwise, and none of its secrets."""
    found = list[Doing]()
    if before.role != after.role:
        found.append(_about(after, doer, Kind.ROLE, more_of(before=before.role, role=after.role)))
    if (before.off is None) != (after.off is None):
        found.append(_about(after, doer, Kind.PERSON_ON if after.off is None else Kind.PERSON_OFF))
    if before.password != after.password:
        found.append(_about(after, doer, Kind.REKEYED))
    if before.totp != after.totp:
        found.append(_about(after, doer, Kind.CODES_GONE if after.totp is None else Kind.CODES_TAKEN))
    if before.oidc != after.oidc:
        found.append(_about(after, doer, Kind.BOUND))
    return found


def _in(session: Session, person: Person, at: int, what: Kind, more: str = "") -> Doing:
    return _about(person, Doer(at, person.name, f"{SESSION}{session.id}"), what, more)


def _about(person: Person, doer: Doer, what: Kind, more: str = "") -> Doing:
    return Doing(doer.at, doer.by, doer.key, what, Subject(PERSON, person.id), more=more)


def folded(name: str) -> str:
    """What two names have in common that people would take for one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()


def is_name(name: str) -> bool:
    """Whether a text can be a person's name: 1 to 64 characters that can be printed, without spaces at its ends."""
    return 0 < len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip() and bool(folded(name))
