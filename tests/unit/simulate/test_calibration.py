"""What a played world shows nobody has written into it: published figures, as ranges, on undefended play.

Sources are those of the worlds' files. The city is played as a sample, in which there is one opponent of a kind at
least; so what an opponent takes counts here by how many of its kind there ought to be.
"""

import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import msgspec
import polars as pl
import pytest

from fairgate.domain.windows import DAY, HOUR, MINUTE
from fairgate.simulate.draws import CHAT, CODE, Lengths
from fairgate.simulate.operator import Entry
from fairgate.simulate.opponents import archetypes
from fairgate.simulate.places import COUNTRIES
from fairgate.simulate.service import ALLOWED, Done, Reviewed
from fairgate.simulate.simulation import Simulation, sampled
from fairgate.simulate.world_file import Loaded
from fairgate.simulate.world_names import world_named
from tests.unit.simulate.test_draws import distance

SAMPLE, DAYS = 500, 28
#: Kinds that ask by day, and on fewer days at the weekend.
PRIVATE = ("hobbyist", "mobile", "vpn", "family", "student")
OFFSETS = {each.code: each.offset for each in COUNTRIES}


@dataclass
class Played:
    """A world that nobody defended."""

    world: Loaded
    days: int
    weights: dict[str, float]
    done: list[Done] = field(default_factory=list)
    book: list[Entry] = field(default_factory=list)

    def told(self, each: Done | Reviewed | Entry) -> None:
        if isinstance(each, Done):
            self.done.append(each)
        elif isinstance(each, Entry):
            self.book.append(each)

    @cached_property
    def dollars(self) -> Counter[str]:
        """The compute that each kind got, in dollars, as the whole world's opponents would."""
        found = Counter[str]()
        for each in self.done:
            if each.act.dollars:
                found[each.act.actor.kind] += each.act.dollars * self.weights.get(each.act.actor.kind, 1.0)  # type: ignore[assignment]
        return found

    @property
    def abuse(self) -> dict[str, float]:
        """The part of all compute that each archetype got."""
        whole = sum(self.dollars.values())
        return {kind: self.dollars[kind] / whole for kind in archetypes()}

    def asked(self, *kinds: str) -> list[Done]:
        """The requests of some kinds of people."""
        return [each for each in self.done if each.act.dollars and each.act.actor.kind in kinds]


def play(world: Loaded, days: int, weights: dict[str, float] | None = None, seed: int = 1) -> Played:
    found = Played(world, days, weights or {})
    for _ in Simulation(world, days, seed, lambda _raw, _time: ALLOWED, found.told).play():
        pass
    return found


@pytest.fixture(scope="module")
def city() -> Played:
    whole = world_named("city")
    sample = sampled(whole, SAMPLE)
    part = SAMPLE / whole.world.honest
    weights = {
        kind: each.operators * part / sample.world.opponent[kind].operators
        for kind, each in whole.world.opponent.items()
    }
    return play(sample, DAYS, weights)


@pytest.fixture(scope="module")
def small() -> Played:
    return play(world_named("small"), 14)


def only(world: Loaded, **operators: int) -> Loaded:
    """A world with so many opponents of some kinds, and of the others none."""
    spec = world.world
    opponents = {
        kind: msgspec.structs.replace(each, operators=operators.get(kind, 0)) for kind, each in spec.opponent.items()
    }
    return Loaded(msgspec.structs.replace(spec, opponent=opponents), "")


def test_undefended_abuse_is_some_fifth_of_the_compute(city: Played, small: Played) -> None:
    assert 0.12 < sum(city.abuse.values()) < 0.3
    assert 0.1 < sum(small.abuse.values()) < 0.35


def test_every_kind_of_opponents_is_at_work_and_none_dwarfs_the_others(city: Played, small: Played) -> None:
    for played in (city, small):
        assert min(played.abuse.values()) > 0.0005
        assert max(played.abuse.values()) < 0.1


