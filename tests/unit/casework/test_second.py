"""What follows from two words on a case, and who is at a look."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairgate.casework.handling import Hand, began, handed_up, rounds
from fairgate.casework.looks import MOST_WRONG, posterior
from fairgate.casework.second import HELD_FOR, Then, agree, drawn, released, said, taken, then
from fairgate.domain.action import Action
from fairgate.domain.case import Happening, Outcome
from fairgate.domain.errors import CaseStands
from fairgate.domain.look import Kind, LookState, OneLook, Staged, Word
from fairgate.domain.windows import MINUTE
from fairgate.domain.worth import USUAL_ERRORS, Errors, Stake

NOW, LASTS = 1_796_000_000_000_000, 10 * MINUTE
ANN, BOB = Hand("ann", NOW, lead=False, lasts=LASTS), Hand("bob", NOW, lead=False, lasts=LASTS)
STAKE = Stake(0.5, 0.0, 24.0, 0.0, 1.0, Action.ALLOW, 5.0)
BAN = Word(Outcome.BAD, Action.BAN, (), 0.9, "so")
HOLD, BENIGN = replace(BAN, action=Action.HOLD), Word(Outcome.BENIGN, Action.ALLOW, (), 0.9, "so")
UNKNOWN = Word(Outcome.UNKNOWN, Action.ALLOW, (), 0.2, "?")
BOTH = (USUAL_ERRORS, USUAL_ERRORS)
LOOK = OneLook(1, 7, 0, Kind.DOUBLE, 1.0, NOW)


class Never(Random):
    """Draws nothing by lot."""

    def random(self) -> float:
        return 0.99


@given(st.floats(0.001, 0.999), st.floats(0.001, 0.3), st.floats(0.001, 0.3))
def test_nothing_grave_is_done_at_once_where_it_is_likelier_than_that_to_be_wrong(
    probability: float, missed: float, wronged: float
) -> None:
    errors = Errors(missed, wronged)
    found = drawn(replace(STAKE, probability=probability), BAN, [Staged(Action.BAN)], (errors, errors), Never())
    doubt = 1 - posterior(probability, errors, said_bad=True)
    assert (found.at_once[0].action is Action.HOLD) is (doubt > MOST_WRONG)
    assert bool(found.held) is (doubt > MOST_WRONG)


def test_a_hold_stands_in_its_place_on_the_same_and_ends_by_itself() -> None:
    staged = [Staged(Action.BAN, ("a",), "30d"), Staged(Action.WATCH, ("b",)), Staged(Action.SUSPEND, ("c",))]
    found = drawn(STAKE, BAN, staged, BOTH, Never())
    assert found.held == (staged[0], staged[2])
    assert found.at_once == (Staged(Action.HOLD, ("a",), HELD_FOR), staged[1], Staged(Action.HOLD, ("c",), HELD_FOR))
    assert found.propensity == 1.0


def test_what_is_mild_is_done_at_once() -> None:
    found = drawn(STAKE, HOLD, [Staged(Action.HOLD)], BOTH, Never())
    assert (found.at_once, found.held, found.propensity) == ((Staged(Action.HOLD),), (), None)


def test_who_can_not_tell_leaves_it_as_likely_as_it_was() -> None:
    sure = replace(STAKE, probability=1 - MOST_WRONG / 2)
    assert not drawn(sure, replace(UNKNOWN, action=Action.BAN), [], BOTH, Never()).propensity
    doubtful = replace(STAKE, probability=1 - MOST_WRONG * 2)
    assert drawn(doubtful, replace(UNKNOWN, action=Action.BAN), [], BOTH, Never()).propensity == 1.0


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        (BAN, BAN, True),
        (BAN, replace(BAN, action=Action.SUSPEND), True),
        (BAN, HOLD, False),
        (HOLD, replace(HOLD, action=Action.WATCH), True),
        (BAN, BENIGN, False),
        (UNKNOWN, UNKNOWN, True),
        (UNKNOWN, BENIGN, False),
    ],
)
def test_two_agree_on_who_it_is_and_whether_that_is_grave(one: Word, two: Word, same: bool) -> None:
    assert agree(one, two) is agree(two, one) is same
    assert (then(STAKE, (one, USUAL_ERRORS), (two, USUAL_ERRORS), ()) is Then.LEADS) is not same


def test_what_was_held_is_done_where_two_leave_it_certain_enough() -> None:
    two = (BAN, USUAL_ERRORS), (BAN, USUAL_ERRORS)
    held = (Staged(Action.BAN),)
    assert then(STAKE, *two, held) is Then.ACT
    assert then(STAKE, *two, ()) is Then.NOTHING
    assert then(replace(STAKE, probability=0.05), *two, held) is Then.LEADS


def test_one_is_at_a_look_until_their_claim_runs_out() -> None:
    mine = taken(LOOK, BOB)
    assert (mine.version, mine.given, mine.began, mine.claimed(NOW + LASTS - 1)) == (1, ("bob",), NOW, "bob")
    later = BOB._replace(at=NOW + MINUTE)
    assert taken(mine, later).began == NOW  # they are at it still
    for hand, code in ((ANN, "claimed"), (ANN._replace(at=NOW + LASTS), "not_claimed")):
        with pytest.raises(CaseStands) as caught:
            said(mine, hand, BAN, None)
        assert caught.value.code == code
    with pytest.raises(CaseStands, match="somebody else is at it"):
        taken(mine, ANN)
    hers = taken(mine, ANN._replace(at=NOW + LASTS))
    assert (hers.given, hers.began) == (("bob", "ann"), NOW + LASTS)
    assert released(mine, later).claimed(NOW + MINUTE) is None
    done = said(mine, later, BENIGN, replace(LOOK, word=BAN))
    assert (done.state, done.by, done.ended, done.agreed) == (LookState.DONE, "bob", NOW + MINUTE, False)


def happened(*what: tuple[int, str, str]) -> list[Happening]:
    return [Happening(at, by, each, "") for at, by, each in what]


@pytest.mark.parametrize(
    ("history", "since"),
    [
        ([], None),
        ([(1, "ann", "claimed")], 1),
        ([(1, "ann", "claimed"), (5, "ann", "noted"), (9, "ann", "claimed")], 1),
        ([(1, "ann", "claimed"), (1 + LASTS, "ann", "claimed")], 1 + LASTS),  # it had run out
        ([(1, "ann", "claimed"), (LASTS, "ann", "noted"), (1 + LASTS, "ann", "claimed")], 1),
        ([(1, "ann", "claimed"), (2, "bob", "noted")], 1),
        ([(1, "ann", "claimed"), (2, "bob", "claimed")], None),
        ([(1, "ann", "claimed"), (2, "ann", "released")], None),
        ([(1, "ann", "claimed"), (2, "ann", "released"), (3, "ann", "claimed")], 3),
    ],
)
def test_somebody_began_when_they_claimed_it(history: list[tuple[int, str, str]], since: int | None) -> None:
    assert began(happened(*history), "ann", LASTS) == since


@pytest.mark.parametrize(
    ("turns", "again", "up"),
    [
        ([], 0, False),
        (["decided"], 0, False),
        (["decided", "noted", "referred", "noted"], 1, True),
        (["decided", "referred", "decided"], 1, False),
        (["decided", "referred", "decided", "reopened"], 2, False),
    ],
)
def test_a_case_is_handed_up_until_it_is_decided(turns: list[str], again: int, up: bool) -> None:
    history = happened(*((at, "ann", turn) for at, turn in enumerate(turns)))
    assert (rounds(history), handed_up(history)) == (again, up)
