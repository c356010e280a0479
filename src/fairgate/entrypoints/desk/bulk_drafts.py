"""Drafts of bulk actions: whom they are about, who is left out and why, and what they would do."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from fairgate.domain.access import Granted, Scope
from fairgate.domain.action import ACTIONS, Action
from fairgate.domain.bulk import MOST_ACCOUNTS, Bulk, Order
from fairgate.domain.bulk_preview import Terms as PreviewTerms
from fairgate.domain.bulk_preview import previewed
from fairgate.domain.errors import FairgateError
from fairgate.domain.pack import Pack
from fairgate.domain.windows import DAY, HOUR
from fairgate.enforce.subjects import ACCOUNT
from fairgate.entrypoints.desk.at_the_door import AtTheDoor
from fairgate.entrypoints.desk.bulk_measure import EVIDENCE_DAYS, Measuring
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.entrypoints.desk.terms import Terms
from fairgate.entrypoints.desk.workers import Workers
from fairgate.entrypoints.door.bodies import ANYONE
from fairgate.entrypoints.door.shown import EntriesAnswer
from fairgate.ingest.wire import LONGEST_IDENTIFIER
from fairgate.language.durations import HINT, parse_duration
from fairgate.language.pack_file import LONGEST_ACTION
from fairgate.language.problems import one_of
from fairgate.settings import Settings

#: How long a draft may be confirmed, and what was confirmed approved: the world moves.
LIFETIME: Final = HOUR
_SEED_BITS: Final = 31


class Wanted(NamedTuple):
    """What somebody wants to be drafted, as the request has it: a query, or else accounts."""

    query: str
    accounts: Sequence[str]
    action: str
    length: str
    reasons: tuple[str, ...]
    evidence: tuple[str, ...]
    why: str
    ref: str


class Drafting:
    """Makes drafts, which it does not keep. Raises `Refusal`, and what `DeskRecords.do` raises."""

    def __init__(self, settings: Settings, records: DeskRecords, door: AtTheDoor, workers: Workers) -> None:
        self._settings = settings.desk
        self._records = records
        self._door = door
        self._terms = Terms(settings.data)
        self._measuring = Measuring(settings, workers)

    async def drafted(self, wanted: Wanted, granted: Granted) -> tuple[Bulk, list[str]]:
        """A draft with its preview, and the accounts that it is about from then on, in order."""
        pack, now = await self._live(), self._records.clock.now()
        order = _order(wanted, pack)
        given = await self._measuring.accounts(wanted.query) if wanted.query else wanted.accounts
        skipped = Counter[str]()
        accounts = fit(given, skipped)
        if len(accounts) > MOST_ACCOUNTS:
            raise Refusal(422, "too_many", f"at most {MOST_ACCOUNTS:,} accounts: name fewer", "accounts")
        accounts = await self._not_spared(accounts, order.action, pack, granted, skipped)
        known = await self._measuring.measured(accounts, pack, now)
        skipped["unknown"] = len(accounts) - len(known)
        if not known:
            left_out = ", ".join(f"{count:,} {reason}" for reason, count in skipped.items() if count)
            raise Refusal(422, "no_accounts", f"no account is left to act on ({left_out or 'none was given'})")
        bulk = pack.bulk
        terms = PreviewTerms(
            money=bulk is not None and bool(bulk.paid),
            begins=bulk is not None and bool(bulk.begins),
            loses=_loses(pack, order.action),
            days=EVIDENCE_DAYS,
        )
        preview = await asyncio.to_thread(previewed, known, skipped, terms, now, secrets.randbits(_SEED_BITS))
        limit = self._settings.second_person_revenue
        rich = limit is not None and preview.money is not None and preview.money.days_90 > limit
        second = order.action == Action.BAN or preview.accounts > self._settings.second_person_above or rich
        by = granted.by or ANYONE
        draft = Bulk(-1, wanted.ref, now, by, now + LIFETIME, order, wanted.query, preview, second)
        return draft, [each.account for each in known]

    async def _not_spared(
        self, accounts: list[str], action: Action, pack: Pack, granted: Granted, skipped: Counter[str]
    ) -> list[str]:
        """Those that no list and nobody spares, and that nothing graver stands about."""
        listed, now = await self._listed(pack, granted), self._records.clock.now()
        standing = await self._records.do(lambda records: records.bulks.standing(ACCOUNT, accounts, now))
        left = []
        for account in accounts:
            mildest, gravest = standing.get(account, (Action.WATCH, Action.WATCH))
            if account in listed:
                skipped["allow_list"] += 1
            elif mildest == Action.ALLOW:
                skipped["spared"] += 1
            elif gravest > action:
                skipped["graver"] += 1
            else:
                left.append(account)
        return left

    async def _listed(self, pack: Pack, granted: Granted) -> set[str]:
        """Accounts in lists that spare them, as the door has them now. The desk looks: nobody is shown them."""
        looks = Granted(granted.key, granted.by, frozenset({Scope.READ}))
        found = set[str]()
        for each in pack.lists.values():
            after: str | None = "" if each.entity == ACCOUNT and each.effect == Action.ALLOW else None
            while after is not None:
                path = f"/v1/lists/{quote(each.name, safe='')}?limit=1000&after={quote(after, safe='')}"
                page = msgspec.json.decode(await self._door.get(path, looks), type=EntriesAnswer)
                found |= {entry.value for entry in page.entries}
                after = page.next
        return found

    async def _live(self) -> Pack:
        try:
            return await asyncio.to_thread(self._terms.pack)
        except FairgateError as error:
            what = "the log, which says which pack is live, can't be read: `fairgate doctor` says why"
            raise Refusal(503, "unavailable", what) from error


def _order(wanted: Wanted, pack: Pack) -> Order:
    """What is to be done to each, checked as the door will check it."""
    action = ACTIONS.get(wanted.action)
    if action is None or action == Action.ALLOW:
        known = [each.word for each in Action if each != Action.ALLOW]
        raise Refusal(422, "unknown_action", f"there is no such bulk action ({one_of(wanted.action, known)})", "action")
    if not wanted.reasons and action > Action.WATCH:
        names = ", ".join(sorted(pack.reasons))
        raise Refusal(422, "unknown_reason", f"name a reason of the pack: {names}", "reasons")
    for code in wanted.reasons:
        if code not in pack.reasons:
            what = f"the pack has no such reason ({one_of(code, pack.reasons)})"
            raise Refusal(422, "unknown_reason", what, "reasons")
    if wanted.length:
        length = parse_duration(wanted.length)
        if length is None or not 0 < length <= LONGEST_ACTION:
            raise Refusal(422, "bad_length", f"say for how long, at most {LONGEST_ACTION // DAY}d: {HINT}", "for")
    return Order(action, wanted.length, wanted.reasons, wanted.evidence, wanted.why)


def fit(given: Sequence[str | None], skipped: Counter[str]) -> list[str]:
    """What can be an account, each once, in the order of texts."""
    texts = [each for each in given if each is not None]
    different = set(texts)
    fits = sorted(each for each in different if each.isprintable() and 0 < len(each) <= LONGEST_IDENTIFIER)
    skipped["null"], skipped["duplicate"] = len(given) - len(texts), len(texts) - len(different)
    skipped["unfit"] = len(different) - len(fits)
    return fits


def _loses(pack: Pack, action: Action) -> str:
    """What an account can't do any more, as the pack says of the action."""
    spec = pack.actions.get(action)
    if spec is None:
        return "nothing that the pack says"
    tests: tuple[tuple[bool, Callable[[], str]], ...] = (
        (not spec.use, lambda: "use of the service"),
        (not spec.spend, lambda: "spending of what was bought or given"),
        (spec.rate < 1, lambda: f"all but {spec.rate:.0%} of the usual rate"),
        (spec.models is not None, lambda: f"models but {', '.join(spec.models or ()) or 'none'}"),
        (spec.challenge is not None, lambda: f"until a challenge is passed ({spec.challenge})"),
    )
    return "; ".join(words() for holds, words in tests if holds) or "nothing that the pack says"
