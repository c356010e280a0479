"""The arena decides as the live service does: the same events through the real pipeline get the same decisions."""

from pathlib import Path

import msgspec
import pytest

from fairgate.domain.windows import DAY
from fairgate.pipeline.online import Answer
from fairgate.secret_file import secrets_of
from fairgate.settings import Settings
from fairgate.simulate.arena.judge import Judge
from fairgate.simulate.operator import Entry
from fairgate.simulate.service import Done, Reviewed
from fairgate.simulate.simulation import Simulation
from fairgate.simulate.world_file import Loaded, Release
from fairgate.wiring import load_checked
from fairgate.wiring import open_pipeline as open_live
from tests.support import SECRET, SetClock
from tests.unit.simulate.worlds import world_of

DAYS = 8


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return world_of(tmp_path_factory.mktemp("world"))


def played(world: Loaded, pack: str, secret: int = SECRET) -> list[Done]:
    """What happens in some days, decided by the arena."""
    told: list[Done] = []

    def tell(each: Done | Reviewed | Entry) -> None:
        if isinstance(each, Done) and each.event:
            told.append(each)

    judge = Judge(load_checked(pack), secret, world)
    for _ in Simulation(world, DAYS, 3, judge.decide, tell).play():
        pass
    return told


@pytest.mark.parametrize("pack", ["ai_api", "baseline"])
def test_the_live_pipeline_decides_the_same(tmp_path: Path, world: Loaded, pack: str) -> None:
    told, clock = played(world, pack, secrets_of(tmp_path, make=True).current), SetClock()
    assert len(told) > 1_000
    acted = 0
    with open_live(Settings(pack=pack, data=tmp_path), clock) as pipeline:
        for each in told:
            clock.time = each.act.time
            [outcome] = pipeline.take([pipeline.decoder.single(each.raw, each.act.time)])
            if not isinstance(outcome, Answer):
                assert outcome.code == "unknown_type"
                continue
            decision = outcome.decision
            counted = tuple(rule for rule in decision.rules if rule not in decision.silent)
            assert (decision.action, counted, decision.lists) == (
                each.verdict.action, each.verdict.rules, each.verdict.lists,
            )  # fmt: skip
            acted += bool(counted)
        pipeline.commit()
    assert acted > 10


def test_an_event_says_nothing_of_who_is_behind_it(world: Loaded) -> None:
    told = played(world, "ai_api")
    names = {each.act.actor.name for each in told} | {each.act.account.owner.name for each in told}
    kinds = {each.act.actor.kind for each in told} | {"honest", "abuse"}
    for each in told[::7]:
        text = each.raw.decode().replace('"purpose":"referral"', "")  # which is what credits are given for
        assert not [name for name in names if f'"{name}"' in text]
        assert not [kind for kind in kinds - {"company"} if f'"{kind}"' in text]


def test_what_the_door_would_refuse_is_no_decision(world: Loaded) -> None:
    judge = Judge(load_checked("ai_api"), SECRET, world)
    with pytest.raises(ValueError, match=r"the door would refuse a simulated event.*account"):
        judge.decide(b'{"specversion":"1.0","id":"1","source":"s","type":"account.signup","data":{}}', world.begins)


def test_a_new_model_is_entered_on_its_day_for_two_weeks(world: Loaded) -> None:
    release = (Release(day=2, model="frontier-9"),)
    new = Loaded(msgspec.structs.replace(world.world, release=release), "")
    judge = Judge(load_checked("ai_api"), SECRET, new)

    def known(at: int) -> bool:
        body = b'{"specversion":"1.0","id":"%d","source":"s","type":"account.login","data":{"account":"a"}}' % at
        judge.decide(body, at)
        return "frontier-9" in judge.engine.lists.entries(at)["new_models"]

    days = [world.begins + day * DAY for day in (1, 2, 15, 17)]
    assert [known(day) for day in days] == [False, True, True, False]
    Judge(load_checked("baseline"), SECRET, new).decide(
        b'{"specversion":"1.0","id":"1","source":"s","type":"account.login","data":{"account":"a"}}', days[1]
    )  # which has no such list
