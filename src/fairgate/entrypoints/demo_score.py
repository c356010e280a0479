"""What the demo counts: what was decided and why, and how opponents and honest people fare by it."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from fairgate.domain.action import ACTIONS, Action
from fairgate.simulate.acts import Act, Seen
from fairgate.simulate.operator import Entry
from fairgate.simulate.service import COMPANY, Done, Reviewed

#: Accounts and decisions that are remembered for the screen.
_REMEMBERED: Final = 60
#: Turns of opponents that wait to be told of.
_MOST_TURNS: Final = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """One decision as a line: when, on whom, what, by which rules, and why in words."""

    time: int
    type: str
    account: str
    action: str
    rules: tuple[str, ...]
    why: str


@dataclass
class Decisions:
    """What was decided. The door's thread counts, and others may look meanwhile."""

    events: int = 0
    notable: int = 0
    refused: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    #: The newest line of each account and decision, and how many there were since it came on screen; newest last.
    recent: dict[tuple[str, str], tuple[Shown, int]] = field(default_factory=dict)

    def count(self, shown: Shown) -> None:
        """Take in one decision."""
        self.events += 1
        self.actions[shown.action] += 1
        self.rules.update(shown.rules)
        if ACTIONS[shown.action] > Action.WATCH:
            self.notable += 1
            self._remember(shown)

    def _remember(self, shown: Shown) -> None:
        key = (shown.account, shown.action)
        _, times = self.recent.pop(key, (shown, 0))
        self.recent[key] = (shown, times + 1)
        if len(self.recent) > _REMEMBERED:
            del self.recent[next(iter(self.recent))]


@dataclass
class Side:
    """How the opponents of one archetype fare, of whom there are `operators`: who `came` and `left`, and what they got.

    `compute` is in dollars at list price, `profit` what their books come to. `hours` has the hours from the first abuse
    of an account until it was closed. `tries` is the way that one of them chose last, in words.
    """

    operators: int
    came: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    accounts: int = 0
    closed: int = 0
    compute: float = 0.0
    profit: float = 0.0
    hours: list[float] = field(default_factory=list)
    tries: str = ""

    @property
    def state(self) -> str:
        """What they do now, in their own words."""
        if len(self.left) == self.operators:
            return "gave up"
        return self.tries if self.came else "not here yet"


@dataclass(frozen=True, slots=True)
class Turn:
    """An opponent turns to another way, or leaves."""

    time: int
    operator: str
    words: str


class Score:
    """Told of everything in a play; knows how opponents and honest people fare.

    One thread tells it, and others may read the fields meanwhile. Who was broken into counts on the side of those who
    did it, from then on.
    """

    def __init__(self, operators: Mapping[str, int]) -> None:
        self.sides = {kind: Side(number) for kind, number in operators.items() if number}
        self.turns: deque[Turn] = deque(maxlen=_MOST_TURNS)
        self.challenged: set[str] = set()
        self.slowed: set[str] = set()
        self.closed: set[str] = set()
        self.asked = self.unserved = self.reviews = 0
        self.compute = 0.0
        self._honest: set[str] = set()
        self._abused: dict[str, tuple[Side, int]] = {}
        self._lost: set[str] = set()
        self._ways: dict[str, str] = {}

    @property
    def honest(self) -> int:
        """Honest accounts that did anything."""
        return len(self._honest)

    @property
    def touched(self) -> int:
        """Honest accounts that were challenged, slowed or closed, rightly or not."""
        return len(self.challenged | self.slowed | self.closed)

    def __call__(self, each: Done | Reviewed | Entry) -> None:
        """Take in what happened."""
        if isinstance(each, Entry):
            self._entry(each)
        elif isinstance(each, Reviewed):
            self.reviews += 1
        elif each.act.abuse:
            self._opponent(each, self.sides[each.act.actor.kind])
        elif each.act.actor is not COMPANY and each.act.account.honest:
            self._owner(each, each.act)

    def _entry(self, entry: Entry) -> None:
        side = self.sides[entry.archetype]
        if entry.what == "tries":
            way = entry.note.partition(":")[0]
            side.came.add(entry.operator)
            side.tries = way
            if self._ways.get(entry.operator) != way:
                verb = "turns to" if entry.operator in self._ways else "begins with"
                self._ways[entry.operator] = way
                self.turns.append(Turn(entry.time, entry.operator, f"{verb} {way}"))
        elif entry.what == "leaves":
            side.left.add(entry.operator)
            self.turns.append(Turn(entry.time, entry.operator, f"gives up: {entry.note}"))
        else:
            side.profit += entry.dollars

    def _opponent(self, done: Done, side: Side) -> None:
        account = done.act.account.name
        if account not in self._abused:
            self._abused[account] = side, done.act.time
            side.accounts += 1
            for owners in (self._honest, self.challenged, self.slowed, self.closed):
                owners.discard(account)
        if done.act.dollars and done.seen.served:
            side.compute += done.act.dollars
        if done.seen in (Seen.CLOSED, Seen.HELD) and account not in self._lost:
            self._lost.add(account)
            theirs, first = self._abused[account]
            theirs.closed += 1
            theirs.hours.append((done.act.time - first) / 3.6e9)

    def _owner(self, done: Done, act: Act) -> None:
        """An honest owner, and nobody else uses the account yet."""
        account = act.account.name
        if account in self._abused:
            return
        self._honest.add(account)
        self.asked += bool(act.dollars)
        self.compute += act.dollars if done.seen.served else 0.0
        if done.verdict.action <= Action.WATCH and done.seen.served:
            return
        self.unserved += bool(act.dollars) and not done.seen.served
        if done.verdict.action == Action.THROTTLE or done.seen == Seen.SLOWED:
            self.slowed.add(account)
        elif done.seen in (Seen.CLOSED, Seen.HELD):
            self.closed.add(account)
        elif done.wait:
            self.challenged.add(account)


def middle(hours: list[float]) -> str:
    """The median of some hours in words, empty where there are none."""
    if not hours:
        return ""
    minutes = round(median(hours) * 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"  # noqa: PLR2004 - an hour
