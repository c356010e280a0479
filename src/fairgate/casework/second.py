"""Second looks: who is at one, what they say of it, and what follows from two words.

Each function gives a look in its next version, or raises `CaseStands`.
"""

from collections.abc import Sequence
from enum import StrEnum
from random import Random
from typing import Final, NamedTuple

from msgspec.structs import replace

from fairgate.casework.handling import Hand, rounds
from fairgate.casework.looks import GOLD_SHARE, gold_next, look, posterior, too_doubtful
from fairgate.domain.action import MOST_UNGRAVE, Action
from fairgate.domain.case import Case, CaseState, Happening, Outcome, Verdict
from fairgate.domain.errors import CaseStands
from fairgate.domain.look import Kind, LookState, OneLook, Staged, Word
from fairgate.domain.worth import Errors, Stake

#: How long what is too doubtful is held while somebody else is to look; it ends by itself then.
HELD_FOR: Final = "3d"


class Drawn(NamedTuple):
    """What a first word leads to: what is done at once, and whether somebody else looks, with which probability.

    `held` is what waits for that. Nobody else looks where the propensity is None.
    """

    at_once: tuple[Staged, ...]
    held: tuple[Staged, ...] = ()
    propensity: float | None = None


class Then(StrEnum):
    """What follows from two words."""

    NOTHING = "nothing"
    ACT = "act"
    LEADS = "leads"


def drawn(stake: Stake, word: Word, staged: Sequence[Staged], errors: tuple[Errors, Errors], draw: Random) -> Drawn:
    """Whether somebody else looks as well at what is being decided, and what is held until they have.

    `stake` is the case's; `word.action` what would stand. `errors` are those of who decides, and of the others.
    """
    first, others = errors
    now = replace(stake, probability=_after(stake.probability, word, first), stands=word.action)
    chosen = look(now, others, draw)
    if chosen.kind is not Kind.DOUBLE:
        return Drawn(tuple(staged))
    held = tuple(each for each in staged if each.action.grave) if too_doubtful(now) else ()
    at_once = (Staged(MOST_UNGRAVE, each.accounts, HELD_FOR) if each in held else each for each in staged)
    return Drawn(tuple(at_once), held, chosen.propensity)


def then(stake: Stake, one: tuple[Word, Errors], two: tuple[Word, Errors], held: Sequence[Staged]) -> Then:
    """What follows from what the first and the second said, who err like this.

    Where they don't agree it is for those who lead; so it is where they do and what was held is too doubtful still.
    """
    if not agree(one[0], two[0]):
        return Then.LEADS
    if not held:
        return Then.NOTHING
    probability = _after(_after(stake.probability, *one), *two)
    stands = max(each.action for each in held)
    return Then.LEADS if too_doubtful(replace(stake, probability=probability, stands=stands)) else Then.ACT


def agree(one: Word, two: Word) -> bool:
    """Whether two say the same: who it is, and whether that calls for something grave."""
    return (one.outcome, one.action.grave) == (two.outcome, two.action.grave)


def word_of(case: Case, verdict: Verdict, staged: Sequence[Staged], *, undo: bool) -> Word:
    """What a verdict says, with the gravest action that would stand by it."""
    stands = Action.ALLOW if undo else max((each.action for each in staged), default=case.facts.stake.stands)
    return Word(verdict.outcome, stands, verdict.reasons or case.facts.reasons, verdict.confidence, verdict.why)


def gold(unseen: Sequence[int], draw: Random) -> tuple[int, float] | None:
    """A gold case to slip in, and how likely it was to be this one; None, as mostly."""
    chosen = gold_next(unseen, draw)
    return None if chosen is None else (chosen, GOLD_SHARE / len(unseen))


def gold_look(case: Case, again: int, propensity: float, hand: Hand) -> OneLook:
    """A look at a gold case that they are given; `again` is how often it had been opened again."""
    look = OneLook(-1, case.number, again, Kind.GOLD, propensity, hand.at)
    return taken(look, hand)


def overtaken(look: OneLook, case: Case, history: Sequence[Happening]) -> bool:
    """Whether nobody has to look any more: what was decided then is being decided again, or was."""
    return case.state is not CaseState.DECIDED or rounds(history) != look.round


def taken(look: OneLook, hand: Hand) -> OneLook:
    """They are at it now, or for longer."""
    at = look.claimed(hand.at)
    if at is not None and at != hand.by:
        raise _taken(look)
    began = look.began if at == hand.by else hand.at
    given = tuple(dict.fromkeys((*look.given, hand.by)))
    return replace(look, version=look.version + 1, claim=hand.claim, given=given, began=began)


def released(look: OneLook, hand: Hand) -> OneLook:
    """They are at it no longer."""
    _check_theirs(look, hand)
    return replace(look, version=look.version + 1, claim=None)


def said(look: OneLook, hand: Hand, word: Word, first: OneLook | None) -> OneLook:
    """They have looked, and said this; `first` is the look before, of a double one."""
    _check_theirs(look, hand)
    agreed = None if first is None or first.word is None else agree(first.word, word)
    return replace(
        look,
        version=look.version + 1,
        state=LookState.DONE,
        claim=None,
        by=hand.by,
        ended=hand.at,
        word=word,
        agreed=agreed,
    )


def dropped(look: OneLook) -> OneLook:
    """Nobody has to look any more."""
    return replace(look, version=look.version + 1, state=LookState.DROPPED, claim=None)


def _after(probability: float, word: Word, errors: Errors) -> float:
    """That they are bad, after somebody's word; who can't tell changes nothing."""
    if word.outcome is Outcome.UNKNOWN:
        return probability
    return posterior(probability, errors, said_bad=word.outcome is Outcome.BAD)


def _check_theirs(look: OneLook, hand: Hand) -> None:
    at = look.claimed(hand.at)
    if at is None:
        raise CaseStands(look.case, "not_claimed", "claim it first: nobody is at it, or a claim has run out")
    if at != hand.by:
        raise _taken(look)


def _taken(look: OneLook) -> CaseStands:
    """Who is at it is not told: they look without knowing of each other."""
    return CaseStands(look.case, "claimed", "somebody else is at it")