def test_a_run_is_as_large_as_was_meant(city: Played, small: Played) -> None:
    assert 100_000 < len(small.done) < 260_000
    honest = sum(not each.act.abuse for each in city.done)
    abuse = sum(city.weights[each.act.actor.kind] for each in city.done if each.act.abuse)
    daily = (honest + abuse) / SAMPLE / DAYS
    assert 8 < daily < 20  # 2,000 people over 90 days are 3M events at 16.7, but so few differ from the city


def test_what_opponents_pay_for_one_is_within_what_was_published(small: Played) -> None:
    for name in ("mailbox", "phone"):
        price = small.world.world.price[name]
        paid = [-each.dollars for each in small.book if each.what == name]
        assert all(price.low <= each <= price.high * price.dearer**2 for each in paid)
    assert any(each.what == "mailbox" for each in small.book)


def test_a_leaked_key_is_tried_after_some_quarter_of_an_hour() -> None:
    spec = only(sampled(world_named("city"), 600), takeover=10).world
    dear = {**spec.price, "credential": msgspec.structs.replace(spec.price["credential"], low=200.0, high=300.0)}
    played = play(Loaded(msgspec.structs.replace(spec, price=dear), ""), 14)
    first = dict[tuple[str, str], Done]()
    for each in played.done:
        if each.act.intrusion:
            first.setdefault((each.act.actor.name, each.act.account.name), each)
    waits = []
    for operator in {name for name, _ in first}:
        # Whoever has a key need not log in first.
        used = [each.act.time for (name, _), each in first.items() if name == operator and each.act.dollars]
        for entry in played.book:
            if entry.operator == operator and entry.what == "leaked_key":
                later = [time - entry.time for time in used if entry.time < time < entry.time + HOUR]
                waits += later[:1]  # none where the key was useless when somebody came
    assert len(waits) >= 20
    assert min(waits) >= 9 * MINUTE - 1_000
    assert 12 * MINUTE < statistics.fmean(waits) < 25 * MINUTE  # published: 17 on average, 9 at best


def test_stolen_and_farmed_compute_is_sold_forty_to_sixty_percent_under_list(city: Played) -> None:
    for kind in ("credit_farm", "relay", "takeover"):
        sold = sum(each.dollars for each in city.book if each.archetype == kind and each.what == "sells")
        got = sum(each.act.dollars for each in city.asked(kind))
        assert 0.25 < sold / got < 0.65, kind  # some of what is got is not sold, as the last of a trial


