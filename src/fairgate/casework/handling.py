"""What people may do to a case, and what it is afterwards.

Each function gives the case in its next version and what happened, or raises `CaseStands`. None of them changes what
speaks for a case: decisions do that.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from fairgate.domain.case import Case, CaseState, Claim, Happening, Outcome, Verdict
from fairgate.domain.errors import CaseStands
from fairgate.domain.look import Word
from fairgate.domain.windows import DAY

#: Accounts of one case: as many as can be acted on in one request.
MOST_ACCOUNTS: Final = 1_000
#: How long a case may sleep.
LONGEST_SNOOZE: Final = 30 * DAY
#: What ends that somebody is at a case, where they do it.
_ENDS: Final = frozenset({"released", "snoozed", "escalated", "decided"})
#: After these it is to be judged anew.
_ANEW: Final = frozenset({"reopened", "referred"})


class Hand(NamedTuple):
    """Who does something to a case, and when; `lead`: whether they may do what leads may. A claim `lasts` so long.

    They must not judge accounts that they are kept `apart` from.
    """

    by: str
    at: int
    lead: bool
    lasts: int
    apart: frozenset[str] = frozenset()

    @property
    def claim(self) -> Claim:
        """A claim from now on."""
        return Claim(self.by, self.at + self.lasts)


class Step(NamedTuple):
    """A case in its next version, and what happened."""

    case: Case
    happening: Happening


def claimed(case: Case, hand: Hand) -> Step:
    """They are at it now; one that slept is awake. Who is at it already stays so for longer."""
    _check_open(case)
    _check_may_judge(case, hand)
    _check_not_another_s(case, hand)
    return _step(case, hand, "claimed", "", claim=hand.claim, snoozed_until=0)


def released(case: Case, hand: Hand) -> Step:
    """They are at it no longer."""
    _check_mine(case, hand)
    return _step(case, hand, "released", "", claim=None)


def noted(case: Case, hand: Hand, text: str) -> Step:
    """They write something down, whatever has become of the case."""
    return _step(case, hand, "noted", text)


def snoozed(case: Case, hand: Hand, until: int, why: str) -> Step:
    """It sleeps until a time, and nobody is at it."""
    _check_mine(case, hand)
    if not hand.at < until <= hand.at + LONGEST_SNOOZE:
        raise CaseStands(case.number, "bad_time", f"it may sleep for at most {LONGEST_SNOOZE // DAY} days from now")
    return _step(case, hand, "snoozed", why, claim=None, snoozed_until=until)


def escalated(case: Case, hand: Hand, why: str) -> Step:
    """It waits for somebody who leads, and nobody is at it."""
    _check_mine(case, hand)
    if case.escalated:
        raise CaseStands(case.number, "escalated", "it waits for those who lead already")
    return _step(case, hand, "escalated", why, claim=None, snoozed_until=0, escalated=True)


def merged(kept: Case, gone: Case, hand: Hand, why: str) -> tuple[Step, Step]:
    """Both are about one actor: the first, which they are at, is about all accounts, and the other is over."""
    _check_mine(kept, hand)
    _check_open(gone)
    _check_may_judge(gone, hand)
    _check_not_another_s(gone, hand)
    accounts = tuple(dict.fromkeys((*kept.accounts, *gone.accounts)))
    if kept.number == gone.number:
        raise CaseStands(kept.number, "itself", "a case can't be merged into itself")
    if len(accounts) > MOST_ACCOUNTS:
        raise CaseStands(kept.number, "too_many", f"both together have more than {MOST_ACCOUNTS:,} accounts")
    said = joining(kept.number, gone.number, why)
    barred = tuple(dict.fromkeys((*kept.barred, *gone.barred)))
    # What was drawn by lot and what was not are together what was not.
    propensity = max(kept.propensity, gone.propensity)
    return (
        _step(kept, hand, "merged", said, accounts=accounts, barred=barred, propensity=propensity),
        _step(gone, hand, "merged", said, claim=None, state=CaseState.MERGED, merged_into=kept.number),
    )


def split(case: Case, accounts: Sequence[str], hand: Hand) -> tuple[Case, Case]:
    """Some accounts are another actor's: the case, which they stay at, without them; and a new one about them.

    What happened is told by `splitting` once the new one has its number.
    """
    _check_mine(case, hand)
    if not set(accounts) <= set(case.accounts):
        raise CaseStands(case.number, "not_in_case", "one of these accounts is not in it")
    stay = tuple(account for account in case.accounts if account not in set(accounts))
    if not accounts or not stay:
        what = "name some of its accounts, and not all: one at least must go, and one must stay"
        raise CaseStands(case.number, "all_or_none", what)
    go = tuple(account for account in case.accounts if account in set(accounts))
    made = replace(
        case,
        number=-1,
        accounts=go,
        opened=hand.at,
        opened_by=hand.by,
        ref="",
        version=1,
        claim=None,
        snoozed_until=0,
        split_from=case.number,
    )
    return _step(case, hand, "split", "", accounts=stay).case, made


def decided(case: Case, hand: Hand, verdict: Verdict) -> Step:
    """They have judged it."""
    _check_mine(case, hand)
    _check_may_judge(case, hand)
    return _step(case, hand, "decided", judged(verdict), claim=None, state=CaseState.DECIDED, verdict=verdict)


def reopened(case: Case, hand: Hand, why: str) -> Step:
    """What was decided is to be judged again; what was done stands until it is undone."""
    if case.state != CaseState.DECIDED:
        raise CaseStands(case.number, "not_decided", "only what was decided can be opened again")
    return _step(case, hand, "reopened", why, state=CaseState.OPEN, verdict=None, snoozed_until=0)


def referred(case: Case, hand: Hand, words: Sequence[tuple[str, Word]]) -> Step:
    """It waits for somebody who leads, and is neither of the two who looked at what was decided: they don't agree.

    Or they do, and nevertheless it is too doubtful, or nothing that the second may do.
    """
    if case.state != CaseState.DECIDED:
        raise CaseStands(case.number, "not_decided", "it is open: nobody has to look at what was decided")
    barred = tuple(dict.fromkeys((*case.barred, *(by for by, _ in words))))
    said = " | ".join(f"{by}: {judged(word)}" for by, word in words)
    changes = {"state": CaseState.OPEN, "verdict": None, "escalated": True, "snoozed_until": 0, "barred": barred}
    return _step(case, hand, "referred", said, **changes)


def confirmed(case: Case, hand: Hand) -> Step:
    """Somebody else has looked and says the same, so that what was held is done."""
    return _step(case, hand, "confirmed", "both say the same: what waited for it is done")


def judged(verdict: Verdict | Word) -> str:
    """A verdict, or what somebody said, as the history has it."""
    what = f"{verdict.outcome}, {verdict.action.word}" if verdict.outcome == Outcome.BAD else str(verdict.outcome)
    return f"{what}: {verdict.why}"


def joining(kept: int, gone: int, why: str) -> str:
    """That a case was merged into another, as the history of both has it."""
    return f"case {gone} into case {kept}: {why}"


def splitting(case: int, made: int, accounts: int, why: str) -> str:
    """That some accounts of a case became one of their own, as the history of both has it."""
    return f"{accounts:,} account{'' if accounts == 1 else 's'} of case {case} into case {made}: {why}"


def done_before(case: Case, seen: int, by: str, deed: tuple[str, str], history: Sequence[Happening]) -> bool:
    """Whether what somebody wants to do to the version `seen` is the very thing that they did to it: a double click.

    `deed` is what it is called, and what they say.
    """
    if case.version != seen + 1 or not history:
        return False
    last = history[-1]
    return (last.by, last.what, last.said) == (by, *deed)


def rounds(history: Sequence[Happening]) -> int:
    """How often it was opened again."""
    return sum(each.what in _ANEW for each in history)


def handed_up(history: Sequence[Happening]) -> bool:
    """Whether it is open because two who looked at it did not say the same."""
    turns = [each.what for each in history if each.what in _ANEW or each.what == "decided"]
    return turns[-1:] == ["referred"]


def began(history: Sequence[Happening], by: str, lasts: int) -> int | None:
    """When somebody began with what they are at; None where they are not. A claim lasts so long from what they did."""
    since, last = None, 0
    for each in history:
        if each.by != by:
            since = None if each.what == "claimed" else since
            continue
        if each.what in _ENDS:
            since = None
        elif each.what == "claimed" and (since is None or each.at - last >= lasts):
            since = each.at
        last = each.at
    return since


def _step(case: Case, hand: Hand, what: str, said: str, **changes: object) -> Step:
    """The case after something was done to it. Whoever is at it stays so for longer, since they work."""
    if case.claimed(hand.at) == hand.by:
        changes = {"claim": hand.claim, **changes}
    return Step(replace(case, version=case.version + 1, **changes), Happening(hand.at, hand.by, what, said))


def _check_open(case: Case) -> None:
    if case.state == CaseState.DECIDED:
        raise CaseStands(case.number, "decided", "it has been decided: open it again first")
    if case.state == CaseState.MERGED:
        raise CaseStands(case.number, "merged", f"it was merged into case {case.merged_into}")


def _check_may_judge(case: Case, hand: Hand) -> None:
    if hand.by in case.barred:
        raise CaseStands(case.number, "barred", "you took part in what it is about: let somebody else judge it")
    if not hand.apart.isdisjoint(case.accounts):
        raise CaseStands(case.number, "apart", "you know whose an account of it is: let somebody else judge it")
    if case.escalated and not hand.lead:
        raise CaseStands(case.number, "for_leads", "it waits for those who lead")


def _check_not_another_s(case: Case, hand: Hand) -> None:
    by = case.claimed(hand.at)
    if by is not None and by != hand.by:
        raise CaseStands(case.number, "claimed", f"{by} is at it")


def _check_mine(case: Case, hand: Hand) -> None:
    _check_open(case)
    _check_not_another_s(case, hand)
    if case.claimed(hand.at) is None:
        raise CaseStands(case.number, "not_claimed", "claim it first: nobody is at it, or a claim has run out")
