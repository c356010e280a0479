"""What decisions come to is the newest word, in whatever order words come, however often, and while nothing is off."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.entrypoints.share.decisions import Decisions, Word
from fairgate.entrypoints.share.lines import Decided, Switched

START = datetime(2026, 1, 5, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def decided(  # noqa: PLR0913 - a word's parts
    seconds: float = 0,
    message: str = "",
    account: str = "a",
    action: str = "suspend",
    *,
    use: bool = False,
    rate: float = 1.0,
) -> Decided:
    name = message or f"action_{seconds}"
    return Decided("2026-01-05", name, at(seconds), account, action, use, rate)


def switched(seconds: float, name: str = "all", *, off: bool) -> Switched:
    return Switched("2026-01-05", f"switch_{seconds}", at(seconds), name, off)


def free(seconds: float = 0, message: str = "") -> Decided:
    return decided(seconds, message, action="allow", use=True)


def after(*words: Word) -> Decisions:
    decisions = Decisions(0.01)
    for word in words:
        decisions.take(word)
    return decisions


@pytest.mark.parametrize(
    ("use", "rate", "ceil"),
    [
        (False, 1.0, 0.0),
        (False, 0.5, 0.0),
        (True, 0.25, 0.0025),
        (True, 0.0, 0.0),
        (True, 1.0, None),
        (True, 2.0, None),
    ],
)
def test_what_may_be_done_is_a_ceiling(use: bool, rate: float, ceil: float | None) -> None:
    assert after(decided(use=use, rate=rate)).ceil_of("a") == ceil
    assert after(decided(use=use, rate=rate)).ceil_of("b") is None


def test_the_newest_word_counts_and_an_older_one_never_does() -> None:
    decisions = after(decided(2))
    assert not decisions.take(free(1))
    assert decisions.ceil_of("a") == 0.0
    assert decisions.take(free(3))
    assert not decisions.take(decided(2))
    assert decisions.ceil_of("a") is None


def test_of_words_of_one_time_each_counts_once_in_the_order_in_which_they_come() -> None:
    decisions = after(decided(1, "one"), free(1, "two"))
    assert decisions.ceil_of("a") is None
    assert not decisions.take(decided(1, "one"))
    assert decisions.ceil_of("a") is None
    assert decisions.take(decided(1, "three"))
    assert decisions.ceil_of("a") == 0.0
    assert len(decisions) == 3
    assert decisions.take(free(2))
    assert len(decisions) == 1


@given(st.lists(st.integers(0, 9), min_size=1), st.randoms())
def test_in_whatever_order_and_however_often_they_come(times: list[int], draw: object) -> None:
    words = [decided(time, rate=time / 10, use=True, action="throttle") for time in times]
    draw.shuffle(words)  # type: ignore[attr-defined]
    decisions = after(*words)
    assert decisions.ceil_of("a") == pytest.approx(0.01 * max(times) / 10)
    assert [each for each in words if decisions.needs(each)] == [each for each in words if each.said == at(max(times))]


def test_what_is_switched_off_counts_again_when_it_is_on() -> None:
    decisions = after(decided(1), decided(1, account="b", action="throttle", use=True, rate=0.5))
    for name, bound in (("all", [None, None]), ("action:suspend", [None, 0.005]), ("action:ban", [0.0, 0.005])):
        off, on = switched(2, name, off=True), switched(3, name, off=False)
        assert decisions.take(off)
        assert sorted(decisions.concerned(off)) == ["a", "b"]
        assert [decisions.ceil_of(each) for each in ("a", "b")] == bound
        word = decisions.last("a")
        assert word is not None
        assert decisions.off_for(word) == (name if bound[0] is None else None)
        assert decisions.take(on)
        assert not decisions.take(off), "the same again, after the other"
        assert [decisions.ceil_of(each) for each in ("a", "b")] == [0.0, 0.005]


def test_a_switch_and_an_account_of_one_name_are_two() -> None:
    decisions = after(decided(5, account="all"))
    assert decisions.take(switched(1, off=True))
    assert decisions.concerned(decided(5, account="all")) == ["all"]
    assert len(decisions) == 2
