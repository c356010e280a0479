"""Two weeks of the small world: well-formed for the pack that ships, and nobody in it could be real."""

import re
from collections import Counter
from functools import cache
from typing import Any

import msgspec
import pytest

from fairgate.domain.event import Event
from fairgate.ingest.decode import Decoder
from fairgate.ingest.identifiers import email, ip
from fairgate.simulate.service import Done
from fairgate.wiring import load_checked
from tests.simulated import simulated

CHECKED = load_checked("ai_api")


def played() -> tuple[Done, ...]:
    return simulated(14, 11)


@cache
def sent() -> list[dict[str, Any]]:
    return [msgspec.json.decode(each.raw) for each in played()]


def test_every_event_is_taken_as_it_was_sent() -> None:
    decoder = Decoder(CHECKED, 0)
    taken = [decoder.single(each.raw, each.act.time) for each in played()]
    assert [each for each in taken if not isinstance(each, Event)] == []
    assert [(each.id, each.time) for each in taken if isinstance(each, Event)] == [
        (each.event, each.act.time - each.act.time % 1_000) for each in played()
    ]
    assert len({each.event for each in played()}) == len(played()) > 50_000


def test_nothing_is_sent_that_the_pack_does_not_declare() -> None:
    assert {event["type"] for event in sent()} <= CHECKED.pack.event_types.keys()
    for kind, event_type in CHECKED.pack.event_types.items():
        declared = {attribute.name for attribute in event_type.attributes}
        assert {name for event in sent() if event["type"] == kind for name in event["data"]} <= declared


def test_every_event_says_that_it_is_simulated_and_nothing_else_beside_the_envelope() -> None:
    assert all(event["source"].startswith("simulated/") for event in sent())
    envelope = {"specversion", "id", "source", "type", "time", "datacontenttype", "data"}
    assert all(event.keys() == envelope for event in sent())


def test_no_address_could_be_a_real_ones() -> None:
    addresses = {event["data"]["ip"] for event in sent() if "ip" in event["data"]}
    assert len(addresses) > 300
    assert not any(ip.parse(address).public for address in addresses)


def test_no_telephone_number_could_be_a_real_ones() -> None:
    numbers = {event["data"]["phone"] for event in sent() if "phone" in event["data"]}
    assert len(numbers) > 20
    assert all(re.fullmatch(r"\+1\d{3}55501\d\d", number) for number in numbers)


@pytest.mark.parametrize(
    "kind",
    [
        "account.signup", "account.verified", "account.login", "api.request", "credits.spent", "key.created",
        "payment.charged", "payment.method_added", "policy.flagged", "referral.claimed",
    ],
)  # fmt: skip
def test_honest_people_and_opponents_do_the_same_things(kind: str) -> None:
    did = Counter(each.act.abuse for each in played() if each.act.type == kind)
    assert did[False]
    assert did[True]


def test_throwaway_mail_is_used_by_opponents_and_now_and_then_by_others() -> None:
    signups = [each.act for each in played() if each.act.type == "account.signup"]
    throwaway = Counter(each.abuse for each in signups if email.parse(str(each.data["email"])).disposable)
    assert throwaway[True] > 10
    assert throwaway[False] < sum(not each.abuse for each in signups) / 10
