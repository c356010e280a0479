"""Who asks for compute: honest people drawn from a trace, and abusers put among them.

Honest accounts are clients of the trace, each drawn as often as another, with its sizes and bursts, at another time of
its own: the rates of 200 accounts are as uneven as those of the 27 clients. Time is stretched so that what they ask for
is `load` times the capacity, on average.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import fmean
from typing import Final

from fairgate.domain.errors import NotPlayable
from fairgate.simulate.draws import busier
from fairgate.simulate.sharing.policy import Capacity, Known, cost_of
from fairgate.simulate.sharing.traces import Arrival, Trace
from fairgate.simulate.sharing.trust import Judge

#: The capacity is what so many mean requests of the trace a second cost, whatever the trace.
PACE: Final = 20.0
#: How long a request waits before whoever sent it gives up, in seconds.
PATIENCE: Final = 60.0
#: How likely the link of an account is that is taken for one of the farm's, rightly or wrongly.
LIKELY: Final = 0.98
#: What accounts are called that belong to a group of interest.
NAT, LINKED, NEWCOMER = "nat", "linked", "newcomer"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be played.

    `accounts` honest ones ask for `load` times the capacity. Among them `nat` share an address, which links them with a
    likelihood of `nat_link` (on a campus hardly any two accounts are one person's); `false_links` are wrongly taken for
    accounts of the farm, and `newcomers` have never been seen before. A farm of `farm` accounts keeps `backlog`
    requests each waiting; `links` of its accounts are known to belong together. Besides, `churn` accounts a second come
    that have never been seen, ask once, and are never seen again. `auc` is how well trust tells who is who; it is
    calibrated on the accounts that no link is known of, for that none is known says something as well. `ceil`, where
    given, is the most of the capacity for what is known of the farm.
    """

    accounts: int = 200
    load: float = 1.1
    seconds: float = 600.0
    seed: int = 7
    farm: int = 0
    links: float = 0.8
    auc: float = 0.97
    churn: float = 0.0
    nat: int = 20
    nat_link: float = 0.1
    false_links: int = 5
    newcomers: int = 10
    ceil: float | None = None
    backlog: int = 4

    def judges(self, churners: int) -> tuple[Judge, Judge]:
        """Those that draw trust: in accounts that have been there for a while, and in ones never seen before."""
        hidden = 1.0 - self.links
        old = Judge(self.auc, self.accounts - self.newcomers, round(hidden * self.farm))
        return old, Judge(self.auc, self.newcomers, round(hidden * churners))


@dataclass(frozen=True, slots=True)
class Person:
    """An account with what is known of it; `group` and `client` (of the trace) say whom to compare it with."""

    known: Known
    honest: bool
    group: str = ""
    client: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """A plan made real: who there is, when honest people ask, and when accounts come that are used once.

    `farm` are those that ask all the time; `sizes` has how large requests are, of each client and (under "") of all.
    """

    plan: Plan
    capacity: Capacity
    most_output: int
    people: tuple[Person, ...]
    arrivals: tuple[Arrival, ...]
    farm: tuple[Person, ...]
    churners: tuple[tuple[float, Person], ...]
    sizes: Mapping[str, Sequence[tuple[int, int]]]

    @property
    def horizon(self) -> float:
        """When all is over: what was asked within the plan's time has been served by then, or never is."""
        return self.plan.seconds + PATIENCE


def scene_of(trace: Trace, plan: Plan) -> Scene:
    """Draw a scene. The same trace and plan give the same. Raises `NotPlayable` for a plan that makes no sense."""
    if plan.nat + plan.false_links + plan.newcomers > plan.accounts:
        special = plan.nat + plan.false_links + plan.newcomers
        raise NotPlayable(f"{special} accounts of special groups can't be among {plan.accounts} honest ones.")
    mean = fmean(cost_of(each.input, each.output) for each in trace.arrivals)
    if mean == 0:
        raise NotPlayable("The trace's requests have no tokens.")
    capacity = Capacity(PACE * mean, plan.accounts + plan.farm)
    clients = clients_of(trace, plan.accounts, _draws(plan, "clients"))
    churners = tuple(_churners(plan))
    people = tuple(_people(plan, sorted(clients), len(churners)))
    return Scene(
        plan=plan,
        capacity=capacity,
        most_output=trace.longest,
        people=people,
        arrivals=tuple(_arrivals(people, clients, trace.span, capacity, plan)),
        farm=tuple(_farm(plan)),
        churners=churners,
        sizes={"": _sizes(trace.arrivals)},
    )


