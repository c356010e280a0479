"""Counts what happens while a world is played. It is told the truth, and nobody who decides is told anything by it."""

from collections import Counter, defaultdict
from statistics import median
from typing import Final

from fairgate.domain.action import Action
from fairgate.domain.windows import DAY, HOUR
from fairgate.simulate.acts import Act, Seen
from fairgate.simulate.arena.outcome import Honest, Opponents, RuleOutcome
from fairgate.simulate.operator import Entry
from fairgate.simulate.service import COMPANY, Done, Reviewed
from fairgate.simulate.world_file import Loaded

_WEEK: Final = 7 * DAY


class _Account:
    """What is known of one account's fate. Times are microseconds, 0 where there is none."""

    __slots__ = (
        "abused", "actor", "asked", "broken", "challenged", "closed", "denied", "first", "honest", "kind", "lost",
        "noticed", "operator", "throttled",
    )  # fmt: skip

    def __init__(self, kind: str, *, honest: bool) -> None:
        self.kind = kind
        self.honest = honest
        self.actor = ""
        self.operator = ""
        self.asked = self.abused = self.noticed = self.lost = 0
        self.first = ""
        self.broken = self.denied = self.closed = self.challenged = self.throttled = False


class _Kind:
    """Sums of one archetype or segment."""

    def __init__(self, days: int) -> None:
        self.daily = [0.0] * days
        self.costs = [0.0] * days
        self.asked = self.earned = self.waited = self.paid = 0.0
        self.requests = self.stopped = self.left = 0
        self.ways: tuple[Counter[str], Counter[str]] = (Counter(), Counter())


