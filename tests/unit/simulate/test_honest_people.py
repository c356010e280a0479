"""Honest people of every segment: what they do is what the services send, and what is done to them changes it."""

import statistics
from collections import Counter
from collections.abc import Callable

import msgspec
import pytest

from fairgate.domain.action import Action
from fairgate.domain.event import Event
from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND
from fairgate.ingest.decode import Decoder
from fairgate.simulate.acts import Act, Seen
from fairgate.simulate.honest.people import SEGMENTS
from fairgate.simulate.service import ALLOWED, COMPANY, Done, Verdict
from fairgate.simulate.world_file import Loaded, Range
from fairgate.wiring import load_checked
from tests.unit.simulate.honest_lives import COMPANIES, everybody, lived


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
    assert {"payment.method_added", "payment.charged", "credits.spent", "referral.claimed", "member.invited"} <= set(
        sent
    )
    assert {"password.reset", "key.revoked"} <= set(sent)


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
    mine = [(each.act.time, each.act.account.name) for each in quiet if each.act.account.owner.kind == "hobbyist"]
    assert [(each.act.time, each.act.account.name) for each in lived(fewer)] == mine


@pytest.mark.parametrize("kind", SEGMENTS)
def test_each_segment_is_there_and_asks(quiet: list[Done], kind: str) -> None:
    asked = Counter(each.act.account.name for each in quiet if each.act.account.owner.kind == kind and each.act.dollars)
    assert len(asked) >= 8
    assert statistics.median(asked.values()) > 5


def places(done: list[Done], kind: str) -> dict[str, set[str]]:
    """The addresses that each account of a kind asks from."""
    found: dict[str, set[str]] = {}
    for each in done:
        if each.act.account.owner.kind == kind and each.act.dollars:
            found.setdefault(each.act.account.name, set()).add(str(each.act.data["ip"]))
    return found


