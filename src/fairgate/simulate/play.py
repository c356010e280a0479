"""Everybody's lives, one act after another in order of time."""

import heapq
from collections.abc import Callable, Iterable
from itertools import count
from typing import TypeAlias

from fairgate.simulate.acts import Act, Life, Seen

_MILLISECOND = 1_000
#: A life that begins at a time.
Birth: TypeAlias = tuple[int, Callable[[], Life]]


def play(births: Iterable[Birth], do: Callable[[Act], Seen], ends: int) -> int:
    """Let them live until a time; returns how many acts there were.

    `births` come in order of time. Each life is sent what is seen of each act. Acts at one time go by when they were
    planned, so the same lives and answers give the same play. Raises ValueError for a life that goes back in time.
    """
    planned: list[tuple[int, int, Life, Act]] = []
    number, coming, done = count(), iter(births), 0
    born = next(coming, None)
    while planned or born is not None:
        if born is not None and (not planned or born[0] <= planned[0][0]):
            if born[0] >= ends:
                born = None
                continue
            _plan(planned, born[1](), number, born[0], None)
            born = next(coming, None)
            continue
        time, _, life, act = heapq.heappop(planned)
        if time >= ends:
            break
        done += 1
        _plan(planned, life, number, time, do(act))
    return done


def _plan(
    planned: list[tuple[int, int, Life, Act]], life: Life, number: "count[int]", now: int, seen: Seen | None
) -> None:
    """Ask a life what it does next, and plan it; one that is over is forgotten."""
    try:
        act = next(life) if seen is None else life.send(seen)
    except StopIteration:
        return
    if act.time < now - _MILLISECOND:  # acts are sent to the millisecond
        raise ValueError(f"{act.account.name} goes back in time with {act.type}")
    heapq.heappush(planned, (act.time, next(number), life, act))