def duel_of(trace: Trace, seconds: float = 600.0, seed: int = 7) -> tuple[Scene, tuple[str, str]]:
    """The trace as it is, with its accounts, but that the two busiest always have requests waiting; and their names.

    The capacity is what the trace asks for. Nothing speaks against anybody. Raises `NotPlayable` for a trace of fewer
    than three accounts.
    """
    clients = clients_of(trace, 1, Random(seed))
    costs = {name: sum(cost_of(each.input, each.output) for each in mine) for name, mine in clients.items()}
    if len(clients) < 3:  # noqa: PLR2004 - two, and somebody else
        raise NotPlayable("A duel needs a trace of three accounts or more.")
    one, other, *rest = sorted(costs, key=costs.__getitem__, reverse=True)
    plan = Plan(accounts=len(rest), load=1.0, seconds=seconds, seed=seed, nat=0, false_links=0, newcomers=0)
    capacity = Capacity(sum(costs.values()) / trace.span, len(clients))
    people = tuple(Person(Known(name), honest=True, client=name) for name in rest)
    found = [(lap * trace.span, each) for lap in range(int(seconds / trace.span) + 2) for each in trace.arrivals]
    later = [each._replace(time=each.time + start) for start, each in found if each.account not in {one, other}]
    scene = Scene(
        plan=plan,
        capacity=capacity,
        most_output=trace.longest,
        people=people,
        arrivals=tuple(each for each in later if each.time < seconds + PATIENCE),
        farm=tuple(Person(Known(name), honest=False, client=name) for name in (one, other)),
        churners=(),
        sizes={name: _sizes(clients[name]) for name in (one, other)},
    )
    return scene, (one, other)


def _sizes(arrivals: Sequence[Arrival]) -> tuple[tuple[int, int], ...]:
    return tuple((each.input, each.output) for each in arrivals)


def _draws(plan: Plan, part: str) -> Random:
    """The draws of one part of a scene: another farm changes nothing about honest people."""
    return Random(f"{plan.seed} {part}")


def clients_of(trace: Trace, accounts: int, rng: Random) -> Mapping[str, Sequence[Arrival]]:
    """The requests of each client. Where the trace has no accounts, they are dealt to so many, unevenly."""
    clients: dict[str, list[Arrival]] = defaultdict(list)
    if any(each.account for each in trace.arrivals):
        for each in trace.arrivals:
            clients[each.account].append(each)
        return clients
    names = [f"dealt {number}" for number in range(accounts)]
    weights = [busier(rng) for _ in names]
    for each, name in zip(trace.arrivals, rng.choices(names, weights, k=len(trace.arrivals)), strict=True):
        clients[name].append(each)
    return clients


# -------------------------------------------------------------------------------------------------------------- honest


def _people(plan: Plan, clients: Sequence[str], churners: int) -> Iterator[Person]:
    """The honest accounts: clients are dealt in rounds, so that each is there as often as another."""
    rng = _draws(plan, "people")
    dealt: list[str] = []
    while len(dealt) < plan.accounts:
        dealt += rng.sample(clients, len(clients))
    groups = [NAT] * plan.nat + [LINKED] * plan.false_links + [NEWCOMER] * plan.newcomers
    groups += [""] * (plan.accounts - len(groups))
    rng.shuffle(groups)
    old, new = plan.judges(churners)
    for number, (group, client) in enumerate(zip(groups, dealt, strict=False)):
        judge = new if group == NEWCOMER else old
        known = Known(f"honest {number}", trust=judge.trust(rng, honest=True), newcomer=group == NEWCOMER)
        if group == NAT:
            known = replace(known, cluster="address", p_link=plan.nat_link)
        elif group == LINKED:
            known = replace(known, cluster="farm", p_link=LIKELY)
        yield Person(known, honest=True, group=group, client=client)


def _arrivals(
    people: Sequence[Person],
    clients: Mapping[str, Sequence[Arrival]],
    span: float,
    capacity: Capacity,
    plan: Plan,
) -> list[Arrival]:
    """When honest accounts ask, up to the horizon, in order."""
    rng = _draws(plan, "arrivals")
    costs = {name: sum(cost_of(each.input, each.output) for each in mine) for name, mine in clients.items()}
    natural = sum(costs[each.client] for each in people) / span
    faster = plan.load * capacity.rate / natural
    period, end = span / faster, plan.seconds + PATIENCE
    found: list[Arrival] = []
    for each in people:
        shift = rng.random() * period
        for asked in clients[each.client]:
            time = (asked.time / faster + shift) % period
            while time < end:
                found.append(Arrival(time, each.known.account, asked.input, asked.output))
                time += period
    found.sort()
    return found


# ------------------------------------------------------------------------------------------------------------- abusers


def _farm(plan: Plan) -> Iterator[Person]:
    rng = _draws(plan, "farm")
    judge, _ = plan.judges(0)
    linked = set(rng.sample(range(plan.farm), round(plan.links * plan.farm)))
    for number in range(plan.farm):
        known = Known(f"farm {number}", trust=judge.trust(rng, honest=False))
        if number in linked:
            known = replace(known, cluster="farm", p_link=LIKELY, ceil=plan.ceil)
        yield Person(known, honest=False)


def _churners(plan: Plan) -> Iterator[tuple[float, Person]]:
    """The accounts that are used once, with the time at which each comes."""
    if plan.churn <= 0:
        return
    rng, times = _draws(plan, "churn"), []
    time = rng.expovariate(plan.churn)
    while time < plan.seconds + PATIENCE:
        times.append(time)
        time += rng.expovariate(plan.churn)
    _, judge = plan.judges(len(times))
    for number, time in enumerate(times):
        known = Known(f"once {number}", trust=judge.trust(rng, honest=False), newcomer=True)
        if rng.random() < plan.links:
            known = replace(known, cluster="farm", p_link=LIKELY, ceil=plan.ceil)
        yield time, Person(known, honest=False)