class Tally:
    """Told of everything that happens in a world (see `Simulation`); `opponents`, `honest` and `rules` sum it up.

    `operators` are all opponents by name with their archetype.
    """

    def __init__(self, world: Loaded, days: int, operators: dict[str, str]) -> None:
        self._begins = world.begins
        self._days = days
        self._operators = operators
        self._accounts: dict[str, _Account] = {}
        self._kinds: dict[str, _Kind] = defaultdict(lambda: _Kind(days))
        self._lost: dict[str, int] = {}
        self._returned: set[str] = set()
        self._rules: dict[str, tuple[set[str], set[str], dict[int, set[str]]]] = defaultdict(
            lambda: (set(), set(), defaultdict(set))
        )
        self._active: dict[int, set[str]] = defaultdict(set)
        self._charges: dict[str, tuple[str, float]] = {}
        self.events = self.reviews = 0
        self.review_dollars = 0.0

    def __call__(self, each: Done | Reviewed | Entry) -> None:
        """Take in what happened."""
        if isinstance(each, Done):
            self._done(each)
        elif isinstance(each, Entry):
            self._entry(each)
        else:
            self.reviews += 1
            self.review_dollars += each.cost

    def _done(self, done: Done) -> None:
        act = done.act
        self.events += bool(done.event)
        if act.actor is COMPANY:
            self._company(act)
            return
        account = self._account(act)
        kind = self._kinds[act.actor.kind]
        if act.dollars:
            kind.requests += 1
            kind.asked += act.dollars
            if done.seen.served:
                kind.daily[self._day(act.time)] += act.dollars
        if act.abuse:
            self._abused(done, account)
        if act.type == "payment.charged" and done.event and act.data.get("outcome") == "accepted":
            self._charged(done, kind)
        if done.verdict.action > Action.WATCH or not done.seen.served:
            self._touched(done, account, kind)
        if done.verdict.rules or done.verdict.lists:
            self._counted(done, account)

    def _account(self, act: Act) -> _Account:
        account = self._accounts.get(act.account.name)
        if account is None:
            owner = act.account.owner
            account = self._accounts[act.account.name] = _Account(owner.kind, honest=owner.honest)
        return account

    def _abused(self, done: Done, account: _Account) -> None:
        """An opponent used an account."""
        act = done.act
        if not account.abused:
            account.abused, account.actor, account.operator = act.time, act.actor.kind, act.actor.name
            account.broken = account.honest
            lost = self._lost.get(act.actor.name)
            if lost is not None and lost < act.time:
                self._returned.add(act.actor.name)
        self._active[self._week(act.time)].add(act.account.name)

    def _touched(self, done: Done, account: _Account, kind: _Kind) -> None:
        """Something was done about an act, or it was not done."""
        act, seen, verdict = done.act, done.seen, done.verdict
        kind.waited += done.wait / HOUR
        kind.stopped += bool(act.dollars) and not seen.served
        if act.abuse:
            if verdict.action >= Action.THROTTLE and not account.noticed:
                account.noticed = act.time
                layer, names = ("list", verdict.lists) if verdict.lists else ("rule", verdict.rules)
                account.first = f"{layer} {', '.join(names)}"
            if seen in (Seen.CLOSED, Seen.HELD) and not account.lost:
                account.lost = act.time
                self._lost.setdefault(account.operator, act.time)
            return
        if account.broken:
            return
        account.challenged |= verdict.action == Action.CHALLENGE and bool(done.wait)
        account.throttled |= verdict.action == Action.THROTTLE or seen == Seen.SLOWED
        account.closed |= seen in (Seen.CLOSED, Seen.HELD)
        account.denied |= seen in (Seen.CLOSED, Seen.HELD, Seen.REFUSED)

    def _counted(self, done: Done, account: _Account) -> None:
        """Rules and lists that had a part in a decision that did something."""
        if done.verdict.action <= Action.ALLOW:
            return
        name = done.act.account.name
        for rule in (*done.verdict.rules, *done.verdict.lists):
            abusive, honest, weeks = self._rules[rule]
            if done.act.abuse:
                abusive.add(name)
                weeks[self._week(done.act.time)].add(name)
            elif not account.broken:
                honest.add(name)

    def _charged(self, done: Done, kind: _Kind) -> None:
        amount = float(done.act.data["amount"] or 0.0)
        kind.paid += amount
        if done.act.disputed:
            self._charges[done.event] = done.act.actor.kind, amount

    def _company(self, act: Act) -> None:
        if act.type == "payment.disputed":
            kind, amount = self._charges.pop(str(act.data["of"]))
            self._kinds[kind].paid -= amount

    def _entry(self, entry: Entry) -> None:
        kind = self._kinds[entry.archetype]
        if entry.what == "leaves":
            kind.left += 1
        elif entry.what == "tries":
            half = entry.time - self._begins >= self._days * DAY // 2
            kind.ways[half][entry.note.partition(":")[0]] += 1
        elif entry.dollars < 0:
            kind.costs[self._day(entry.time)] -= entry.dollars
        else:
            kind.earned += entry.dollars

    def opponents(self, ended: int) -> dict[str, Opponents]:
        """What became of each archetype's opponents, by a time."""
        by_kind: dict[str, list[_Account]] = defaultdict(list)
        for each in self._accounts.values():
            if each.abused:
                by_kind[each.actor].append(each)
        names = Counter(self._operators.values())
        return {kind: self._opponents(kind, count, by_kind[kind], ended) for kind, count in sorted(names.items())}

    def _opponents(self, name: str, operators: int, accounts: list[_Account], ended: int) -> Opponents:
        kind = self._kinds[name]
        after = [(each.noticed - each.abused) / HOUR for each in accounts if each.noticed]
        watched = [each for each in accounts if each.abused <= ended - _WEEK]
        mine = {each for each, archetype in self._operators.items() if archetype == name}
        return Opponents(
            operators=operators,
            left=kind.left,
            accounts=len(accounts),
            closed=sum(bool(each.lost) for each in accounts),
            noticed=len(after),
            hours=median(after) if after else None,
            watched=len(watched),
            week=sum(not each.lost or each.lost > each.abused + _WEEK for each in watched),
            banned=len(mine & self._lost.keys()),
            returned=len(mine & self._returned),
            asked=kind.asked,
            paid=kind.paid,
            earned=kind.earned,
            daily=tuple(kind.daily),
            costs=tuple(kind.costs),
            first=dict(Counter(each.first for each in accounts if each.first).most_common()),
            ways=(dict(kind.ways[0].most_common()), dict(kind.ways[1].most_common())),
        )

    def honest(self) -> dict[str, Honest]:
        """What became of the honest people of each segment."""
        by_kind: dict[str, list[_Account]] = defaultdict(list)
        for each in self._accounts.values():
            if each.honest:
                by_kind[each.kind].append(each)
        return {name: self._honest(self._kinds[name], accounts) for name, accounts in sorted(by_kind.items())}

    def _honest(self, kind: _Kind, accounts: list[_Account]) -> Honest:
        return Honest(
            accounts=len(accounts),
            requests=kind.requests,
            stopped=kind.stopped,
            denied=sum(each.denied for each in accounts),
            closed=sum(each.closed for each in accounts),
            challenged=sum(each.challenged for each in accounts),
            throttled=sum(each.throttled for each in accounts),
            victims=sum(each.broken for each in accounts),
            waited=kind.waited,
            daily=tuple(kind.daily),
        )

    def rules(self, ended: int) -> dict[str, RuleOutcome]:
        """What each rule and list did that had a part in anything, by a time."""
        weeks = range(-((self._begins - ended) // _WEEK))
        return {
            name: RuleOutcome(
                abusive=dict(Counter(self._accounts[each].actor for each in abusive).most_common()),
                honest=dict(Counter(self._accounts[each].kind for each in honest).most_common()),
                weekly=tuple(len(by_week.get(week, ())) / max(1, len(self._active.get(week, ()))) for week in weeks),
            )
            for name, (abusive, honest, by_week) in sorted(self._rules.items())
        }

    def _day(self, time: int) -> int:
        return min(max(0, (time - self._begins) // DAY), self._days - 1)

    def _week(self, time: int) -> int:
        return (time - self._begins) // _WEEK