def test_what_looks_like_abuse_is_there_on_purpose(quiet: list[Done]) -> None:
    assert len(set.union(*places(quiet, "student").values())) <= 3
    assert len(set.union(*places(quiet, "hackathon").values())) <= 2
    assert max(len(each) for each in places(quiet, "vpn").values()) >= 4
    assert max(len(each) for each in places(quiet, "traveller").values()) >= 3
    assert all(len(each) == 1 for each in places(quiet, "enterprise").values())
    keys = {
        str(each.act.data["key"]) for each in quiet if each.act.account.owner.kind == "enterprise" and each.act.dollars
    }
    assert len(keys) > 5
    night = [each.act.time % DAY // HOUR for each in quiet if each.act.account.owner.kind == "agent"]
    assert len(set(night)) > 1


def test_who_is_stopped_comes_back_and_gives_up_in_the_end(world: Loaded) -> None:
    def decide(_raw: bytes, _time: int) -> Verdict:
        return Verdict(Action.BAN)

    spec = msgspec.structs.replace(world.world.service, appeals=0.0)
    strict = Loaded(msgspec.structs.replace(world.world, service=spec), "")
    done = [each for each in lived(strict, decide) if each.act.actor is not COMPANY]
    assert {each.seen for each in done} == {Seen.CLOSED}
    days = Counter(name for name, _ in {(each.act.account.name, each.act.time // DAY) for each in done})
    assert 2 <= max(days.values()) <= 6


def passing(world: Loaded, share: float) -> Loaded:
    """A world in which this share of challenges is passed."""
    challenge = {
        name: msgspec.structs.replace(each, passes=share, seconds=Range(low=1, high=1))
        for name, each in world.world.challenge.items()
    }
    return Loaded(msgspec.structs.replace(world.world, challenge=challenge), "")


def challenged_at(kind: str) -> Callable[[bytes, int], Verdict]:
    """Challenges every event of a type."""
    return lambda raw, _time: Verdict(Action.CHALLENGE) if f'"type":"{kind}"'.encode() in raw else ALLOWED


def test_who_is_not_let_in_tries_once_more_and_is_gone(world: Loaded) -> None:
    done = lived(passing(world, 0.5), challenged_at("account.signup"))
    tries: dict[str, list[Seen]] = {}
    for each in done:
        if each.act.type == "account.signup":
            tries.setdefault(each.act.account.name, []).append(each.seen)
    gone = {name for name, seen in tries.items() if seen == [Seen.REFUSED, Seen.REFUSED]}
    assert gone
    assert [Seen.REFUSED, Seen.CHALLENGED] in tries.values()
    assert max(len(seen) for seen in tries.values()) == 2
    assert not any(each.act.account.name in gone for each in done if each.act.type != "account.signup")


def test_who_is_slowed_gets_less_done_and_stays(world: Loaded, quiet: list[Done]) -> None:
    done = lived(world, lambda _raw, _time: Verdict(Action.THROTTLE))
    asked = [sum(each.seen.served for each in found if each.act.dollars) for found in (done, quiet)]
    assert asked[0] < 0.7 * asked[1]
    late = {each.act.account.name for each in done if each.act.time > world.begins + 10 * DAY and each.act.dollars}
    assert len(late) > 40


def test_who_cannot_pay_tries_again_another_day_and_gives_up_in_the_end(world: Loaded) -> None:
    done = lived(passing(world, 0.0), challenged_at("payment.charged"))
    days: dict[str, set[int]] = {}
    for each in done:
        if each.act.type == "payment.charged":
            assert each.seen == Seen.REFUSED
            days.setdefault(each.act.account.name, set()).add(each.act.time // DAY)
    assert 2 <= max(len(each) for each in days.values()) <= 6


def test_credits_run_out_and_some_pay(quiet: list[Done]) -> None:
    settled = {each.act.account.name for each in quiet if each.act.type == "credits.spent"}
    paid = {each.act.account.name for each in quiet if each.act.type == "payment.charged"}
    assert paid
    assert paid < settled
    for name in settled - paid:
        acts: list[Act] = [each.act for each in quiet if each.act.account.name == name]
        assert acts[-1].type in {"credits.spent", "payment.method_added", "credits.granted"}


def test_one_program_is_used_by_very_many_with_one_prompt(quiet: list[Done]) -> None:
    users: dict[object, set[str]] = {}
    for each in quiet:
        if each.act.dollars and each.act.data.get("client") == "editor":
            users.setdefault(each.act.data["prompt_template"], set()).add(each.act.account.name)
    assert set(users) == {"tpl_editor"}
    everybody = {each.act.account.name for each in quiet}
    assert len(users["tpl_editor"]) > 0.1 * len(everybody)


def test_who_uses_all_there_is_looks_like_many(quiet: list[Done]) -> None:
    mine = [each.act for each in quiet if each.act.account.owner.kind == "power" and each.act.dollars]
    clients = {
        each.account.name: {act.data.get("client") for act in mine if act.account is each.account} for each in mine
    }
    assert max(len(each) for each in clients.values()) == 6
    assert max(len(each) for each in places(quiet, "power").values()) >= 3


def test_newcomers_of_a_class_and_a_hall_come_at_once(quiet: list[Done]) -> None:
    for kind, within in (("student", 12 * MINUTE), ("hackathon", 30 * MINUTE)):
        times = [each.act.time for each in quiet if each.act.type == "account.signup" and each.act.actor.kind == kind]
        assert len(times) >= 5
        assert max(times) - min(times) < within


def test_a_companys_challenge_waits_for_somebody_who_may_do_it(world: Loaded) -> None:
    done = lived(world, lambda _raw, _time: Verdict(Action.CHALLENGE))
    for kind in SEGMENTS:
        waits = [each.wait for each in done if each.seen == Seen.CHALLENGED and each.act.account.owner.kind == kind]
        assert statistics.median(waits) == pytest.approx((2 * HOUR if kind in COMPANIES else 30 * SECOND), rel=1e-6)
