"""Each deed is an event that the pack's services send: the door takes it, with all that it says."""

import json
from collections.abc import Callable
from random import Random

import pytest

from fairgate.domain.event import Event
from fairgate.ingest.decode import Decoder
from fairgate.simulate import deeds
from fairgate.simulate.acts import Account, Act, Actor, Seen
from fairgate.simulate.deeds import Card, Sitting, Use
from fairgate.simulate.draws import CODE
from fairgate.simulate.models import BASE, FRONTIER
from fairgate.simulate.places import COUNTRIES, household
from fairgate.simulate.service import ALLOWED, Service, Verdict
from fairgate.wiring import load_checked

T0 = 1_800_000_000_123_456
SOMEBODY = Actor("o", "hobbyist", honest=True, hands="person")
WHO = Account("acct_1", "payg", T0 - 10**12, SOMEBODY, org="org_1")
OTHER = Account("acct_2", "free", T0 - 10**13, SOMEBODY)
SEAT = household(Random(1), COUNTRIES[3])
USE = Use("1", "tpl_a", BASE, client="editor", tools="tools_a", end_user="user_a")
HERE, THERE = Sitting(WHO, SEAT), Sitting(WHO, SEAT, Actor("t", "takeover", honest=False, hands="robot"))
CARD = Card("card_1", "DE")
DEEDS: dict[str, Callable[[], Act]] = {
    "signs up": lambda: HERE.sign_up(T0, "mira@example.com", phone="+12025550123", by="acct_2"),
    "verifies": lambda: HERE.verify(T0, "phone", phone="+12025550123"),
    "logs in": lambda: HERE.log_in(T0),
    "breaks in": lambda: THERE.log_in(T0, success=False),
    "forgets": lambda: HERE.reset_password(T0, "asked"),
    "makes a key": lambda: HERE.make_key(T0, "1"),
    "revokes a key": lambda: HERE.revoke_key(T0, "1", "leaked"),
    "adds a card": lambda: HERE.add_card(T0, CARD),
    "is declined": lambda: HERE.add_card(T0, CARD, declined="incorrect_cvc"),
    "pays": lambda: HERE.charge(T0, CARD, 20.0),
    "is given": lambda: deeds.grant(WHO, T0, 5.0, "trial"),
    "has spent": lambda: deeds.settle(WHO, T0, 3.25, 1.75),
    "is invited": lambda: HERE.claim_referral(T0, OTHER),
    "invites": lambda: HERE.invite(T0, "jonas@example.com"),
    "asks": lambda: HERE.ask(T0, USE, Random(1)),
}


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(load_checked("ai_api"), 0)


def sent(world_service: Callable[[Callable[[bytes, int], Verdict]], Service], act: Act) -> bytes:
    """What is sent of an act."""
    found: list[bytes] = []

    def decide(raw: bytes, _time: int) -> Verdict:
        found.append(raw)
        return ALLOWED

    assert world_service(decide).do(act) == Seen.SERVED
    return found[0]


@pytest.mark.parametrize("name", DEEDS)
def test_the_door_takes_it_with_all_that_it_says(
    decoder: Decoder, world_service: Callable[..., Service], name: str
) -> None:
    act = DEEDS[name]()
    raw = sent(world_service, act)
    event = decoder.single(raw, act.time)
    assert isinstance(event, Event), event
    assert event.time == act.time == T0 - T0 % 1_000
    data = json.loads(raw)["data"]
    known = {each.name for each in load_checked("ai_api").pack.event_types[act.type].attributes}
    assert set(data) <= known
    assert None not in data.values()


def test_a_request_costs_what_its_tokens_do() -> None:
    dear = Use("1", "tpl_a", FRONTIER, CODE, longer=100.0)
    for seed in range(200):
        act = HERE.ask(T0, dear, Random(seed))
        asked, answered = act.data["input_tokens"], act.data["output_tokens"]
        assert isinstance(asked, int)
        assert isinstance(answered, int)
        assert 1 <= asked <= 128_000
        assert 1 <= answered <= 32_000
        assert act.dollars == pytest.approx((15.0 * asked + 75.0 * answered) / 1e6, abs=1e-6)
        assert act.data["cost"] == act.dollars


def test_only_requests_cost_anything() -> None:
    assert [name for name, deed in DEEDS.items() if deed().dollars] == ["asks"]
    assert [name for name, deed in DEEDS.items() if deed().abuse] == ["breaks in"]
