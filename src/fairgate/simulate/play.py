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
#: What a life does next, by its time and number.
_Plan: TypeAlias = tuple[int, int, Life, Act | Wait]


class Stage:
    """Where lives are played. One that is played may let others begin, from then on.

    Where `do` returns None, nothing is seen of that act until `resume` says what. Who has had to wait may be late for
    whatever comes next, and does it at once.
    """

    def __init__(self, do: Callable[[Act], Seen | None]) -> None:
        self._do = do
        self._held: dict[int, Life] = {}
        self._late: set[int] = set()
        self._planned: list[_Plan] = []
        self._to_come: list[tuple[int, int, Callable[[], Life]]] = []
        self._number = count()
        self._now = 0

    def add(self, births: Iterable[Birth]) -> None:
        """Let lives begin at their times. Raises ValueError for a time that has passed."""
        for time, life in births:
            if time < self._now:
                raise ValueError(f"a life would begin {self._now - time} us ago")
            heapq.heappush(self._to_come, (time, next(self._number), life))

    def play(self, ends: int) -> int:
        """Let them live until a time; returns how many acts there were.

        Each life is sent what is seen of each act. What happens at one time goes by when it was planned, so the same
        lives and answers give the same play. Raises ValueError for a life that goes back in time.
        """
        done, planned, to_come = 0, self._planned, self._to_come
        while True:
            born = to_come[0][0] if to_come else _NEVER
            time = planned[0][0] if planned else _NEVER
            if born >= ends and time >= ends:
                return done
            if born <= time:
                _, _, life = heapq.heappop(to_come)
                self._now = born
                plan = self._next_of(life(), born, None)
                if plan is not None:
                    heapq.heappush(planned, plan)
                continue
            _, _, living, act = heapq.heappop(planned)
            self._now = time
            if isinstance(act, Act):
                done += 1
                answer = self._do(act)
                if answer is None:
                    self._held[id(act)] = living
                    continue
                seen = answer
            else:
                seen = Seen.WOKEN
            plan = self._next_of(living, time, seen)
            if plan is not None:
                heapq.heappush(planned, plan)

    def resume(self, act: Act, seen: Seen) -> None:
        """Let somebody see what came of an act that had to wait, and go on."""
        life = self._held.pop(id(act))
        self._late.add(id(life))
        plan = self._next_of(life, self._now, seen)
        if plan is not None:
            heapq.heappush(self._planned, plan)

    def _next_of(self, life: Life, now: int, seen: Seen | None) -> _Plan | None:
        """What a life does next; None where it is over."""
        try:
            act = next(life) if seen is None else life.send(seen)
        except StopIteration:
            self._late.discard(id(life))
            return None
        if act.time < now and id(life) in self._late:
            act.time = now
        if act.time < now - _MILLISECOND:  # acts are sent to the millisecond
            who = f"{act.account.name} with {act.type}" if isinstance(act, Act) else "somebody who waits"
            raise ValueError(f"a life goes back in time: {who}")
        return act.time, next(self._number), life, act
