"""One opponent's campaign from its own point of view: what it tried, what it saw, what it cost, why it left or stayed.

All of it stands in the opponent's own book and in what it saw of its own acts; at the end, for a manager, what the
defence did about it, which the opponent never knew.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from fairgate.domain.action import Action
from fairgate.domain.errors import NotPlayable
from fairgate.domain.windows import DAY
from fairgate.simulate.acts import Seen
from fairgate.simulate.arena.tables import Section
from fairgate.simulate.operator import Entry
from fairgate.simulate.service import Done, Reviewed
from fairgate.simulate.simulation import Simulation

_WORDS: Final = {
    Seen.SERVED: "served", Seen.CHALLENGED: "served after a challenge", Seen.SLOWED: "put off", Seen.HELD: "held",
    Seen.REFUSED: "refused at a challenge", Seen.CLOSED: "met with a closed account",
}  # fmt: skip
#: Chapters that are told in full; those between the first and the last are the shortest when there are more.
_MOST_CHAPTERS: Final = 40


@dataclass(slots=True)
class _Day:
    """What one operator saw and moved on a day."""

    seen: Counter[Seen] = field(default_factory=Counter)
    new: int = 0
    dollars: float = 0.0
    costs: dict[str, float] = field(default_factory=dict)
    income: float = 0.0


@dataclass(slots=True)
class _Life:
    """All that is known of one operator."""

    name: str
    skill: float
    entries: list[Entry] = field(default_factory=list)
    days: dict[int, _Day] = field(default_factory=lambda: defaultdict(_Day))
    accounts: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    by: Counter[str] = field(default_factory=Counter)

    @property
    def tries(self) -> int:
        return sum(each.what == "tries" for each in self.entries)


class Chronicle:
    """Told of everything in a run, and keeps what belongs to the opponents of one archetype."""

    def __init__(self, simulation: Simulation, archetype: str) -> None:
        self._begins = simulation.world.begins
        self._days = simulation.days
        self._archetype = archetype
        self._lives = {
            each.name: _Life(each.name, each.skill) for each in simulation.operators if each.archetype == archetype
        }
        self._purses = {each.name: each for each in simulation.operators}

    def __call__(self, each: Done | Reviewed | Entry) -> None:
        """Take in what happened."""
        if isinstance(each, Entry):
            life = self._lives.get(each.operator)
            if life is not None:
                self._booked(life, each)
        elif isinstance(each, Done):
            life = self._lives.get(each.act.actor.name)
            if life is not None:
                self._acted(life, each)

    def _booked(self, life: _Life, entry: Entry) -> None:
        life.entries.append(entry)
        day = life.days[self._day(entry.time)]
        if entry.dollars < 0:
            day.costs[entry.what] = day.costs.get(entry.what, 0.0) - entry.dollars
        else:
            day.income += entry.dollars

    def _acted(self, life: _Life, done: Done) -> None:
        name, day = done.act.account.name, life.days[self._day(done.act.time)]
        if name not in life.accounts:
            life.accounts.add(name)
            day.new += 1
        if done.act.dollars:
            day.seen[done.seen] += 1
            day.dollars += done.act.dollars if done.seen.served else 0.0
        elif not done.seen.served:
            day.seen[done.seen] += 1
        if done.seen in (Seen.CLOSED, Seen.HELD) and name not in life.lost:
            life.lost.add(name)
        if done.verdict.action > Action.WATCH:
            life.by.update((*done.verdict.lists, *done.verdict.rules))

    def _day(self, time: int) -> int:
        return min((time - self._begins) // DAY, self._days - 1)

    def sections(self) -> Iterator[Section]:
        """The story of the one among them that tried most. Raises `NotPlayable` where nobody of them ever tried."""
        lives = sorted(self._lives.values(), key=lambda each: (-each.tries, each.name))
        if not lives or not lives[0].tries:
            raise NotPlayable(f"No {self._archetype} tried anything in these {self._days} days.")
        life = lives[0]
        yield self._beginning(life, len(lives))
        yield from self._chapters(life)
        yield self._end(life)
        yield self._for_managers(life)

    def _beginning(self, life: _Life, others: int) -> Section:
        operator = self._purses[life.name]
        had = operator.purse - sum(each.dollars for each in life.entries)
        first = next(each for each in life.entries if each.what == "tries")
        skill = "a beginner" if life.skill < 1 / 3 else "an old hand" if life.skill > 2 / 3 else "no beginner"
        words = (
            f"I am one of {others} of my kind here. I came on day {self._day(first.time) + 1} with {had:,.0f} dollars; "
            f"I am {skill}. A dollar's worth of compute is worth {operator.resale:.2f} dollars to me. All that I know "
            "is what I pay, what I sell, and whether I am served."
        )
        return Section("How it begins", (words,))

    def _chapters(self, life: _Life) -> Iterator[Section]:
        tries = [each for each in life.entries if each.what == "tries"]
        runs = [list(run) for _, run in groupby(tries, key=lambda each: each.note.partition(":")[0])]
        edges = [self._day(run[0].time) for run in runs] + [self._last(life) + 1]
        chapters = [
            self._chapter(life, run, edges[at], max(edges[at] + 1, edges[at + 1])) for at, run in enumerate(runs)
        ]
        yield from chapters[: _MOST_CHAPTERS // 2]
        if len(chapters) > _MOST_CHAPTERS:
            left_out = len(chapters) - _MOST_CHAPTERS
            yield Section("And so on", (f"{left_out} more turns, back and forth between the same ways.",))
        yield from chapters[max(_MOST_CHAPTERS // 2, len(chapters) - _MOST_CHAPTERS // 2) :]

    def _last(self, life: _Life) -> int:
        return max(life.days, default=0)

    def _chapter(self, life: _Life, run: Sequence[Entry], begin: int, end: int) -> Section:
        days = [life.days[day] for day in range(begin, end) if day in life.days]
        way, _, hoped = run[0].note.partition(": ")
        seen: Counter[Seen] = sum((each.seen for each in days), Counter())
        income, got = sum(each.income for each in days), sum(each.dollars for each in days)
        when = f"Day {begin + 1}" if end - begin == 1 else f"Days {begin + 1} to {end}"
        tried = "once" if len(run) == 1 else f"{len(run)} times"
        money = f"It cost me {_spent(days)}, brought {income:,.2f}, and {got:,.2f} dollars' worth of compute."
        learnt = [each.note for each in life.entries if each.what == "learns" and begin <= self._day(each.time) < end]
        words = [
            f"I tried {way}, {tried}: {hoped}.",
            f"{sum(each.new for each in days)} accounts that were new to me; {_saw(seen)}",
            money,
            *(f"{each}." for each in learnt),
        ]
        return Section(when, tuple(words))

    def _end(self, life: _Life) -> Section:
        spent = -sum(each.dollars for each in life.entries if each.dollars < 0)
        earned = sum(each.dollars for each in life.entries if each.dollars > 0)
        left = next((each for each in life.entries if each.what == "leaves"), None)
        end = (
            f"I am still here on day {self._days}: it pays, or I hope that it will."
            if left is None
            else f"On day {self._day(left.time) + 1} I left: {left.note}."
        )
        sum_ = (
            f"In all I spent {spent:,.2f} dollars and took in {earned:,.2f}: {earned - spent:+,.2f}. Of "
            f"{len(life.accounts)} accounts {len(life.lost)} were closed on me."
        )
        return Section("How it ends", (end, sum_))

    def _for_managers(self, life: _Life) -> Section:
        got = sum(each.dollars for each in life.days.values())
        spent = -sum(each.dollars for each in life.entries if each.dollars < 0)
        each_dollar = f"{spent / got:,.2f} dollars" if got else "money, and got nothing"
        did = ", ".join(f"{name} ({count:,} times)" for name, count in life.by.most_common(5))
        paid = (
            f"This is a simulation. This opponent got {got:,.0f} dollars' worth of our compute, and paid {each_dollar} "
            "for each of them."
        )
        acted = f"What acted on it, and it never knew: {did}." if did else "Nothing ever acted on it."
        return Section("For a manager", (paid, acted))


def _spent(days: Iterable[_Day]) -> str:
    """What was spent, and what for most."""
    costs: dict[str, float] = {}
    for each in days:
        for name, cost in each.costs.items():
            costs[name] = costs.get(name, 0.0) + cost
    most = sorted(costs.items(), key=lambda each: -each[1])[:3]
    bought = f" ({', '.join(f'{name} {cost:,.2f}' for name, cost in most)})" if most else ""
    return f"{sum(costs.values()):,.2f} dollars{bought}"


def _saw(seen: Counter[Seen]) -> str:
    total = sum(seen.values())
    if not total:
        return "nothing was asked for yet."
    shown = [f"{_WORDS[each]} {count:,}" for each, count in seen.most_common() if each in _WORDS]
    return f"what I asked for was {', '.join(shown)} times."
