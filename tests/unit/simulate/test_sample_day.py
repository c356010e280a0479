"""The sample day: repeatable, well-formed for the pack that ships, and silent about the truth."""

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fairgate.domain.event import Event, microseconds
from fairgate.domain.windows import DAY, HOUR
from fairgate.ingest.decode import Decoder
from fairgate.ingest.identifiers import TYPES, email, ip
from fairgate.language.check_pack import check_pack
from fairgate.language.pack_file import load_pack
from fairgate.simulate.day_attacks import FARM_BEGINS, KEY_IS_STOLEN
from fairgate.simulate.sample_day import CustomerKind, SampleDay, sample_day

SOURCES = Path(__file__).parents[3] / "src"
CHECKED = check_pack(load_pack(SOURCES / "fairgate" / "packs" / "ai_api"), TYPES)
START = microseconds(datetime(2026, 1, 5, tzinfo=UTC))
SEED = 11


@pytest.fixture(scope="module")
def day() -> SampleDay:
    return sample_day(SEED, START)


@pytest.fixture(scope="module")
def sent(day: SampleDay) -> list[dict[str, Any]]:
    return [msgspec.json.decode(event.body) for event in day.events]


def _digest(day: SampleDay) -> str:
    return hashlib.sha256(b"\n".join(event.body for event in day.events)).hexdigest()


