"""What a report of shares says, in words and a table."""

from collections.abc import Iterator
from typing import Final

from fairgate.simulate.sharing.demand import LINKED, NAT, NEWCOMER, PATIENCE, Plan
from fairgate.simulate.sharing.outcome import Group, Outcome, Report

HEAD: Final = (
    "policy", "abusers got", "honest got", "waits p50", "p95", "p99", "timed out", "behind one NAT", "wrongly linked",
    "newcomers", "used", "Jain",
)  # fmt: skip
_NOTHING: Final = "-"


def title(report: Report) -> str:
    """What was simulated, in a line."""
    plan = report.plan
    return f"simulated, {_abusers(plan)} {plan.accounts:,} honest accounts, load {plan.load:g}"


def about(report: Report) -> Iterator[str]:
    """What one has to know to read the table."""
    plan = report.plan
    yield (
        f"Honest accounts are drawn from {report.trace} and ask for {report.honest_demand:.2f} times the capacity in "
        f"{plan.seconds:g} s (seed {plan.seed}); the abusers are made up."
    )
    if plan.farm or plan.churn:
        ceil = "" if plan.ceil is None else f", and {part(plan.ceil)} of the capacity at most for them"
        yield f"{100 * plan.links:g} % of the abusers' links are known; trust has an AUC of {plan.auc:g}{ceil}."


#: What the columns mean.
LEGEND: Final = (
    f"Abusers got: their part of all that was served. Honest got: of what they asked for, within {PATIENCE:.0f} s. "
    "Waits are those of honest requests, in seconds. For groups of honest accounts: what they got (and as a part of "
    "what others who ask for the same got). Used: of the capacity, while anybody waited. Jain: 1 where all honest "
    "accounts that waited got the same."
)


def row(outcome: Outcome) -> tuple[str, ...]:
    """An outcome as a row of the table."""
    waits, groups = outcome.waits, outcome.groups
    return (
        outcome.policy,
        part(outcome.capture),
        part(outcome.goodput),
        *(f"{each:.2f}" for each in (waits.p50, waits.p95, waits.p99)),
        part(outcome.timed_out),
        *(_group(groups.get(name)) for name in (NAT, LINKED, NEWCOMER)),
        part(outcome.utilisation),
        _NOTHING if outcome.jain is None else f"{outcome.jain:.2f}",
    )


def part(value: float) -> str:
    """A part as per cent."""
    return f"{100 * value:.1f} %"


def _group(group: Group | None) -> str:
    return _NOTHING if group is None else f"{part(group.goodput)} ({group.ratio:.2f})"


def _abusers(plan: Plan) -> str:
    said = [f"a farm of {plan.farm:,} accounts"] if plan.farm else []
    said += [f"{plan.churn:g} new accounts a second"] if plan.churn else []
    return f"{' and '.join(said)} among" if said else "nobody but"
