"""Many jobs at once: each is done once, in order, says how far it is, and ends when it is told to."""

import os
import time

import pytest

from fairgate.simulate.arena.many import Progress, Reporter, Runs


def count(days: int, go_on: Reporter) -> tuple[int, int, int]:
    """Goes on for so many days; returns how many, how many were asked for, and its process."""
    done = 0
    for done in range(1, days + 1):
        if not go_on(done, 10 * done):
            break
    return done, days, os.getpid()


def endless(_job: int, go_on: Reporter) -> int:
    """Goes on until it is told to stop."""
    days = 1
    while go_on(days, days):
        days += 1
        time.sleep(0.01)
    return days


def broken(job: int, _go_on: Reporter) -> int:
    """Can't be done."""
    raise ZeroDivisionError(job)


def test_each_is_done_once_in_processes_of_their_own() -> None:
    told: list[Progress] = []
    found = dict(Runs(count, [3, 1, 4, 2], 2).results(told.append))
    assert {place: (done, days) for place, (done, days, _) in found.items()} == {
        0: (3, 3), 1: (1, 1), 2: (4, 4), 3: (2, 2),
    }  # fmt: skip
    assert os.getpid() not in {process for _, _, process in found.values()}
    assert {(each.job, each.days, each.events) for each in told} <= {
        (job, day, 10 * day) for job, days in enumerate((3, 1, 4, 2)) for day in range(1, days + 1)
    }


def test_when_stopped_those_that_run_end_and_no_other_begins() -> None:
    runs = Runs(endless, [0, 1, 2, 3, 4], 2)
    heard: dict[int, int] = {}

    def told(each: Progress) -> None:
        heard[each.job] = each.days
        if len(heard) == 2 and min(heard.values()) > 3:
            runs.stop()

    found = dict(runs.results(told))
    assert set(found) == {0, 1}
    assert all(days > 1 for days in found.values())


def test_what_goes_wrong_in_one_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        dict(Runs(broken, [7], 1).results(lambda _: None))
