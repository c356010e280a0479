"""The repeat violator: somebody who uses a model for what the policy forbids, is banned, and comes back.

They want the answers for themselves, and go on with an account until it is closed. Then they choose how to come back:
as who, with the same questions or milder ones, on one account or little by little on several. How far each got teaches
which way pays; where none does, they leave.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import product
from typing import Final

from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND
from fairgate.simulate.acts import Account, Doing, Life, Seen, Wait
from fairgate.simulate.deeds import Card, Sitting, Use
from fairgate.simulate.identities import mailbox, name_of
from fairgate.simulate.models import FRONTIER
from fairgate.simulate.operator import Archetype, Operator
from fairgate.simulate.places import COUNTRIES, Seat, household, waking
from fairgate.simulate.tradecraft import TRAFFIC, borrowed, bought, bought_mailbox, hand_card, join, move_in, top_up

#: What is left of an answer's worth where the question was made milder, and of how plainly it was forbidden.
_MILDER, _PLAINLY = 0.6, 0.45
#: Accounts on which the work is done little by little, and dollars that a card is charged at a time.
_SEVERAL, _TOP_UP = 3, 5.0
#: Mean seconds between two questions of a sitting.
_BETWEEN: Final = 240.0
#: Days for which whoever comes back hopes to stay.
_HOPES: Final = 7.0
#: Refusals in a row until an account is given up; looks in a row at ways of which none pays, until the person is gone.
_MOST_REFUSED, _GIVES_UP = 3, 3
#: Days over which such people begin.
_COME: Final = 10


class _As(StrEnum):
    """As who somebody comes back, from the careless to the careful."""

    SAME = "the same device and card, a tag on the mailbox"
    PROFILE = "a new profile and mailbox, the same line and card"
    LINE = "a new profile, mailbox, line and card"
    AGED = "a bought old account, on a new profile and line"

    @property
    def moved(self) -> bool:
        """Whether they ask by another's line and pay with another card."""
        return self in (_As.LINE, _As.AGED)


@dataclass(frozen=True, slots=True)
class _Way:
    """How somebody comes back."""

    who: _As
    milder: bool
    several: bool

    @property
    def words(self) -> str:
        """The way as a person would tell it."""
        questions = "milder words" if self.milder else "the same questions"
        accounts = "little by little on several accounts" if self.several else "all on one account"
        return f"{self.who}; {questions}; {accounts}"

    @property
    def accounts(self) -> int:
        """How many accounts they make."""
        return _SEVERAL if self.several else 1


@dataclass(slots=True, eq=False)
class _Face:
    """An account of theirs, with its card, what is left of its credits, and how often in a row it was refused."""

    desk: Sitting
    card: Card
    credits: float
    handed: bool = False
    refused: int = 0


class _Person:
    """Somebody with a forbidden use: what stays with them whatever they do, and what they count on."""

    def __init__(self, mine: Operator) -> None:
        self.mine = mine
        rng = mine.rng
        self.country = rng.choice(COUNTRIES)
        self.seat = household(rng, self.country)
        self.mailbox = mailbox(rng, "gmail.com")
        self.card = Card(name_of(rng, "card"), self.country.code)
        self.use = Use("1", name_of(rng, "tpl"), FRONTIER, forbidden=rng.uniform(0.7, 0.95))
        self.daily = mine.figure("daily")
        self.answer = mine.figure("answer")
        self.made = 0

    def question(self, way: _Way) -> Use:
        """What is asked: in the words that were always used, or in new and milder ones."""
        if not way.milder:
            return self.use
        return replace(self.use, template=name_of(self.mine.rng, "tpl"), forbidden=_PLAINLY * self.use.forbidden)

    def place(self, way: _Way, now: int) -> Seat:
        """Where an account is made and used."""
        if way.who == _As.SAME:
            return self.seat
        self.mine.buy("profile", 1, now)
        line = borrowed(self.mine, now) if way.who.moved else self.seat
        return replace(line, device=name_of(self.mine.rng, "dev"))

    def pays_with(self, way: _Way, now: int) -> Card:
        """Their own card, or one that was bought."""
        if not way.who.moved:
            return self.card
        self.mine.buy("virtual_card", 1, now)
        return Card(name_of(self.mine.rng, "card"), "US")

    def email(self, way: _Way, now: int) -> str:
        """Their own mailbox, with a tag from the second account on, or one that was bought."""
        if way.who != _As.SAME:
            return bought_mailbox(self.mine, now)
        self.made += 1
        name, _, domain = self.mailbox.partition("@")
        return self.mailbox if self.made == 1 else f"{name}+{self.made}@{domain}"

    def account(self, way: _Way, now: int) -> Account:
        """An account: made, or bought old."""
        return bought(self.mine, now) if way.who == _As.AGED else self.mine.account(now, "free")

    def answers_worth(self, way: _Way) -> float:
        """What an answer is worth to them in dollars."""
        return self.answer * (_MILDER if way.milder else 1.0)

    def worth(self, now: int, way: _Way, likely: float) -> float:
        """What coming back in a way promises, if one stays for as long as is hoped as likely as this."""
        mine = self.mine
        each = 0.0 if way.who == _As.SAME else mine.price("profile", now)
        each += mine.price("mailbox", now) if way.who in (_As.PROFILE, _As.LINE) else 0.0
        each += mine.price("aged_account", now) if way.who == _As.AGED else 0.0
        each += TRAFFIC * mine.price("traffic", now) + mine.price("virtual_card", now) if way.who.moved else 0.0
        cost = way.accounts * (each + mine.spec.more["trouble"].middle)
        return likely * _HOPES * self.daily * self.answers_worth(way) - cost


