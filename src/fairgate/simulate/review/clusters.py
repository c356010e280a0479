"""Clusters decided on together by looks at some of their members, against accounts decided on one by one. All made up.

A member that is called other than most before it is looked at again, blind, by somebody else: one mistake in thirty
would make every pure cluster look mixed. Every look counts as a decision, and so does what is said of the whole.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from fairgate.casework.purity import Prior, Step, in_random_order, learnt_prior, step
from fairgate.domain.worth import Errors

#: Members of a cluster (median, spread): one actor's farm has tens of accounts, some have hundreds.
SIZE: Final = (60.0, 0.9)
LEAST: Final = 5
#: Clusters by how pure they are, as Beta laws with their parts of all: one actor's, caught up with neighbours, chance.
PURITY: Final = ((0.75, (120.0, 1.0)), (0.10, (4.0, 3.0)), (0.15, (1.0, 9.0)))
#: A mixed cluster falls apart along its weakest links, which tell bad from honest this often.
LINKS_TELL: Final = 0.85
#: Clusters of a run; and those before it of which every member was looked at, from which a prior is learnt.
CLUSTERS: Final = 300
BEFORE: Final = 100


@dataclass(slots=True)
class Tally:
    """What was decided: looks and words on a whole; accounts acted on, of them the bad ones; accounts let go."""

    decisions: int = 0
    acted: int = 0
    bad: int = 0
    let_go: int = 0

    @property
    def accounts_per_decision(self) -> float:
        """Accounts that an outcome is known of, by decision; one by one it is 1."""
        return (self.acted + self.let_go) / self.decisions

    @property
    def purity(self) -> float:
        """The share of accounts acted on that is bad."""
        return self.bad / self.acted


def clusters(draw: Random, number: int) -> list[list[bool]]:
    """So many clusters, each the truth about its members."""
    median, spread = SIZE
    found = list[list[bool]]()
    for _ in range(number):
        law = draw.choices([law for _, law in PURITY], [part for part, _ in PURITY])[0]
        purity = draw.betavariate(*law)
        size = max(LEAST, round(median * math.exp(draw.gauss(0, spread))))
        found.append([draw.random() < purity for _ in range(size)])
    return found


def by_cluster(seed: int, errors: Errors) -> Tally:
    """Decide on a run's clusters by people who err like this, and say what came of it."""
    draw, tally = Random(f"{seed}/clusters"), Tally()
    prior = learnt_prior([_seen_whole(members, errors, draw) for members in clusters(draw, BEFORE)])
    for members in clusters(draw, CLUSTERS):
        decide(members, errors, prior, draw, tally)
    return tally


def decide(members: Sequence[bool], errors: Errors, prior: Prior, draw: Random, tally: Tally) -> None:
    """Look at members in sequence, and act on all, on none, or go on with the parts, as `casework.purity` says."""
    seen, order = dict[int, bool](), in_random_order(range(len(members)), draw)
    for at in order:
        if _next(members, seen, prior) is not Step.MORE:
            break
        seen[at] = _looked_at(list(seen.values()), errors, draw, tally, truth=members[at])
    said = _next(members, seen, prior)
    rest = [members[at] for at in order[len(seen) :]]
    tally.decisions += 1
    _settle([(members[at], bad) for at, bad in seen.items()], tally)
    if said is Step.PURE:
        _settle([(member, True) for member in rest], tally)
    elif said is Step.SPLIT:  # of an impure one's others nothing is known: they don't count as decided on
        for part in _parts(rest, draw):
            decide(part, errors, prior, draw, tally)


def _seen_whole(members: Sequence[bool], errors: Errors, draw: Random) -> tuple[int, int]:
    said, aside = list[bool](), Tally()
    for member in members:
        said.append(_looked_at(said, errors, draw, aside, truth=member))
    return sum(said), len(said) - sum(said)


def _next(members: Sequence[bool], seen: dict[int, bool], prior: Prior) -> Step:
    bad = sum(seen.values())
    return step(len(members), bad, len(seen) - bad, prior)


def _looked_at(before: Sequence[bool], errors: Errors, draw: Random, tally: Tally, *, truth: bool) -> bool:
    """What is said of a member in the end, after a second look and a third where it stands out."""
    said = _says(errors, draw, truth=truth)
    tally.decisions += 1
    odd = bool(before) and said is not (2 * sum(before) > len(before))
    if not odd:
        return said
    second = _says(errors, draw, truth=truth)
    tally.decisions += 1
    if second is said:
        return said
    tally.decisions += 1
    return _says(errors, draw, truth=truth)


def _says(errors: Errors, draw: Random, *, truth: bool) -> bool:
    wrong = draw.random() < (errors.missed if truth else errors.wronged)
    return truth is not wrong


def _settle(members: Sequence[tuple[bool, bool]], tally: Tally) -> None:
    for bad, acted_on in members:
        tally.acted += acted_on
        tally.bad += acted_on and bad
        tally.let_go += not acted_on


def _parts(rest: Sequence[bool], draw: Random) -> list[list[bool]]:
    """What a cluster falls into."""
    side = [(each, (draw.random() < LINKS_TELL) is each) for each in rest]
    return [part for part in ([each for each, at in side if at is where] for where in (True, False)) if part]
