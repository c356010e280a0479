"""A plan made greedily: one piece of work after the other, the most urgent or valuable first."""

from collections.abc import Sequence

from fairgate.casework.plan import Plan, Reviewer, Work, in_time, may, order, plan_of, pressing


def greedy_plan(works: Sequence[Work], reviewers: Sequence[Reviewer], now: int) -> Plan:
    """A plan for a shift that begins now. Never breaks a conflict of interest, a skill or language, or anybody's hours.

    Work goes to whoever may do it and can do the least else, so that those who can do everything are left for
    what only they can do.
    """
    given: dict[str, list[Work]] = {each.name: [] for each in reviewers}
    left = {each.name: each.minutes for each in reviewers}
    rank = sorted(reviewers, key=lambda each: (sum(may(each, work) for work in works), each.name))
    for work in order(works, reviewers, now):
        urgent = pressing(work, reviewers, now)  # all else comes behind it, and makes nothing late
        for reviewer in rank:
            name = reviewer.name
            if work.minutes > left[name] or not may(reviewer, work):
                continue
            if not urgent or in_time((*given[name], work), now):
                given[name].append(work)
                left[name] -= work.minutes
                break
    return plan_of(given, works, reviewers, now)