def _life(mine: Operator) -> Life:
    """One account after another: the first as they are, each other one as seems best once all before are closed."""
    person, failed, way = _Person(mine), 0, _PLAIN
    now = mine.scene.world.begins + mine.rng.randrange(_COME * DAY)
    worth = person.worth(now, way, 1.0)
    yield Wait(now)
    while failed < _GIVES_UP and mine.purse > 0:
        if worth > 0:
            failed = 0
            mine.note("tries", now, f"{way.words}: it may bring {worth:.2f} dollars")
            now = yield from _stays(person, way, now)
            now += int(mine.figure("away") * DAY)
        else:
            failed, now = failed + 1, now + DAY
        yield Wait(now)
        last = way
        way, worth = mine.beliefs.best(_WAYS, partial(person.worth, now))
        if way != last:
            mine.note("learns", now, f"Of late, {last.words} goes well in {mine.beliefs.of(last).mean:.0%} of cases")
    mine.note("leaves", now, "the purse is empty" if mine.purse <= 0 else "no way pays any more")


def _stays(person: _Person, way: _Way, now: int) -> Doing[int]:
    """Come in one way and ask day after day, until every account of it is closed; returns when that is."""
    mine, faces, got = person.mine, list[_Face](), 0.0
    for _ in range(way.accounts):
        face, now = yield from _comes(person, way, now)
        faces += [face] if face is not None else []
        now += mine.rng.randrange(10 * MINUTE, HOUR)
    if not faces:  # stopped at the door, where nobody knows yet what they would ask
        mine.beliefs.learn(*(each for each in _WAYS if each.who == way.who), well=False)
        return now
    use, day = person.question(way), now - now % DAY
    while faces:
        count = max(1, round(person.daily * mine.rng.lognormvariate(0.0, 0.4)))
        for _ in range(count):
            now += int(mine.rng.expovariate(1 / _BETWEEN) * SECOND) + SECOND
            face = mine.rng.choice(faces)
            now, seen = yield from _asks(person, face, use, now)
            if seen.served:
                got += 1
                mine.earn("has an answer", person.answers_worth(way), now)
            if _lost(face, seen):
                faces.remove(face)
            if not faces:
                break
        else:
            day += DAY
            now = max(now, waking(mine.rng, day, person.country.offset))
    mine.beliefs.learn(way, well=got >= _HOPES * person.daily / 2)
    return now


def _comes(person: _Person, way: _Way, now: int) -> Doing[tuple[_Face | None, int]]:
    """Make an account or move into one; None where it can't be used, and when that is known."""
    mine = person.mine
    mine.pay("trouble", mine.figure("trouble"), now)
    desk = Sitting(person.account(way, now), person.place(way, now))
    if way.who == _As.AGED:
        ready, left = (yield from move_in(mine, desk, now)), 0.0
    else:
        ready = yield from join(mine, desk, now, person.email(way, now))
        left = mine.scene.world.world.service.trial_dollars.middle
    if ready is None:
        return None, now + 10 * MINUTE
    return _Face(desk, person.pays_with(way, ready), left), ready


def _asks(person: _Person, face: _Face, use: Use, time: int) -> Doing[tuple[int, Seen]]:
    """One question, for which credits are bought where there are none left; when that is done, and what was seen."""
    mine = person.mine
    if face.credits <= 0:
        ready: int | None = time
        if not face.handed:
            ready = yield from hand_card(mine, face.desk, time, face.card)
        face.handed = ready is not None
        if ready is None or not (yield from top_up(face.desk, ready, face.card, _TOP_UP)):
            return time + MINUTE, Seen.REFUSED
        mine.pay("buys credits", _TOP_UP, ready)
        face.credits, time = face.credits + _TOP_UP, ready + MINUTE
    act = face.desk.ask(time, use, mine.rng)
    seen = yield act
    face.credits -= act.dollars if seen.served else 0.0
    return time + (HOUR if seen == Seen.SLOWED else 0), seen


def _lost(face: _Face, seen: Seen) -> bool:
    """Whether an account is given up."""
    face.refused = face.refused + 1 if seen == Seen.REFUSED else 0
    return seen in (Seen.CLOSED, Seen.HELD) or face.refused >= _MOST_REFUSED


_WAYS: Final = tuple(_Way(*each) for each in product(_As, (False, True), (False, True)))
_PLAIN: Final = _Way(_As.SAME, milder=False, several=False)
ARCHETYPE = Archetype(
    about="uses a model for what is forbidden, is banned, and comes back as somebody else",
    life=_life,
    prices=("aged_account", "mailbox", "profile", "traffic", "virtual_card"),
    figures=("answer", "away", "daily", "trouble"),
)
