"""Everybody's lives, one act after another in order of time."""

import heapq
from collections.abc import Callable, Iterable
from itertools import count
from typing import TypeAlias

from fairgate.simulate.acts import Act, Life, Seen, Wait

_MILLISECOND = 1_000
_NEVER = 1 << 62
#: A life that begins at a time.
Birth: TypeAlias = tuple[int, Callable[[], Life]]


class Stage:
    """Where lives are played. One that is played may let others begin."""

    def __init__(self, do: Callable[[Act], Seen]) -> None:
        self._do = do
        self._planned: list[tuple[int, int, Life, Act | Wait]] = []
        self._to_come: list[tuple[int, int, Callable[[], Life]]] = []
        self._number = count()

    def add(self, births: Iterable[Birth]) -> None:
        """Let lives begin at their times; one whose time has passed begins now."""
        for time, life in births:
            heapq.heappush(self._to_come, (time, next(self._number), life))

    def play(self, ends: int) -> int:
        """Let them live until a time; returns how many acts there were.

        Each life is sent what is seen of each act. What happens at one time goes by when it was planned, so the same
        lives and answers give the same play. Raises ValueError for a life that goes back in time.
        """
        done = 0
        while (time := self._next()) < ends:
            if self._is_birth(time):
                _, _, life = heapq.heappop(self._to_come)
                self._plan(life(), time, None)
                continue
            _, _, living, act = heapq.heappop(self._planned)
            if isinstance(act, Act):
                done += 1
                self._plan(living, time, self._do(act))
            else:
                self._plan(living, time, Seen.WOKEN)
        return done

    def _next(self) -> int:
        """When something happens next."""
        heads = [heap[0][0] for heap in (self._planned, self._to_come) if heap]
        return min(heads, default=_NEVER)

    def _is_birth(self, time: int) -> bool:
        return bool(self._to_come) and self._to_come[0][0] <= time

    def _plan(self, life: Life, now: int, seen: Seen | None) -> None:
        """Ask a life what it does next, and plan it; one that is over is forgotten."""
        try:
            act = next(life) if seen is None else life.send(seen)
        except StopIteration:
            return
        if act.time < now - _MILLISECOND:  # acts are sent to the millisecond
            who = f"{act.account.name} with {act.type}" if isinstance(act, Act) else "somebody who waits"
            raise ValueError(f"a life goes back in time: {who}")
        heapq.heappush(self._planned, (act.time, next(self._number), life, act))
