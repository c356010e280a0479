"""Honest people of every segment: what they do is what the services send, and what is done to them changes it."""

import statistics
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec
import pytest

from fairgate.domain.action import Action
from fairgate.domain.event import Event
from fairgate.domain.windows import DAY, HOUR
from fairgate.ingest.decode import Decoder
from fairgate.simulate.acts import Act, Seen
from fairgate.simulate.honest_people import SEGMENTS, births
from fairgate.simulate.play import Stage
from fairgate.simulate.service import ALLOWED, Done, Reviewed, Service, Verdict
from fairgate.simulate.world_file import Loaded, Range, Segment
from fairgate.wiring import load_checked
from tests.unit.simulate.worlds import world_of

DAYS = 14
COMPANIES = ("start_up", "enterprise", "agent")


def everybody(folder: Path, honest: int = 110) -> Loaded:
    """A world in which every segment is as large as the others."""
    loaded = world_of(folder)
    segments = {
        kind: Segment(share=1 / len(SEGMENTS), daily=Range(low=10, high=10), days=0.5 if kind not in COMPANIES else 1.0)
        for kind in SEGMENTS
    }
    world = msgspec.structs.replace(loaded.world, honest=honest, segment=segments, growth=0.3)
    return Loaded(world, loaded.digest)


def lived(
    world: Loaded, decide: Callable[[bytes, int], Verdict] = lambda _raw, _time: ALLOWED, seed: int = 1
) -> list[Done]:
    """Everything that is done in two weeks."""
    told: list[Done | Reviewed] = []
    service = Service(world.world, Random(seed), decide, told.append)
    stage = Stage(service.do)
    stage.add(births(world, DAYS, seed))
    stage.play(world.begins + DAYS * DAY)
    return [each for each in told if isinstance(each, Done)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return everybody(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def quiet(world: Loaded) -> list[Done]:
    """Two weeks in which nobody is stopped."""
    return lived(world)


def test_the_door_takes_everything_in_order_of_time(world: Loaded) -> None:
    decoder, sent, last = Decoder(load_checked("ai_api"), 0), Counter[str](), [0]

    def decide(raw: bytes, time: int) -> Verdict:
        event = decoder.single(raw, time)
        assert isinstance(event, Event), event
        assert time >= last[0] - 1_000
        last[0] = time
        sent[event.type] += 1
        return ALLOWED

    lived(world, decide)
    assert sent["api.request"] > 3_000
    assert {"account.signup", "account.login", "account.verified", "credits.granted", "key.created"} <= set(sent)
    assert {"payment.method_added", "payment.charged", "credits.spent"} <= set(sent)


def test_nothing_of_it_is_abuse(quiet: list[Done]) -> None:
    assert not any(each.act.abuse or not each.act.account.honest for each in quiet)


def test_the_same_seed_gives_the_same_and_another_something_else(world: Loaded, quiet: list[Done]) -> None:
    def short(done: list[Done]) -> list[tuple[int, str, str]]:
        return [(each.act.time, each.act.account.name, each.act.type) for each in done]

    assert short(lived(world)) == short(quiet)
    assert short(lived(world, seed=2)) != short(quiet)


def test_nobody_lives_otherwise_because_somebody_else_is_there(world: Loaded, quiet: list[Done]) -> None:
    alone = {"hobbyist": world.world.segment["hobbyist"]}
    fewer = Loaded(msgspec.structs.replace(world.world, segment=alone), "")
    mine = [(each.act.time, each.act.account.name) for each in quiet if each.act.account.kind == "hobbyist"]
    assert [(each.act.time, each.act.account.name) for each in lived(fewer)] == mine


@pytest.mark.parametrize("kind", SEGMENTS)
def test_each_segment_is_there_and_asks(quiet: list[Done], kind: str) -> None:
    asked = Counter(each.act.account.name for each in quiet if each.act.account.kind == kind and each.act.dollars)
    assert len(asked) >= 8
    assert statistics.median(asked.values()) > 5


def places(done: list[Done], kind: str) -> dict[str, set[str]]:
    """The addresses that each account of a kind asks from."""
    found: dict[str, set[str]] = {}
    for each in done:
        if each.act.account.kind == kind and each.act.dollars:
            found.setdefault(each.act.account.name, set()).add(str(each.act.data["ip"]))
    return found


def test_what_looks_like_abuse_is_there_on_purpose(quiet: list[Done]) -> None:
    assert len(set.union(*places(quiet, "student").values())) <= 3
    assert len(set.union(*places(quiet, "hackathon").values())) <= 2
    assert max(len(each) for each in places(quiet, "vpn").values()) >= 4
    assert max(len(each) for each in places(quiet, "traveller").values()) >= 3
    assert all(len(each) == 1 for each in places(quiet, "enterprise").values())
    keys = {str(each.act.data["key"]) for each in quiet if each.act.account.kind == "enterprise" and each.act.dollars}
    assert len(keys) > 5
    night = [each.act.time % DAY // HOUR for each in quiet if each.act.account.kind == "agent"]
    assert len(set(night)) > 1


def test_who_is_stopped_comes_back_and_gives_up_in_the_end(world: Loaded) -> None:
    def decide(_raw: bytes, _time: int) -> Verdict:
        return Verdict(Action.BAN)

    spec = msgspec.structs.replace(world.world.service, appeals=0.0)
    strict = Loaded(msgspec.structs.replace(world.world, service=spec), "")
    done = lived(strict, decide)
    assert {each.seen for each in done} == {Seen.CLOSED}
    most = Counter(each.act.account.name for each in done).most_common(1)[0][1]
    assert 2 <= most <= 8


def test_credits_run_out_and_some_pay(quiet: list[Done]) -> None:
    settled = {each.act.account.name for each in quiet if each.act.type == "credits.spent"}
    paid = {each.act.account.name for each in quiet if each.act.type == "payment.charged"}
    assert paid
    assert paid < settled
    for name in settled - paid:
        acts: list[Act] = [each.act for each in quiet if each.act.account.name == name]
        assert acts[-1].type in {"credits.spent", "payment.method_added"}
