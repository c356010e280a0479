"""How good reviews are: who agrees, who errs how, how often what was decided was wrong, and how long it took.

All of it comes from looks that were done. Whatever rests on too little says so.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fairgate.casework.agreement import alpha, alpha_by_reason
from fairgate.casework.figures import (
    Agreement,
    Estimate,
    Found,
    HandlingTime,
    Mine,
    Quality,
    Result,
    Reviewer,
    Saying,
    Wrong,
)
from fairgate.casework.looks import Checked, handling, wrong_share
from fairgate.casework.second import agree
from fairgate.domain.event import moment
from fairgate.domain.look import Gold, Kind, OneLook
from fairgate.domain.windows import MINUTE
from fairgate.domain.worth import USUAL_ERRORS

#: Below so many cases a figure says little: it is told, and that it says little as well.
ENOUGH: Final = 20
#: Results that somebody sees of their own.
_MOST_RESULTS: Final = 100
_TWO: Final = 2


@dataclass(frozen=True)
class Looked:
    """The looks that were done in some time, and the gold cases."""

    since: int
    until: int
    looks: Sequence[OneLook]
    gold: Mapping[int, Gold]
    complete: bool = True
    waiting: int = 0
    _settled: dict[tuple[int, int], OneLook] = field(default_factory=dict)
    _double: dict[tuple[int, int], OneLook] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find what belongs together: it is looked up often."""
        for each in self.looks:
            if each.settles:
                self._settled[each.case, each.round - 1] = each
            elif each.kind is Kind.DOUBLE:
                self._double[each.case, each.round] = each

    def measured(self, estimate: Estimate | None) -> Quality:
        """All of it; without `estimate` nothing is known of how reviewers err."""
        agreement, by_reason = self._agreement()
        wrong = self._wrong()
        reviewers = self._reviewers(estimate)
        measured = Quality(
            since=moment(self.since),
            until=moment(self.until),
            looks=len(self.looks),
            complete=self.complete,
            agreement=agreement,
            by_reason=by_reason,
            wrong=wrong,
            reviewers=reviewers,
            handling=[*_times(self.looks, ""), *(time for each in reviewers for time in self._times_of(each.name))],
            gold=sorted(self.gold),
            notes=_notes(agreement, by_reason, wrong, reviewers),
        )
        if estimate is None:
            measured.notes.append("How reviewers err is not worked out: that needs the extra `casework`.")
        if not self.complete:
            measured.notes.append("There are more looks than are taken in: ask for fewer days.")
        return measured

    def mine(self, by: str) -> Mine:
        """How one reviewer did, for themselves."""
        mine = [each for each in self.looks if each.by == by]
        own = [self._is_wrong(each) for each in mine if _first(each)]
        found = [(each, self._is_right(each)) for each in mine if each.kind is not Kind.ORDINARY]
        doubles = [right for each, right in found if each.kind is Kind.DOUBLE]
        gold = [right for each, right in found if each.kind is Kind.GOLD and right is not None]
        return Mine(
            since=moment(self.since),
            until=moment(self.until),
            decided=len(own),
            checked=sum(each is not None for each in own),
            wrong=sum(each is True for each in own),
            doubles=len(doubles),
            doubles_right=sum(each is True for each in doubles),
            gold=len(gold),
            gold_right=sum(gold),
            results=[
                Result(each.case, moment(each.ended), each.word.outcome, right)
                for each, right in found[:_MOST_RESULTS]
                if each.word is not None
            ],
            handling=_times(mine, by),
        )

    def _is_wrong(self, first: OneLook) -> bool | None:
        """Whether a decision was; None where it was not looked at twice, or is not settled."""
        double, settled = self._double.get((first.case, first.round)), self._settled.get((first.case, first.round))
        if double is None or first.word is None:
            return None
        if settled is not None and settled.word is not None:
            return not agree(first.word, settled.word)
        return False if double.agreed else None

    def _is_right(self, look: OneLook) -> bool | None:
        """Whether somebody who looked without knowing was right; None where that is not known."""
        if look.word is None:
            return None
        if look.kind is Kind.GOLD:
            gold = self.gold.get(look.case)
            return None if gold is None else look.word.outcome is gold.truth
        settled = self._settled.get((look.case, look.round))
        if settled is not None and settled.word is not None:
            return agree(look.word, settled.word)
        return True if look.agreed else None

    def _wrong(self) -> Wrong:
        firsts = [each for each in self.looks if _first(each)]
        found = [(self._double.get((each.case, each.round)), self._is_wrong(each)) for each in firsts]
        twice = [(look.propensity, wrong) for look, wrong in found if look is not None]
        checked = [Checked(wrong, propensity) for propensity, wrong in twice if wrong is not None]
        share = wrong_share(checked, len(firsts)) if checked else None
        most = wrong_share([Checked(wrong is not False, propensity) for propensity, wrong in twice], len(firsts))
        return Wrong(
            share=None if share is None else share.share,
            error=None if share is None else share.error,
            at_most=most.share if twice else None,
            decisions=len(firsts),
            checked=len(checked),
            open=len(twice) - len(checked) + self.waiting,
        )

    def _agreement(self) -> tuple[Agreement, dict[str, Agreement]]:
        words: dict[tuple[int, int], list[OneLook]] = defaultdict(list)
        for each in self.looks:
            if not each.settles:  # who leads knew what both had said
                words[each.case, each.round].append(each)
        by_reason: dict[str, list[list[str]]] = defaultdict(list)
        said = []
        for looks in words.values():
            outcomes = [each.word.outcome.value for each in looks if each.word is not None]
            if len(outcomes) >= _TWO:
                said.append(outcomes)
                for reason in {code for each in looks if each.word is not None for code in each.word.reasons}:
                    by_reason[reason].append(outcomes)
        found = alpha_by_reason(by_reason)
        return Agreement(alpha(said), len(said)), {
            reason: Agreement(value, len(by_reason[reason])) for reason, value in found.items()
        }

    def _reviewers(self, estimate: Estimate | None) -> list[Reviewer]:
        said, known = self._said()
        found = estimate(said, known) if estimate is not None and said else {}
        seen: dict[str, set[str]] = defaultdict(set)
        for case, by, _ in said:
            seen[by].add(case)
        return [
            self._reviewer(name, found.get(name, Found({}, USUAL_ERRORS)), len(seen[name]))
            for name in sorted({each.by for each in self.looks})
        ]

    def _reviewer(self, name: str, found: Found, cases: int) -> Reviewer:
        mine = self.mine(name)
        return Reviewer(
            name=name,
            decided=mine.decided,
            doubles=mine.doubles,
            gold=mine.gold,
            gold_right=mine.gold_right,
            cases=cases,
            missed=found.errors.missed,
            wronged=found.errors.wronged,
            confusion={truth: dict(row) for truth, row in found.confusion.items()},
            enough=cases >= ENOUGH,
        )

    def _said(self) -> tuple[list[Saying], dict[str, str]]:
        """What was said of cases that two or more spoke of or of which the truth is known, and that truth.

        The word of who leads stands, so it counts as the truth.
        """
        words: dict[str, list[Saying]] = defaultdict(list)
        known = {
            f"{case}/{again}": look.word.outcome.value for (case, again), look in self._settled.items() if look.word
        }
        for each in self.looks:
            case = f"{each.case}/{each.round}"
            if each.word is not None and not each.settles:
                words[case].append((case, each.by, each.word.outcome.value))
                if each.case in self.gold:
                    known[case] = self.gold[each.case].truth.value
        said = [one for case, several in words.items() if len(several) >= _TWO or case in known for one in several]
        return said, {case: truth for case, truth in known.items() if case in words}

    def _times_of(self, name: str) -> list[HandlingTime]:
        return _times([each for each in self.looks if each.by == name], name)


