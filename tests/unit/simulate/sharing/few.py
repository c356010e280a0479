"""A small trace, made up, and the one answer that is expected, for the tests here."""

from random import Random

from fairgate.simulate.sharing.policy import Granted, Refused
from fairgate.simulate.sharing.traces import Arrival, Trace

#: Long after whatever was taken from a pool has come back.
AGES = 100_000.0


def small_trace() -> Trace:
    """Six clients over a hundred seconds, one five times as busy as the others, and two of them in one half only."""
    rng, found = Random(1), []
    for client, (count, begins, ends) in enumerate([(150, 0, 100)] + [(30, 0, 100)] * 3 + [(30, 0, 50), (30, 50, 100)]):
        times = sorted(rng.uniform(begins, ends) for _ in range(count))
        found += [Arrival(time, f"client {client}", rng.randint(10, 200), rng.randint(1, 300)) for time in times]
    found.sort()
    first = found[0].time
    return Trace("small", tuple(each._replace(time=each.time - first) for each in found))


def only(answers: list[Granted | Refused]) -> Granted:
    """The one answer there is, a grant."""
    [answer] = answers
    assert isinstance(answer, Granted)
    return answer
