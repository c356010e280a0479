"""What a scene came to under a policy, as figures."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Final

import msgspec

from fairgate.simulate.sharing.demand import LINKED, NAT, NEWCOMER, Plan, Scene
from fairgate.simulate.sharing.names import POLICIES
from fairgate.simulate.sharing.replay import Replay
from fairgate.simulate.sharing.tally import STEP, Account, Tally

#: Who has waited for fewer seconds in all isn't counted among those who are backlogged.
_BACKLOGGED: Final = 30.0
#: The quantiles of honest waits that are shown.
_SHARES: Final = tuple(step / 200 for step in range(201))


class Group(msgspec.Struct, frozen=True):
    """Honest accounts that have something in common. `goodput` is the part of what they asked for that they got.

    `alike` is that of the other honest accounts who ask for the same, so `ratio` is what belonging to it does.
    """

    accounts: int
    goodput: float
    alike: float
    ratio: float


class Waits(msgspec.Struct, frozen=True):
    """How long honest requests waited, in seconds; those that got nothing, as long as they were willing to."""

    p50: float
    p95: float
    p99: float


class OverTime(msgspec.Struct, frozen=True):
    """Parts of the capacity in each span of `seconds`: what honest accounts asked for and got, and abusers got."""

    seconds: float
    asked: list[float]
    honest: list[float]
    abusers: list[float]


class Outcome(msgspec.Struct, frozen=True):
    """The figures of one policy.

    `capture` is the abusers' part of all that was served, `goodput` the part of what honest accounts asked for that
    they got in time. `timed_out` is the part of their requests that came to nothing. `utilisation` is the part of the
    capacity that was used while anybody waited. `jain` is Jain's index over what honest accounts got a second while
    they waited: 1 where all got the same. `gap` is the largest difference in service between two accounts that wait
    all along, in cost units, and None where none are watched. `waits_quantiles` has the waits in steps of half a per
    cent.
    """

    policy: str
    capture: float
    goodput: float
    waits: Waits
    timed_out: float
    utilisation: float
    jain: float | None
    gap: float | None
    groups: dict[str, Group]
    grants: int
    over_time: OverTime
    waits_quantiles: list[float]


class Report(msgspec.Struct, frozen=True):
    """What was replayed, how, and what came of it."""

    note: str
    trace: str
    plan: Plan
    capacity: float
    honest_demand: float
    abusers: int
    outcomes: list[Outcome]


NOTE: Final = "Simulated: honest accounts are drawn from a trace, and the abusers are made up."


def outcome_of(
    scene: Scene, policy: str, watched: Sequence[str] = (), tick: Callable[[float], None] = lambda _: None
) -> Outcome:
    """Replay a scene under the policy of a name."""
    tally = Tally(scene, tuple(watched))
    Replay(scene, POLICIES[policy](scene.capacity, Random(f"{scene.plan.seed} policy")), tally, tick).run()
    return figures(scene, policy, tally, gap=tally.gap if watched else None)


def report_of(trace: str, scene: Scene, outcomes: Iterable[Outcome]) -> Report:
    """The outcomes of several policies."""
    plan, rate = scene.plan, scene.capacity.rate
    asked = sum(each.input + 2.0 * each.output for each in scene.arrivals if each.time < plan.seconds)
    abusers = len(scene.farm) + sum(time < plan.seconds for time, _ in scene.churners)
    return Report(NOTE, trace, plan, rate, asked / (rate * plan.seconds), abusers, list(outcomes))


def figures(scene: Scene, policy: str, tally: Tally, *, gap: float | None = None) -> Outcome:
    """What a tally comes to."""
    waits = sorted(tally.waits_of)
    served = tally.honest_cost + tally.abusers_cost
    return Outcome(
        policy=policy,
        capture=tally.abusers_cost / served if served else 0.0,
        goodput=_goodput(tally.accounts.values()),
        waits=Waits(*(quantile(waits, share) for share in (0.5, 0.95, 0.99))),
        timed_out=tally.timed_out / len(waits) if waits else 0.0,
        utilisation=1.0 - tally.lost / tally.offered if tally.offered else 1.0,
        jain=jain([each.backlogged / each.seconds for each in tally.accounts.values() if each.seconds >= _BACKLOGGED]),
        gap=gap,
        groups=_groups(scene, tally),
        grants=tally.grants,
        over_time=_over_time(scene, tally),
        waits_quantiles=[quantile(waits, share) for share in _SHARES],
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that a share of all don't exceed; 0 where there are none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def jain(rates: Sequence[float]) -> float | None:
    """Jain's index of fairness; None where there is nobody to compare."""
    squares = sum(rate * rate for rate in rates)
    return sum(rates) ** 2 / (len(rates) * squares) if squares else None


def _goodput(accounts: Iterable[Account]) -> float:
    several = list(accounts)
    asked = sum(each.asked for each in several)
    return sum(each.served for each in several) / asked if asked else 1.0


def _groups(scene: Scene, tally: Tally) -> dict[str, Group]:
    members: dict[str, list[tuple[str, Account]]] = defaultdict(list)
    others: dict[str, list[Account]] = defaultdict(list)
    for each in scene.people:
        account = tally.accounts[each.known.account]
        if each.group:
            members[each.group].append((each.client, account))
        else:
            others[each.client].append(account)
    rest = [account for several in others.values() for account in several]
    alike = {client: _goodput(several) for client, several in others.items() if any(one.asked for one in several)}
    return {name: _group(members[name], alike, _goodput(rest)) for name in (NAT, LINKED, NEWCOMER) if members[name]}


def _group(members: Sequence[tuple[str, Account]], alike: dict[str, float], otherwise: float) -> Group:
    accounts = [account for _, account in members]
    asked = sum(each.asked for each in accounts)
    goodput = _goodput(accounts)
    expected = sum(each.asked * alike.get(client, otherwise) for client, each in members) / asked if asked else 1.0
    return Group(len(accounts), goodput, expected, goodput / expected if expected else 1.0)


def _over_time(scene: Scene, tally: Tally) -> OverTime:
    whole = STEP * scene.capacity.rate
    parts = ([cost / whole for cost in costs] for costs in _costs(tally))
    return OverTime(STEP, *parts)


def _costs(tally: Tally) -> tuple[list[float], list[float], list[float]]:
    return tally.asked_over_time, tally.honest_over_time, tally.abusers_over_time
