"""A world as a TOML file tells it: who lives in it, what things cost, and where each figure comes from."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from math import isclose
from pathlib import Path as File
from random import Random
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from fairgate.domain.errors import BadWorld
from fairgate.domain.event import microseconds
from fairgate.language.places import KEY, Path
from fairgate.language.problems import one_of
from fairgate.language.shapes import Misfit
from fairgate.language.toml_shape import read_shape

#: How far the shares of all segments may be from one.
_SHARES_OFF = 0.005
#: How a day is written, and how the time of a source.
_DAY, _WHEN = ("%Y-%m-%d",), ("%Y-%m-%d", "%Y-%m", "%Y")
_MODEL = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
#: A part of all there are of something.
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A figure that is known only within bounds."""

    low: Annotated[float, Meta(ge=0)]
    high: Annotated[float, Meta(ge=0)]

    def draw(self, rng: Random) -> float:
        """A value within the bounds; each factor is as likely as another."""
        if not self.low:
            return rng.uniform(self.low, self.high)
        return float(self.low * (self.high / self.low) ** rng.random())

    @property
    def middle(self) -> float:
        """What half of the draws are below."""
        return (self.low * self.high) ** 0.5 if self.low else self.high / 2


class Figure(Range, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A range with who published it and when: a year, a month or a day. `source` is "assumed" where nobody did."""

    source: str
    date: str


class Price(Figure, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What opponents pay for one of a kind, in dollars.

    `supply` is how many a month are there at that price. What is burnt beyond it makes the rest dearer: at twice the
    supply by the factor `dearer`.
    """

    supply: Annotated[float, Meta(gt=0)]
    dearer: Annotated[float, Meta(ge=1)] = 1.5


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The company that sells the compute, and what it does beside deciding.

    Shares are from 0 to 1, dollars list prices. What is held or suspended is looked at by a person after
    `review_hours`, who lets abuse go in `review_misses` of the cases and stops the innocent in `review_wrongs`; what is
    banned only where its owner appeals, as the honest do in `appeals` of the cases. A throttled account may ask
    `throttled_hourly` times an hour for `throttled_hours`; whoever passes a challenge has none for `challenge_hours`.
    Charges are taken back after `dispute_days`; a classifier of content finds `classifier_finds` of what is forbidden
    and flags `classifier_wrongs` of what is not; who is broken into notices after `notice_hours`.
    """

    trial_dollars: Range
    referral_dollars: Range
    review_hours: Range
    review_dollars: Range
    review_misses: Share
    review_wrongs: Share
    appeals: Share
    throttled_hours: Annotated[float, Meta(gt=0)]
    throttled_hourly: Annotated[float, Meta(gt=0)]
    challenge_hours: Annotated[float, Meta(gt=0)]
    dispute_days: Range
    classifier_finds: Share
    classifier_wrongs: Share
    notice_hours: Range


class Passing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a challenge goes for whoever gets one: the share that passes, how long it takes, what it costs in dollars."""

    passes: Share
    seconds: Range
    dollars: Range


class Segment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A kind of honest people.

    `share` is theirs among honest accounts, `daily` how often an account asks on a day that it is used, `days` the
    share of days on which it is. `growth` is how many more come every week, where that is not as in all the world.
    """

    share: Annotated[float, Meta(gt=0, le=1)]
    daily: Range
    days: Annotated[float, Meta(gt=0, le=1)]
    growth: Annotated[float, Meta(ge=0, le=5)] | None = None


class Habits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What honest people do now and then that looks like abuse. Each is a share, from 0 to 1.

    Of the newcomers, `refers` come by somebody's invitation, and `second_hand` on a laptop that somebody else had used
    here before. Of all private people, `shares_card` pay with a friend's card. Of the charges, `disputes` are taken
    back in good faith. Of the days on which a company uses its account, it replaces a key on `rotates` and asks a
    colleague in on `invites`; of the log-ins, `forgets` begin with a forgotten password.
    """

    refers: Share
    second_hand: Share
    shares_card: Share
    disputes: Share
    rotates: Share
    invites: Share
    forgets: Share


class Opponent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A kind of opponents. `operators` are there at the start, each with a budget in dollars and a skill from 0 to 1.

    `resale` is what a dollar of compute at list price brings them, `hands` who does their challenges. `more` has the
    figures that only this kind needs.
    """

    operators: Annotated[int, Meta(ge=0)]
    budget: Range
    skill: Range
    resale: Figure
    hands: str
    more: dict[str, Figure] = {}


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model that comes out so many days after the world begins. Interest in all models is `surge` times as high then.

    It falls back to what it was over `fades` days. Of the uses of large models, the share `moves` goes to the new one.
    """

    day: Annotated[int, Meta(ge=0, le=3650)]
    model: str
    surge: Annotated[float, Meta(ge=1, le=10)] = 1.5
    fades: Annotated[float, Meta(gt=0)] = 7.0
    moves: Share = 0.3


class World(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A world. `honest` accounts are there at the start, and more come every week by the share `growth`."""

    name: str
    about: str
    begins: str
    honest: Annotated[int, Meta(ge=1)]
    growth: Share
    service: Service
    habits: Habits
    challenge: dict[str, Passing]
    price: dict[str, Price]
    segment: dict[str, Segment]
    opponent: dict[str, Opponent]
    release: Sequence[Release] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What the program can play.

    `segments` and `challenges` are the names of honest people's kinds and of those who solve challenges; `opponents`
    has for each archetype the prices and the further figures that it can't do without. `models` are those on offer when
    a world begins.
    """

    segments: Collection[str]
    challenges: Collection[str]
    opponents: Mapping[str, tuple[Collection[str], Collection[str]]]
    models: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A world with its fingerprint: the same text has the same, and whatever is changed in it shows."""

    world: World
    digest: str

    @property
    def begins(self) -> int:
        """When it begins, in microseconds since 1970."""
        return microseconds(datetime.fromisoformat(self.world.begins).replace(tzinfo=UTC))


def read_world(path: File, known: Known) -> Loaded:
    """The world of a file. Raises `BadWorld` with every fault, its line and key."""
    world = read_shape(path, World, BadWorld, faults=lambda found: _faults(found, known))
    return Loaded(world, blake2b(path.read_bytes(), digest_size=8).hexdigest())


def _faults(world: World, known: Known) -> Iterator[Misfit]:
    """What can't be played, or is missing for what is to be played."""
    yield from _impossible(world, ())
    if not _is_date(world.begins, _DAY):
        yield Misfit(("begins",), f"`{world.begins}` is no day, such as 2026-09-07")
    for name in world.segment:
        if name not in known.segments:
            yield Misfit(("segment", name, KEY), "nobody lives like that", one_of(name, known.segments))
    shares = sum(each.share for each in world.segment.values())
    if world.segment and not isclose(shares, 1.0, abs_tol=_SHARES_OFF):
        yield Misfit(("segment",), f"the shares of all segments come to {shares:g}, and must to 1")
    for name in known.challenges:
        if name not in world.challenge:
            yield Misfit(("challenge",), f"it is missing how a challenge goes for `{name}`")
    for name, opponent in world.opponent.items():
        if name in known.opponents:
            yield from _faults_of(name, opponent, world, known)
        else:
            yield Misfit(("opponent", name, KEY), "there is no such archetype", one_of(name, known.opponents))
    yield from _faults_of_releases(world.release, known)


def _impossible(value: object, path: Path) -> Iterator[Misfit]:
    """The ranges below a value that have nothing in them, and the dates of figures that are none."""
    if isinstance(value, Range) and value.low > value.high:
        yield Misfit(path, f"`low` is {value.low:g}, above `high`, {value.high:g}")
    if isinstance(value, Figure) and not _is_date(value.date, _WHEN):
        yield Misfit((*path, "date"), f"`{value.date}` is no date, such as 2026, 2026-09 or 2026-09-07")
    inside = msgspec.structs.asdict(value) if isinstance(value, msgspec.Struct) else value
    if isinstance(inside, Mapping):
        for name, each in inside.items():
            yield from _impossible(each, (*path, name))


def _faults_of_releases(releases: Sequence[Release], known: Known) -> Iterator[Misfit]:
    out = set(known.models)
    for index, each in enumerate(releases):
        path = ("release", index, "model")
        if not _MODEL.fullmatch(each.model):
            yield Misfit(path, f"`{each.model}` is no name for a model, such as `frontier-3`")
        elif each.model in out:
            yield Misfit(path, f"`{each.model}` is out already")
        out.add(each.model)


def _is_date(text: str, ways: Sequence[str]) -> bool:
    for way in ways:
        with suppress(ValueError):
            return bool(datetime.strptime(text, way).replace(tzinfo=UTC))
    return False


def _faults_of(name: str, opponent: Opponent, world: World, known: Known) -> Iterator[Misfit]:
    if opponent.hands not in world.challenge:
        hint = one_of(opponent.hands, world.challenge)
        yield Misfit(("opponent", name, "hands"), f"no [challenge.{opponent.hands}] says how a challenge goes", hint)
    for key, share in (("skill", opponent.skill), ("resale", opponent.resale)):
        if share.high > 1:
            yield Misfit(("opponent", name, key, "high"), f"a share is at most 1, not {share.high:g}")
    prices, figures = known.opponents[name]
    for price in prices:
        if price not in world.price:
            yield Misfit(("opponent", name), f"it buys `{price}`, and no [price.{price}] says for how much")
    for figure in figures:
        if figure not in opponent.more:
            yield Misfit(("opponent", name), f"the figure `more.{figure}` is missing")
    for figure in opponent.more:
        if figure not in figures:
            yield Misfit(("opponent", name, "more", figure, KEY), "nothing asks for it", one_of(figure, figures))
