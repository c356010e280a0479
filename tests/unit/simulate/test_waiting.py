"""Who has to wait goes on when it is known what came of it, and is late for what comes next."""

import pytest

from fairgate.simulate.acts import Account, Act, Actor, Life, Seen
from fairgate.simulate.play import Stage

WHO = Account("a", "free", 0, Actor("me", "hobbyist", honest=True, hands="person"))


def test_others_go_on_while_one_waits_who_then_does_the_next_thing_at_once() -> None:
    done: list[tuple[int, str]] = []
    seen: list[Seen] = []
    held: list[Act] = []

    def do(act: Act) -> Seen | None:
        done.append((act.time, act.type))
        if act.type == "waits":
            held.append(act)
            return None
        if act.time == 30 and held:
            stage.resume(held.pop(), Seen.SLOWED)
        return Seen.SERVED

    def waiter() -> Life:
        for time, kind in ((10, "waits"), (20, "next"), (40, "last")):
            seen.append((yield Act(time, kind, WHO, WHO.owner, {})))

    def other() -> Life:
        for time in (15, 30, 35):
            yield Act(time, "other", WHO, WHO.owner, {})

    stage = Stage(do)
    stage.add([(0, waiter), (0, other)])
    assert stage.play(100) == 6
    assert done == [(10, "waits"), (15, "other"), (30, "other"), (30, "next"), (35, "other"), (40, "last")]
    assert seen == [Seen.SLOWED, Seen.SERVED, Seen.SERVED]


def test_who_has_not_waited_can_not_go_back_in_time() -> None:
    def life() -> Life:
        for time in (5_000_000, 1_000_000):
            yield Act(time, "other", WHO, WHO.owner, {})

    stage = Stage(lambda _: Seen.SERVED)
    stage.add([(0, life)])
    with pytest.raises(ValueError, match="back in time"):
        stage.play(10_000_000)
