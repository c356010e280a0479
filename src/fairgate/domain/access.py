"""Who may ask for what: the API keys of services, the roles of people, and the scopes that both have."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

#: Before a session's id, where the id of an API key would stand. Those have no colon.
SESSION: Final = "session:"


class Scope(StrEnum):
    """What an API key allows. Each stands alone: none includes another."""

    INGEST = "ingest"
    DECIDE = "decide"
    READ = "read"
    REVIEW = "review"
    ENFORCE = "enforce"
    ADMIN = "admin"
    PERSONAL = "personal"
    SQL = "sql"
    SHARE = "share"
    AUDIT = "audit"

    @property
    def about(self) -> str:
        """What a key with it may do, in words."""
        return _ABOUT[self]


_ABOUT = {
    Scope.INGEST: "send events and labels",
    Scope.DECIDE: "ask for decisions",
    Scope.READ: "read decisions, entities, lists and metrics, personal values hidden",
    Scope.REVIEW: "work on cases and appeals, and give labels",
    Scope.ENFORCE: "change lists and switches, and act on accounts",
    Scope.ADMIN: "change how Fairgate runs: packs, settings, erasure",
    Scope.PERSONAL: "see personal values where other scopes show hidden ones, for a stated reason",
    Scope.SQL: "run queries over log and lake",
    Scope.AUDIT: "see who did and read what: the audit log, for those who lead",
    Scope.SHARE: "ask for compute for an account, and say what it used",
}


class Role(StrEnum):
    """What a person is here for. What each may do stands in this module alone."""

    READER = "reader"
    REVIEWER = "reviewer"
    LEAD = "lead"
    INVESTIGATOR = "investigator"
    ENGINEER = "engineer"
    ADMIN = "admin"

    @property
    def scopes(self) -> frozenset[Scope]:
        """What people of this role may do."""
        return _SCOPES[self]


_READER = frozenset({Scope.READ})
_REVIEWER = _READER | {Scope.REVIEW, Scope.PERSONAL}
_ACTS = _REVIEWER | {Scope.ENFORCE}
_SCOPES = {
    Role.READER: _READER,
    Role.REVIEWER: _REVIEWER,  # who judges somebody must see what they said
    Role.LEAD: _ACTS | {Scope.AUDIT},
    Role.INVESTIGATOR: _ACTS | {Scope.SQL},  # who reads the most is watched, and does not watch
    Role.ENGINEER: _READER | {Scope.INGEST, Scope.DECIDE, Scope.SHARE, Scope.SQL},  # nothing personal, nobody judged
    Role.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored. Its secret is not: `secret_hash` is the SHA-256 of it.

    Times are microseconds since 1970 UTC. `rotated_from` is the id of the key that this one follows. A key that has
    been revoked stays, so that its id is never given again and its past use can be read.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    secret_hash: bytes
    created: int
    expires: int | None = None
    rotated_from: str | None = None
    revoked: int | None = None
    last_used: int | None = None

    def state(self, now: int) -> str:
        """`active`, `expired` or `revoked`; only an active key opens anything."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "active"


@dataclass(frozen=True, slots=True)
class Granted:
    """The caller may: the id and the name of the API key, and all its scopes. Without keys, id and name are empty.

    A person who has logged in has `session:` and the session's id for the key's id, and their own name for its name.
    """

    key: str
    by: str
    scopes: frozenset[Scope]

    @property
    def is_person(self) -> bool:
        """Whether it is somebody who has logged in."""
        return self.key.startswith(SESSION)

    @property
    def judging(self) -> "Granted":
        """What they are granted for what follows from a case that they decide, on its accounts and nowhere else.

        A person who may judge also acts so, whatever their role: to judge is to say what happens. A program that has
        an API key needs `enforce` for that too.
        """
        judges = self.is_person and Scope.REVIEW in self.scopes
        return replace(self, scopes=self.scopes | {Scope.ENFORCE}) if judges else self