def _first(look: OneLook) -> bool:
    """Whether it decided a case, and did not settle what two had said differently."""
    return look.kind is Kind.ORDINARY and not look.settles


def _times(looks: Iterable[OneLook], name: str) -> list[HandlingTime]:
    minutes: dict[Kind, list[float]] = defaultdict(list)
    for each in looks:
        minutes[each.kind].append((each.ended - each.began) / MINUTE)
    found = []
    for kind in Kind:
        took = handling(minutes[kind])
        if minutes[kind]:
            median, most = (None, None) if took is None else took
            found.append(HandlingTime(name, kind, len(minutes[kind]), median, most))
    return found


def _notes(
    agreement: Agreement, by_reason: Mapping[str, Agreement], wrong: Wrong, reviewers: Sequence[Reviewer]
) -> list[str]:
    """What rests on too little, in plain words."""
    notes = []
    if agreement.cases < ENOUGH:
        notes.append(f"Agreement rests on {_cases(agreement.cases)}: too few to say anything.")
    thin = [reason for reason, each in by_reason.items() if each.cases < ENOUGH]
    if thin:
        notes.append(f"Agreement by reason rests on fewer than {ENOUGH} cases for: {', '.join(thin)}.")
    if wrong.checked < ENOUGH:
        notes.append(f"The share of wrong decisions rests on {_cases(wrong.checked)}: too few to say anything.")
    if wrong.open:
        notes.append(f"{_cases(wrong.open)} still to be settled: the share of wrong decisions lacks them.")
    unknown = [each.name for each in reviewers if not each.enough]
    if unknown:
        what = "their errors are mostly what is usual"
        notes.append(f"Fewer than {ENOUGH} cases say how these reviewers err, so {what}: {', '.join(unknown)}.")
    return notes


def _cases(number: int) -> str:
    return f"{number:,} case" if number == 1 else f"{number:,} cases"