def test_a_seed_gives_the_same_bytes_in_any_process(day: SampleDay) -> None:
    program = (
        "import hashlib; from fairgate.simulate.sample_day import sample_day;"
        f"day = sample_day({SEED}, {START});"
        "print(hashlib.sha256(b'\\n'.join(event.body for event in day.events)).hexdigest())"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**environment, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert digests == {_digest(day)}


def test_another_seed_gives_another_day(day: SampleDay) -> None:
    other = sample_day(SEED + 1, START)
    assert not {event.id for event in other.events} & {event.id for event in day.events}
    assert not other.kinds.keys() & day.kinds.keys()


def test_events_come_by_time_within_the_day(day: SampleDay) -> None:
    times = [event.time for event in day.events]
    assert times == sorted(times)
    assert times[0] >= START
    assert times[-1] < START + DAY
    assert len({event.id for event in day.events}) == len(times)
    assert 18_000 < len(times) < 26_000


def test_every_event_is_taken_as_it_was_sent(day: SampleDay) -> None:
    decoder = Decoder(CHECKED, 0)
    taken = [decoder.single(event.body, event.time) for event in day.events]
    assert [each for each in taken if not isinstance(each, Event)] == []
    assert [(each.id, each.time) for each in taken if isinstance(each, Event)] == [
        (event.id, event.time) for event in day.events
    ]


def test_nothing_is_sent_that_the_pack_does_not_declare(sent: list[dict[str, Any]]) -> None:
    for kind, event_type in CHECKED.pack.event_types.items():
        declared = {attribute.name for attribute in event_type.attributes}
        assert {name for event in sent if event["type"] == kind for name in event["data"]} <= declared


def test_every_event_says_that_it_is_simulated(sent: list[dict[str, Any]]) -> None:
    assert all(event["source"].startswith("simulated/") for event in sent)


def test_no_identifier_could_be_a_real_ones(sent: list[dict[str, Any]]) -> None:
    addresses = {event["data"]["ip"] for event in sent if "ip" in event["data"]}
    assert len(addresses) > 300
    assert not any(ip.parse(address).public for address in addresses)


def test_no_telephone_number_could_be_a_real_ones(sent: list[dict[str, Any]]) -> None:
    numbers = {event["data"]["phone"] for event in sent if "phone" in event["data"]}
    assert len(numbers) > 20
    assert all(re.fullmatch(r"\+1\d{3}55501\d\d", number) for number in numbers)


@pytest.mark.parametrize(
    "kind",
    [
        "account.verified", "password.reset", "credits.spent", "key.revoked", "referral.claimed", "member.invited",
        "payment.charged", "payment.method_added",
    ],
)  # fmt: skip
def test_honest_people_do_what_attackers_do(day: SampleDay, sent: list[dict[str, Any]], kind: str) -> None:
    accounts = {event["data"]["account"] for event in sent if event["type"] == kind}
    assert sum(day.kinds[account].honest for account in accounts) >= 3


def test_a_hackathon_is_a_chain_of_referrals_behind_one_address(day: SampleDay, sent: list[dict[str, Any]]) -> None:
    guests = [
        event["data"]
        for event in sent
        if event["type"] == "referral.claimed" and day.kinds[event["data"]["account"]] == CustomerKind.HACKATHON
    ]
    assert len(guests) > 5
    assert len({guest["ip"] for guest in guests}) == 1
    assert len({guest["device"] for guest in guests}) == len(guests)
    assert [guest["referred_by"] for guest in guests[1:]] == [guest["account"] for guest in guests[:-1]]


def test_what_is_granted_is_spent_or_left(sent: list[dict[str, Any]]) -> None:
    bills = [event["data"] for event in sent if event["type"] == "credits.spent"]
    assert all(bill["amount"] + bill["left"] == pytest.approx(5.0) for bill in bills)
    assert all(bill["amount"] > 0 for bill in bills)


def test_the_farm_uses_throwaway_mail_and_hardly_anybody_else_does(day: SampleDay, sent: list[dict[str, Any]]) -> None:
    throwaway = Counter(
        day.kinds[event["data"]["account"]].honest
        for event in sent
        if event["type"] == "account.signup" and email.parse(event["data"]["email"]).disposable
    )
    assert throwaway[False] > 30
    assert throwaway[True] < 8


def test_the_truth_covers_every_account_and_no_event_tells_it(day: SampleDay, sent: list[dict[str, Any]]) -> None:
    assert {event["data"]["account"] for event in sent} <= day.kinds.keys()
    assert {event["id"] for event in sent} >= {each.id for each in day.events if each.id in day.abusive}
    envelope = {"specversion", "id", "source", "type", "time", "datacontenttype", "data"}
    assert all(event.keys() == envelope for event in sent)
    words = (b"farm", b"stolen", b"abus", b"attack", b"honest", b"fraud", b"hobby", b"traveller")
    assert not any(word in event.body.lower() for event in day.events for word in words)


def test_only_attackers_events_are_abusive(day: SampleDay, sent: list[dict[str, Any]]) -> None:
    by_kind = Counter((day.kinds[event["data"]["account"]], event["id"] in day.abusive) for event in sent)
    assert not any(abusive for (kind, abusive) in by_kind if kind.honest)
    assert by_kind[CustomerKind.CREDIT_FARM, False] == 0
    assert by_kind[CustomerKind.STOLEN_KEY, False] > 100, "the owner goes on using the key"
    assert by_kind[CustomerKind.STOLEN_KEY, True] > 100


@pytest.mark.parametrize(
    ("kind", "hours"), [(CustomerKind.CREDIT_FARM, FARM_BEGINS), (CustomerKind.STOLEN_KEY, KEY_IS_STOLEN)]
)
def test_attacks_begin_at_their_hour(
    day: SampleDay, sent: list[dict[str, Any]], kind: CustomerKind, hours: float
) -> None:
    pairs = zip(day.events, sent, strict=True)
    first = next(
        event.time for event, body in pairs if event.id in day.abusive and day.kinds[body["data"]["account"]] == kind
    )
    assert 0 <= first - (START + hours * HOUR) < HOUR / 2


def test_honest_people_sleep(day: SampleDay, sent: list[dict[str, Any]]) -> None:
    hours = Counter(
        event.time // HOUR % 24
        for event, body in zip(day.events, sent, strict=True)
        if body["data"].get("country") == "JP" and day.kinds[body["data"]["account"]] == CustomerKind.HOBBYIST
    )
    night, day_time = sum(hours[hour] for hour in range(16, 20)), sum(hours[hour] for hour in range(4))
    assert night < day_time / 2, "one to five in Tokyo is 16 to 20 UTC"


def test_requests_are_log_normal_in_length(sent: list[dict[str, Any]]) -> None:
    lengths = sorted(event["data"]["input_tokens"] for event in sent if event["type"] == "api.request")
    middle, mean = lengths[len(lengths) // 2], sum(lengths) / len(lengths)
    assert mean > 1.5 * middle


def test_a_small_day_still_has_every_kind() -> None:
    small = sample_day(SEED, START, accounts=20)
    assert set(small.kinds.values()) == set(CustomerKind)
    assert len(small.events) < 8_000
