"""Lives are played in order of time, each told what it sees; the same again gives the same."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.simulate.acts import Account, Act, Actor, Life, Seen, Wait
from fairgate.simulate.play import Birth, Stage

WHO = Account("a", "free", 0, Actor("me", "hobbyist", honest=True, hands="person"))


def play(births: list[Birth], do: Callable[[Act], Seen], ends: int) -> int:
    stage = Stage(do)
    stage.add(births)
    return stage.play(ends)


def act(time: int, kind: str = "api.request") -> Act:
    return Act(time, kind, WHO, WHO.owner, {})


def life(times: list[int], seen: list[Seen] | None = None) -> Callable[[], Life]:
    """Acts at these times, and notes what it sees."""

    def live() -> Life:
        for time in times:
            answer = yield act(time)
            if seen is not None:
                seen.append(answer)

    return live


@given(
    st.lists(st.tuples(st.integers(0, 50), st.lists(st.integers(0, 20), max_size=6)), max_size=8), st.integers(1, 80)
)
def test_acts_come_in_order_of_time_up_to_the_end(lives: list[tuple[int, list[int]]], ends: int) -> None:
    births = []
    expected = []
    for born, gaps in sorted(lives, key=lambda each: each[0]):
        times = [born + sum(gaps[: index + 1]) for index in range(len(gaps))]
        births.append((born, life(times)))
        expected += [time for time in times if time < ends and born < ends]
    done: list[int] = []

    def do(each: Act) -> Seen:
        done.append(each.time)
        return Seen.SERVED

    assert play(births, do, ends) == len(done)
    assert done == sorted(expected)


def test_each_is_told_what_it_sees() -> None:
    mine: list[Seen] = []
    yours: list[Seen] = []
    answers = {1: Seen.SERVED, 2: Seen.SLOWED, 3: Seen.CLOSED, 4: Seen.HELD}
    play([(0, life([1, 3], mine)), (0, life([2, 4], yours))], lambda each: answers[each.time], 10)
    assert mine == [Seen.SERVED, Seen.CLOSED]
    assert yours == [Seen.SLOWED, Seen.HELD]


def test_what_happens_at_one_time_goes_by_when_it_was_planned() -> None:
    order: list[str] = []

    def named(name: str, times: list[int]) -> Callable[[], Life]:
        def live() -> Life:
            for time in times:
                yield act(time, name)

        return live

    def do(each: Act) -> Seen:
        order.append(each.type)
        return Seen.SERVED

    play([(0, named("b", [5, 5])), (0, named("a", [5])), (5, named("c", [5]))], do, 10)
    assert order == ["b", "a", "c", "b"]


def test_nobody_goes_back_in_time() -> None:
    with pytest.raises(ValueError, match=r"goes back in time: a with api\.request"):
        play([(0, life([9_000, 3_000]))], lambda _: Seen.SERVED, 10_000)


@pytest.mark.parametrize("waits", [False, True])
def test_nobody_is_born_in_the_past(waits: bool) -> None:
    stage = Stage(lambda _: Seen.SERVED)

    def parent(born: int) -> Life:
        yield Wait(20) if waits else act(20)
        stage.add([(born, life([born]))])

    stage.add([(5, lambda: parent(20))])  # which is now
    assert stage.play(20) == 0
    assert stage.play(100) == 2 - waits
    stage = Stage(lambda _: Seen.SERVED)
    stage.add([(5, lambda: parent(19))])
    with pytest.raises(ValueError, match="a life would begin 1 us ago"):
        stage.play(100)


def test_who_is_born_may_let_nobody_be_born_before() -> None:
    stage = Stage(lambda _: Seen.SERVED)

    def parent() -> Life:
        stage.add([(29, life([29]))])
        yield act(30)

    stage.add([(30, parent)])
    with pytest.raises(ValueError, match="a life would begin 1 us ago"):
        stage.play(100)


def test_who_waits_does_nothing_until_then_and_may_let_others_begin() -> None:
    done: list[tuple[int, str]] = []

    def do(each: Act) -> Seen:
        done.append((each.time, each.type))
        return Seen.SERVED

    stage, woken = Stage(do), list[Seen]()

    def child(time: int) -> Life:
        yield act(time, "child")

    def parent() -> Life:
        for time in (10, 20):
            woken.append((yield Wait(time)))
            stage.add([(time + 5, lambda time=time: child(time + 5))])  # type: ignore[misc]
        yield act(22, "parent")

    stage.add([(0, parent), (0, life([16]))])
    assert stage.play(100) == 4
    assert woken == [Seen.WOKEN, Seen.WOKEN]
    assert done == [(15, "child"), (16, "api.request"), (22, "parent"), (25, "child")]
