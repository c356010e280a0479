"""Where people and their sessions are kept."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from fairgate.domain.audit import Doer
from fairgate.domain.people import Person, Session


class Visit(NamedTuple):
    """A session, and the person whose it is as they are now."""

    session: Session
    person: Person


class People(Protocol):
    """Everybody who may log in or ever might, and who is logged in. They stand nowhere else.

    What changes about them, and that they log in and out, stands in the audit log, as one with the change.
    Any number of processes may use them at the same time. Everything raises `RecordsUnavailable` where the data base
    can't be used; nothing is half done then.
    """

    def all(self) -> list[Person]:
        """Everybody, by name."""
        ...

    def get(self, person: str) -> Person | None:
        """Return whoever has this id; None for nobody."""
        ...

    def named(self, name: str) -> Person | None:
        """Return whoever has this name, or one that people would take for it; None for nobody."""
        ...

    def known_as(self, oidc: str) -> Person | None:
        """Return who this is to the provider of identities; None for nobody."""
        ...

    def add(self, person: Person, doer: Doer) -> bool:
        """Keep somebody new, durably, and return True; False where somebody has the name, the id or `oidc` already."""
        ...

    def change(self, person: str, how: Callable[[Person], Person], doer: Doer, keep: str = "") -> Person:
        """Change somebody, durably, and return them as they are now. Nobody else can in between; `how` may raise.

        Their id, name and time of creation stay. Their sessions end, but the one with the id `keep`, where password,
        role, one-time codes or whether they are switched off have changed. Raises `NoSuchPerson`, and `LastAdmin` where
        no active admin would be left of those that there are.
        """
        ...

    def use_step(self, person: str, step: int) -> bool:
        """Note that the code of a step was used, durably, and return True; False where that or a later one was."""
        ...

    def begin(self, session: Session) -> None:
        """Keep a new session, durably."""
        ...

    def visit(self, token: bytes) -> Visit | None:
        """Return the session of a hash, with its person; None where there is none, or they are gone."""
        ...

    def seen(self, token: bytes, now: int) -> None:
        """Note when a session was used last; an earlier time than the noted one changes nothing."""
        ...

    def end(self, token: bytes, now: int) -> None:
        """Forget a session that its person ends, durably; nothing where there is none."""
        ...

    def sweep(self, idle: int, began: int) -> int:
        """Forget all sessions seen last, or begun, at these times or before; return how many."""
        ...
