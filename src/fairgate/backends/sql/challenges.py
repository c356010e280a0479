"""Challenges by SQL, and the events that tell of them. They are owned here: nothing else has them."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Row, Select, delete, func, insert, select, update

from fairgate.backends.sql.records import Records
from fairgate.backends.sql.tables import CHALLENGE
from fairgate.domain.challenge import Challenge, ChallengeState
from fairgate.ports.challenges import Challenges, Outcome, Outcomes, Set, Untold

_COLUMNS = CHALLENGE.c
_OPEN = _COLUMNS.state == ChallengeState.OPEN.value
_UNTOLD: Final = _COLUMNS.due.is_not(None)


class SqlChallenges(Challenges):
    """The challenges in a data base."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def put(self, asked: Challenge, most: int, since: int) -> Set:
        """See the port."""
        of = (_COLUMNS.account == asked.account, _COLUMNS.kind == asked.kind, _COLUMNS.made > since)
        with self._records.writing() as connection:  # from the first look on: no other can set one in between
            row = connection.execute(_under(asked.asked_by, asked.ref)).one_or_none()
            if row is not None:
                return Set(_challenge(row), new=False)
            if connection.execute(select(func.count()).where(*of)).scalar_one() >= most:
                return Set(None, new=False)
            connection.execute(insert(CHALLENGE), _row(asked))
            row = connection.execute(select(CHALLENGE).where(_COLUMNS.id == asked.id)).one()
            return Set(_challenge(row), new=True)

    def get(self, challenge_id: str) -> Challenge | None:
        """See the port."""
        return self._one(select(CHALLENGE).where(_COLUMNS.id == challenge_id))

    def under(self, asked_by: str, ref: str) -> Challenge | None:
        """See the port."""
        return self._one(_under(asked_by, ref))

    def attempt(self, challenge_id: str, now: int) -> Challenge | None:
        """See the port."""
        can = (_COLUMNS.id == challenge_id, _OPEN, _COLUMNS.expires > now, _COLUMNS.attempts < _COLUMNS.most)
        with self._records.writing() as connection:
            taken = connection.execute(update(CHALLENGE).where(*can).values(attempts=_COLUMNS.attempts + 1))
            if taken.rowcount != 1:
                return None
            return _challenge(connection.execute(select(CHALLENGE).where(_COLUMNS.id == challenge_id)).one())

    def give_back(self, challenge_id: str) -> None:
        """See the port."""
        taken = update(CHALLENGE).where(_COLUMNS.id == challenge_id, _OPEN, _COLUMNS.attempts > 0)
        with self._records.writing() as connection:
            connection.execute(taken.values(attempts=_COLUMNS.attempts - 1))

    def end(self, challenge_id: str, outcome: Outcome) -> bool:
        """See the port."""
        ended = update(CHALLENGE).where(_COLUMNS.id == challenge_id, _OPEN)
        with self._records.writing() as connection:
            return connection.execute(ended.values(_ended(outcome))).rowcount == 1

    def overdue(self, now: int, limit: int) -> list[Challenge]:
        """See the port."""
        chosen = select(CHALLENGE).where(_OPEN, _COLUMNS.expires <= now)
        with self._records.reading() as connection:
            rows = connection.execute(chosen.order_by(_COLUMNS.expires, _COLUMNS.id).limit(limit)).all()
            return [_challenge(row) for row in rows]

    def erase(self, whose: Callable[[str], bool]) -> int:
        """See the port."""
        with self._records.writing() as connection:  # from the first look on: no other can set one in between
            known = connection.execute(select(_COLUMNS.account).distinct()).scalars().all()
            gone = [account for account in known if whose(account)]
            erased = connection.execute(delete(CHALLENGE).where(_COLUMNS.account.in_(gone))).rowcount if gone else 0
        self._records.settle()  # also where this was cut off here the last time
        return erased

    def forget(self, before: int) -> int:
        """See the port."""
        over = delete(CHALLENGE).where(_COLUMNS.ended > 0, _COLUMNS.ended < before)
        with self._records.writing() as connection:
            return connection.execute(over).rowcount

    def _one(self, chosen: Select[Any]) -> Challenge | None:
        with self._records.reading() as connection:
            row = connection.execute(chosen).one_or_none()
            return None if row is None else _challenge(row)


class SqlOutcomes(Outcomes):
    """The events of challenges in a data base."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def untold(self, now: int, limit: int) -> list[Untold]:
        """See the port."""
        chosen = select(_COLUMNS.id, _COLUMNS.event, _COLUMNS.tries).where(_COLUMNS.due <= now)
        with self._records.reading() as connection:
            rows = connection.execute(chosen.order_by(_COLUMNS.due, _COLUMNS.id).limit(limit)).all()
            return [Untold(*row) for row in rows]

    def told(self, challenge_id: str) -> None:
        """See the port."""
        known = update(CHALLENGE).where(_COLUMNS.id == challenge_id, _UNTOLD)
        with self._records.writing() as connection:
            connection.execute(known.values(event=None, due=None))

    def later(self, untold: Untold, due: int) -> None:
        """See the port."""
        waits = update(CHALLENGE).where(_COLUMNS.id == untold.id, _UNTOLD)
        with self._records.writing() as connection:
            connection.execute(waits.values(event=untold.event, tries=untold.tries, due=due))

    def waiting(self) -> int:
        """See the port."""
        with self._records.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(CHALLENGE).where(_UNTOLD)).scalar_one())


def _under(asked_by: str, ref: str) -> Select[Any]:
    return select(CHALLENGE).where(_COLUMNS.asked_by == asked_by, _COLUMNS.ref == ref)


def _row(challenge: Challenge) -> dict[str, object]:
    """A challenge as it is set: open."""
    return {
        "id": challenge.id,
        "kind": challenge.kind,
        "account": challenge.account,
        "action": challenge.action,
        "asked_by": challenge.asked_by,
        "ref": challenge.ref,
        "made": challenge.made,
        "expires": challenge.expires,
        "most": challenge.most,
        "kept": challenge.kept,
        "about": challenge.about,
        "attempts": 0,
        "state": ChallengeState.OPEN.value,
        "ended": 0,
        "tries": 0,
    }


def _ended(outcome: Outcome) -> dict[str, object]:
    """What changes when one ends; what is personal is in its event alone then, until that was told."""
    return {
        "state": outcome.state.value,
        "ended": outcome.at,
        "kept": "",
        "about": "",
        "event": outcome.event,
        "due": outcome.at,
    }


def _challenge(row: Row[Any]) -> Challenge:
    return Challenge(
        id=row.id,
        kind=row.kind,
        account=row.account,
        action=row.action,
        asked_by=row.asked_by,
        ref=row.ref,
        made=row.made,
        expires=row.expires,
        most=row.most,
        kept=row.kept,
        about=row.about,
        attempts=row.attempts,
        state=ChallengeState(row.state),
        ended=row.ended,
    )