def test_a_distiller_works_by_many_accounts_each_below_the_busy_honest(city: Played) -> None:
    exchanges = Counter(each.act.account.name for each in city.asked("distiller"))
    operators = {each.act.actor.name for each in city.asked("distiller")}
    assert len(exchanges) / len(operators) > 8
    assert 60 < sum(exchanges.values()) / len(exchanges) < 1_500  # published: 16M by 24,000, some 670 for each

    def daily(done: list[Done]) -> list[int]:
        return sorted(Counter((each.act.account.name, each.act.time // DAY) for each in done).values())

    busy = daily(city.asked("start_up", "agent", "enterprise"))
    assert max(daily(city.asked("distiller"))) < busy[-len(busy) // 100]


def test_a_relay_has_many_programs_on_an_account_and_goes_on_round_the_clock(city: Played) -> None:
    asked = city.asked("relay")
    hours = Counter(each.act.time % DAY // HOUR for each in asked)
    assert len(hours) == 24
    templates = defaultdict[str, set[object]](set)
    for each in asked:
        templates[each.act.account.name].add(each.act.data["prompt_template"])
    assert statistics.fmean(len(each) for each in templates.values()) > 2


def test_as_many_newcomers_sign_up_as_the_world_grows_by(city: Played) -> None:
    new = [each for each in city.done if each.act.type == "account.signup" and not each.act.abuse]
    spec = city.world.world
    growth = sum(each.share * (spec.growth if each.growth is None else each.growth) for each in spec.segment.values())
    assert len(new) == pytest.approx(SAMPLE * growth * DAYS / 7, rel=0.25)


def test_people_ask_by_day_and_less_at_the_weekend(city: Played) -> None:
    hours, weekdays = Counter[int](), Counter[int]()
    for each in city.asked(*PRIVATE):
        country = str(each.act.data["country"])
        if each.act.account.owner.kind != "vpn":
            hours[int(each.act.time / HOUR + OFFSETS[country]) % 24] += 1
        weekdays[(each.act.time // DAY + 3) % 7] += 1
    night = statistics.fmean(hours[hour] for hour in range(1, 6))
    noon = statistics.fmean(hours[hour] for hour in range(9, 22))
    assert night < noon / 3
    weekend = statistics.fmean(weekdays[day] for day in (5, 6))
    week = statistics.fmean(weekdays[day] for day in range(5))
    assert 0.5 < weekend / week < 0.9


def test_agents_ask_at_night_and_offices_in_office_hours(city: Played) -> None:
    weekdays = Counter((each.act.time // DAY + 3) % 7 for each in city.asked("agency"))
    assert weekdays[6] < 0.4 * weekdays[2]
    customers = {each.act.account.name for each in city.asked("agent")}
    for name in customers:
        hours = Counter(each.act.time % DAY // HOUR for each in city.asked("agent") if each.act.account.name == name)
        nights = sum(count for _, count in hours.most_common(12))
        assert nights > 0.55 * sum(hours.values())


def tokens(done: list[Done], name: str) -> list[int]:
    return [int(str(each.act.data[name])) for each in done]


def at(lengths: Lengths) -> dict[int, float]:
    """The lengths that these shares of requests, in percent, are below."""
    return {share: lengths.at[1 + share // 5] for share in (25, 50, 75)}


@pytest.mark.parametrize(("kind", "lengths", "longer"), [("mobile", CHAT, 1.0), ("agent", CODE, 4.0)])
def test_requests_are_as_long_as_the_traces_say(city: Played, kind: str, lengths: object, longer: float) -> None:
    talk = CHAT if lengths is CHAT else CODE
    for name, drawn in (("input_tokens", talk.asked), ("output_tokens", talk.answered)):
        real = statistics.quantiles(tokens(city.asked(kind), name), n=100)
        for share, expected in at(drawn).items():
            assert real[share - 1] == pytest.approx(longer * expected, rel=0.12, abs=4), (name, share)


def test_requests_on_the_telephone_are_those_of_the_trace(city: Played, shared_data: Path) -> None:
    trace = pl.read_csv(shared_data / "llm_trace_27_clients.csv")
    for name, column in (("input_tokens", "prompt_len"), ("output_tokens", "output_len")):
        assert distance(tokens(city.asked("mobile"), name), trace[column]) < 0.08


def test_requests_come_in_bursts(city: Played) -> None:
    times = defaultdict[str, list[int]](list)
    for each in city.asked("start_up"):
        times[each.act.account.name].append(each.act.time)
    uneven = []
    for of_one in times.values():
        gaps = [after - before for before, after in pairwise(of_one)]
        uneven.append(statistics.pstdev(gaps) / statistics.fmean(gaps))
    assert 0.9 < statistics.median(uneven) < 1.9


def test_some_are_far_busier_than_others(city: Played) -> None:
    asked = sorted(Counter(each.act.account.name for each in city.asked("hobbyist")).values())
    assert asked[-len(asked) // 20] > 4 * statistics.median(asked)


def test_a_new_model_is_asked_for_from_its_day_on_by_honest_people_and_distillers(city: Played) -> None:
    [first, *_] = city.world.world.release
    out = city.world.begins + first.day * DAY
    asked = [each for each in city.done if each.act.data.get("model") == first.model]
    assert min(each.act.time for each in asked) >= out
    assert {each.act.actor.kind for each in asked} >= {"start_up", "hobbyist"}
    days = Counter((each.act.time - out) // DAY for each in city.done if each.act.dollars and not each.act.abuse)
    assert days[0] + days[1] > 1.15 * (days[-6] + days[-7])


def test_few_honest_charges_are_taken_back(city: Played) -> None:
    habits = city.world.world.habits
    assert 0.001 <= habits.disputes <= 0.007  # of all card payments some 0.7 % are taken back, fraud included
    disputed = Counter(
        each.act.disputed for each in city.done if each.act.type == "payment.charged" and not each.act.abuse
    )
    assert disputed[""] > 20
    assert sum(disputed.values()) - disputed[""] < 0.05 * disputed[""]
