"""Challenges as the desk sets them and has them answered: by whom, how often, for how long, and once."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import msgspec

from fairgate.domain.access import Granted
from fairgate.domain.challenge import ID_BYTES, Challenge, ChallengeState
from fairgate.domain.errors import BadSettings
from fairgate.domain.ledger import Subject
from fairgate.domain.windows import HOUR, SECOND
from fairgate.enforce.subjects import ACCOUNT
from fairgate.entrypoints.desk.at_the_door import AtTheDoor
from fairgate.entrypoints.desk.meters import Meters
from fairgate.entrypoints.desk.outcomes import Outcomes
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.entrypoints.door.bodies import ANYONE
from fairgate.ports.challenger import Begun, Challenger, Found, Given
from fairgate.settings import ChallengeSettings

#: Answers of one kind that are checked at a time: a vendor that hangs must not hold up all that the desk does.
MOST_CHECKED: Final = 16
_TOO_MANY: Final = "this account has been asked so often of late that nothing more is asked: let it wait, or look at it"


class Asked(NamedTuple):
    """A challenge that is to be set, for `action` of the ledger where that is known; without `kind`, as it stands."""

    account: str
    kind: str | None
    action: int | None
    ref: str
    about: Mapping[str, str | float]


class Put(NamedTuple):
    """A challenge, whether it is new, and its code where it has one and is new."""

    challenge: Challenge
    new: bool
    code: str | None


class Answered(NamedTuple):
    """A challenge after an answer, whether the answer was `verified`, and whether the log has what came of it.

    `told` is None where nothing came of it yet.
    """

    challenge: Challenge
    verified: bool
    told: bool | None


class Challenging:
    """Sets challenges and takes answers. Raises `Refusal`, and what `DeskRecords.do` raises: nothing is half done."""

    def __init__(  # noqa: PLR0913, PLR0917 - the pieces that the composition root puts together
        self,
        kinds: Mapping[str, ChallengeSettings],
        challengers: Mapping[str, Challenger],
        records: DeskRecords,
        door: AtTheDoor,
        outcomes: Outcomes,
        meters: Meters,
    ) -> None:
        self._kinds = kinds
        self._challengers = challengers
        self._records = records
        self._door = door
        self._outcomes = outcomes
        self._meters = meters
        self._threads = ThreadPoolExecutor(MOST_CHECKED * len(challengers), "challenges")
        self._checked = Counter[str]()

    def shows(self, challenge: Challenge) -> Mapping[str, str | int]:
        """What is needed to show an open challenge to whoever is asked; nothing of one that is over."""
        challenger = self._challengers.get(challenge.kind)
        if challenger is None or challenge.state != ChallengeState.OPEN:
            return {}
        return challenger.shows(challenge)

    async def get(self, challenge_id: str, account: str) -> Challenge:
        """The challenge of an id. That it is another account's is not told from there being none."""
        found = await self._records.do(lambda records: records.challenges.get(challenge_id))
        if found is None or not secrets.compare_digest(found.account.encode(), account.encode()):
            raise Refusal(404, "not_found", "this account has no challenge of this id")
        return found

    async def put(self, asked: Asked, granted: Granted) -> Put:
        """Set a challenge; the same again under one `ref` of one caller is there already, and its code is not told."""
        by = granted.by or ANYONE
        before = await self._records.do(lambda records: records.challenges.under(by, asked.ref))
        if before is not None:  # also where nothing asks for it any more
            return _same(before, asked)
        kind = await self._kind(asked)
        if asked.action is not None:
            await self._check_stands(asked.action, asked.account)
        terms, begun_at = self._kinds[kind], self._records.clock.now()
        challenge_id = secrets.token_urlsafe(ID_BYTES)
        begun = await self._begun(kind, challenge_id)
        challenge = Challenge(
            id=challenge_id,
            kind=kind,
            account=asked.account,
            action=asked.action,
            asked_by=by,
            ref=asked.ref,
            made=begun_at,
            expires=begun_at + terms.lifetime_seconds * SECOND,
            most=1 if self._challengers[kind].reported else terms.attempts,
            kept=begun.kept,
            about=msgspec.json.encode(asked.about).decode(),
        )
        there, new = await self._records.do(
            lambda records: records.challenges.put(challenge, terms.per_hour, begun_at - HOUR)
        )
        if there is None:
            raise Refusal(429, "too_many", _TOO_MANY, headers=((b"retry-after", str(HOUR // SECOND).encode()),))
        if not new:
            return _same(there, asked)
        self._meters.challenges.labels(kind, "issued").inc()
        return Put(there, new=True, code=begun.code)

    async def answer(self, challenge_id: str, account: str, given: Given, about: Mapping[str, Any]) -> Answered:
        """Take an answer of whoever was asked. One that is right, or the last one, ends the challenge."""
        challenge = await self.get(challenge_id, account)
        if self._of(challenge).reported:
            raise Refusal(409, "reported", "what came of a challenge of this kind is reported: post a result")
        return await self._taken(challenge, given, about)

    async def report(self, challenge_id: str, account: str, given: Given, about: Mapping[str, Any]) -> Answered:
        """Take the word of the operator's own service for what came of a challenge, which ends it."""
        challenge = await self.get(challenge_id, account)
        if not self._of(challenge).reported:
            raise Refusal(409, "answered_here", "a challenge of this kind is answered, and nobody's word is taken")
        return await self._taken(challenge, given, about)

    async def _taken(self, challenge: Challenge, given: Given, about: Mapping[str, Any]) -> Answered:
        if challenge.over(self._records.clock.now()) or challenge.state == ChallengeState.EXPIRED:
            return await self._ended(challenge, ChallengeState.EXPIRED, {**_known(challenge), **about})
        if self._checked[challenge.kind] >= MOST_CHECKED:
            what = "so many answers are being checked that this one was not: answer again later"
            raise Refusal(429, "busy", what, headers=((b"retry-after", b"1"),))
        self._checked[challenge.kind] += 1
        try:
            return await self._judged(challenge, given, about)
        finally:
            self._checked[challenge.kind] -= 1

    async def _judged(self, challenge: Challenge, given: Given, about: Mapping[str, Any]) -> Answered:
        """An attempt is taken before an answer is looked at: of many guesses at once no more count than may."""
        now = self._records.clock.now()
        tried = await self._records.do(lambda records: records.challenges.attempt(challenge.id, now))
        if tried is None:
            raise _answered()
        found, known = await self._found(tried, given), {**_known(challenge), **about}
        if found == Found.UNAVAILABLE:
            self._meters.challenges.labels(tried.kind, found.value).inc()
            return await self._unavailable(tried, known)
        if found == Found.RIGHT:
            return await self._ended(tried, ChallengeState.PASSED, {**known, "verified": True})
        return await self._wrong(tried, known)

    async def _unavailable(self, tried: Challenge, known: Mapping[str, Any]) -> Answered:
        """What becomes of an answer that nobody can judge is a policy of the kind, and told as what it is."""
        match self._kinds[tried.kind].when_down:
            case "pass":
                return await self._ended(tried, ChallengeState.PASSED, {**known, "verified": False})
            case "fail":
                return await self._wrong(tried, known)
            case "later":
                await self._records.do(lambda records: records.challenges.give_back(tried.id))
                what = "nobody can say now whether this answer is right, and it has cost no attempt: answer again later"
                raise Refusal(503, "unavailable", what)

    async def _wrong(self, tried: Challenge, known: Mapping[str, Any]) -> Answered:
        if tried.left > 0:
            self._meters.challenges.labels(tried.kind, Found.WRONG.value).inc()
            return Answered(tried, verified=True, told=None)
        return await self._ended(tried, ChallengeState.FAILED, known)

    async def _ended(self, challenge: Challenge, state: ChallengeState, about: Mapping[str, Any]) -> Answered:
        """End a challenge as it is to end. One that ended in another way meanwhile, or before, is refused."""
        told = await self._outcomes.end(challenge, state, dict(about))
        there = await self.get(challenge.id, challenge.account)
        if told is None and there.state != ChallengeState.EXPIRED:
            raise _answered()
        return Answered(there, verified=bool(about.get("verified", True)), told=told)

    async def _found(self, challenge: Challenge, given: Given) -> Found:
        challenger = self._of(challenge)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, challenger.check, challenge, given)
        except BadSettings:
            return Found.UNAVAILABLE

    async def _begun(self, kind: str, challenge_id: str) -> Begun:
        try:
            return await asyncio.to_thread(self._challengers[kind].begin, challenge_id)
        except BadSettings as error:
            raise Refusal(503, "unavailable", "the installation's secret can't be read") from error

    async def _kind(self, asked: Asked) -> str:
        if asked.kind is not None:
            if asked.kind not in self._challengers:
                what = f"there is no such kind of challenge; there are {', '.join(sorted(self._challengers))}"
                raise Refusal(422, "unknown_kind", what, "kind")
            return asked.kind
        standing = await self._door.standing(asked.account)
        wanted = [kind for kind in standing.challenges if kind in self._challengers]
        if not wanted:
            what = "nothing that stands about this account asks for a challenge that the settings have: name its kind"
            raise Refusal(409, "nothing_asked", what, "kind")
        return wanted[0]

    async def _check_stands(self, action: int, account: str) -> None:
        entry = await self._records.do(lambda records: records.ledger.get(action))
        if entry is None or entry.subject != Subject(ACCOUNT, account):
            what = "this account has no such action; one that was only just taken is there in a moment"
            raise Refusal(404, "no_action", what, "action")
        if not entry.stands(self._records.clock.now()):
            raise Refusal(409, "action_over", "the action stands no longer", "action")

    def _of(self, challenge: Challenge) -> Challenger:
        challenger = self._challengers.get(challenge.kind)
        if challenger is None:
            raise Refusal(409, "unknown_kind", "the settings have no challenges of this kind any more")
        return challenger


def _same(there: Challenge, asked: Asked) -> Put:
    """What is there under a ref, where it is what was asked for."""
    if (there.account, there.kind, there.action) != (asked.account, asked.kind or there.kind, asked.action):
        what = "this ref is a challenge of another account, kind or action: give what is new a name of its own"
        raise Refusal(409, "ref_taken", what, "ref")
    return Put(there, new=False, code=None)


def _known(challenge: Challenge) -> dict[str, Any]:
    """What is known of whoever is asked from when they were."""
    found: dict[str, Any] = msgspec.json.decode(challenge.about) if challenge.about else {}
    return found


def _answered() -> Refusal:
    return Refusal(409, "answered", "this challenge was answered already, or is being answered just now")
