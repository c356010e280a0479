"""What is counted, against what was worked out by hand."""

import pytest

from fairgate.simulate.sharing.demand import LINKED, NAT, Person, Plan, Scene
from fairgate.simulate.sharing.outcome import figures, jain, quantile
from fairgate.simulate.sharing.policy import Capacity, Known
from fairgate.simulate.sharing.tally import Call, Gap, Tally

PEOPLE = {
    name: Person(Known(name), honest=name != "bad", group=group, client=client)
    for name, group, client in [
        ("one", "", "x"), ("two", "", "x"), ("three", "", "y"), ("nat", NAT, "x"), ("linked", LINKED, "y"),
        ("bad", "", ""),
    ]
}  # fmt: skip


def scene(seconds: float = 100.0) -> Scene:
    honest = tuple(each for each in PEOPLE.values() if each.honest)
    return Scene(Plan(seconds=seconds), Capacity(10.0, 6), 50, honest, (), (PEOPLE["bad"],), (), {})


class Story:
    """Tells a tally of requests, as the replay would."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def asks(self, now: float, name: str, input_: int = 10, output: int = 20) -> Call:
        self.tally.pass_time(now)
        call = Call(PEOPLE[name], input_, output, now, now + 60.0)
        self.tally.asked(call)
        self.tally.waits(now, call)
        return call

    def grants(self, now: float, call: Call, estimate: float = 50.0) -> None:
        self.tally.pass_time(now)
        self.tally.waits_no_more(now, call)
        self.tally.granted(now, call, estimate)

    def gives_up(self, now: float, call: Call) -> None:
        self.tally.pass_time(now)
        self.tally.waits_no_more(now, call)
        self.tally.given_up(now, call)

    def ends(self, now: float, call: Call) -> None:
        self.tally.pass_time(now)
        self.tally.written(call, call.output)
        self.tally.settled(call)


def test_capture_goodput_and_waits() -> None:
    tally = Tally(scene())
    story = Story(tally)
    first = story.asks(0.0, "one")
    story.grants(0.0, first)
    bad = story.asks(1.0, "bad", 100, 0)
    second = story.asks(2.0, "two", 30, 10)
    story.grants(5.0, second)
    story.grants(6.0, bad)
    third = story.asks(40.0, "two", 50, 50)
    story.gives_up(100.0, third)
    late = story.asks(120.0, "one", 1_000, 0)
    story.grants(120.0, late)
    found = figures(scene(), "x", tally)
    assert found.capture == pytest.approx(100 / 200)
    assert found.goodput == pytest.approx(100 / 250)  # what is asked after the end doesn't count
    assert sorted(tally.waits_of) == [0.0, 3.0, 60.0]
    assert (found.waits.p50, found.waits.p95) == (3.0, 60.0)
    assert found.timed_out == pytest.approx(1 / 3)
    assert found.over_time.asked[:5] == [1.0, 0.0, 0.0, 0.0, 1.5]
    assert found.over_time.honest[0] == 1.0
    assert found.over_time.abusers == [1.0, *[0.0] * 9]
    assert found.grants == 4


def test_what_the_pool_can_not_hold_while_anybody_waits_is_lost() -> None:
    tally = Tally(scene())  # 10 a second, 10 at most
    story = Story(tally)
    story.tally.pass_time(20.0)  # nobody waits: nothing is lost
    assert (tally.offered, tally.lost) == (0.0, 0.0)
    call = story.asks(20.0, "one")
    story.grants(23.0, call)  # full all along
    assert (tally.offered, tally.lost) == (30.0, 30.0)
    again = story.asks(23.0, "one")  # the level is -40
    story.grants(29.0, again)  # and full after five seconds
    assert tally.offered == 90.0
    assert tally.lost == pytest.approx(40.0)
    assert figures(scene(), "x", tally).utilisation == pytest.approx(5 / 9)
    assert tally.lowest == -40.0


def test_what_was_estimated_wrong_is_put_right() -> None:
    tally = Tally(scene())
    story = Story(tally)
    call = story.asks(0.0, "one", 10, 20)
    story.grants(0.0, call, 200.0)
    story.ends(1.0, call)  # -190 + 10 + (200 - 50)
    assert tally._level == pytest.approx(-30.0)
    call = story.asks(1.0, "one", 10, 20)
    story.grants(1.0, call, 10.0)
    tally.written(call, 5)  # 20 by now: 10 more than was taken
    assert tally._level == pytest.approx(-50.0)
    tally.written(call, 5)
    story.ends(1.0, call)
    assert tally._level == pytest.approx(-80.0)


def test_groups_are_compared_with_others_who_ask_for_the_same() -> None:
    """x got 2 of 4 of what they asked for, y all: who is behind the NAT got 1 of 3."""
    tally = Tally(scene())
    story = Story(tally)
    for name, served, lost in [("one", 2, 0), ("two", 0, 2), ("three", 1, 0), ("nat", 1, 2), ("linked", 3, 1)]:
        for _ in range(served):
            story.grants(0.0, story.asks(0.0, name))
        for _ in range(lost):
            story.gives_up(60.0, story.asks(0.0, name))
    groups = figures(scene(), "x", tally).groups
    assert groups.keys() == {NAT, LINKED}
    assert groups[NAT].accounts == 1
    assert groups[NAT].goodput == pytest.approx(1 / 3)
    assert groups[NAT].alike == pytest.approx(1 / 2)
    assert groups[NAT].ratio == pytest.approx(2 / 3)
    assert (groups[LINKED].goodput, groups[LINKED].alike, groups[LINKED].ratio) == (0.75, 1.0, 0.75)


def test_jain_is_over_what_honest_accounts_got_a_second_of_waiting() -> None:
    tally = Tally(scene())
    story = Story(tally)
    for name, wait, cost in [("one", 40, 100), ("two", 50, 375), ("three", 20, 5_000)]:  # the last waits too little
        call = story.asks(0.0, name, cost, 0)
        story.grants(float(wait), call)
    story.grants(60.0, story.asks(60.0, "one", 9_000, 0))  # at once: it had not waited for it
    # 2.5 and 7.5 a second: 100 / (2 * 62.5)
    assert figures(scene(), "x", tally).jain == pytest.approx(0.8)


def test_jains_index_and_quantiles() -> None:
    assert jain([2.0, 2.0, 2.0]) == 1.0
    assert jain([1.0, 0.0, 0.0, 0.0]) == 0.25
    assert jain([]) is None
    assert jain([0.0]) is None
    assert [quantile([1, 2, 3, 4], share) for share in (0.0, 0.25, 0.5, 0.99, 1.0)] == [1, 2, 3, 4, 4]
    assert quantile([], 0.5) == 0.0


def test_a_gap_counts_only_while_both_wait() -> None:
    gap = Gap()
    gap.serve(0, 1_000.0)  # neither waits
    gap.both_wait(now=True)
    gap.serve(0, 10.0)
    gap.serve(1, 25.0)  # 10 ahead, then 15 behind: 25 between the two
    assert gap.largest == 25.0
    gap.both_wait(now=False)
    gap.serve(1, 500.0)
    gap.both_wait(now=True)
    gap.serve(0, 20.0)
    gap.both_wait(now=True)
    gap.serve(0, 3.0)
    assert gap.largest == 25.0
    gap.serve(0, 3.0)
    assert gap.largest == 26.0


def test_the_gap_of_those_who_are_watched_is_what_was_read_and_written_for_them() -> None:
    tally = Tally(scene(), watched=("one", "bad"))
    story = Story(tally)
    call, _, _ = story.asks(0.0, "one", 10, 20), story.asks(0.0, "one"), story.asks(0.0, "bad")
    story.grants(1.0, call)
    assert tally.gap == 10.0
    tally.written(call, 4)
    assert tally.gap == 18.0
    story.ends(2.0, call)
    assert tally.gap == 50.0
    story.grants(3.0, story.asks(3.0, "two", 5_000, 0))
    assert tally.gap == 50.0
