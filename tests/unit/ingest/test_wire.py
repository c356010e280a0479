"""The wire form of an event type: its struct, what is admitted, and its public and personal parts."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from fairgate.ingest.identifiers import TYPES
from fairgate.ingest.wire import LONGEST_IDENTIFIER, LONGEST_TEXT, TIME_YEARS, Wire, wire_of
from tests.support import HEAD, LISTS, RULES, checked

WIRES = {name: wire_of(each, TYPES) for name, each in checked(HEAD + LISTS + RULES).pack.event_types.items()}
SIGNUP = WIRES["account.signup"]


def admit(wire: Wire, **attributes: object) -> tuple[str, str] | None:
    return wire.admit(wire.data(**({"account": "a"} | attributes)))


def test_required_attributes_come_first_and_the_others_may_be_missing() -> None:
    assert SIGNUP.data.__struct_fields__[0] == "account"
    with pytest.raises(TypeError):
        SIGNUP.data()
    assert admit(SIGNUP) is None


def test_public_and_personal_are_the_whole() -> None:
    data = SIGNUP.data(account="a", email="a@b.example", tokens=1.0)
    public = dict(zip(SIGNUP.public_names, SIGNUP.public(data), strict=True))
    personal = dict(zip(SIGNUP.personal_names, SIGNUP.personal(data), strict=True))
    assert personal == {"email": "a@b.example", "ip": None}
    assert public | personal == msgspec.structs.asdict(data)
    assert WIRES["api.request"].personal_names == ("ip",)


def test_an_envelope_knows_its_type_and_its_data() -> None:
    raw = {"specversion": "1.0", "id": "1", "source": "s", "type": "api.request", "data": {"account": "a", "cost": 2}}
    envelope: Any = msgspec.convert(raw, WIRES["api.request"].envelope)
    assert envelope.data == WIRES["api.request"].data(account="a", cost=2.0)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, SIGNUP.envelope)


@pytest.mark.parametrize(
    ("name", "longest"), [("account", LONGEST_IDENTIFIER), ("plan", LONGEST_TEXT)], ids=["identifier", "text"]
)
def test_texts_are_bounded(name: str, longest: int) -> None:
    assert admit(SIGNUP, **{name: "x" * longest}) is None
    assert admit(SIGNUP, **{name: "x" * (longest + 1)}) == (name, f"has more than {longest:,} characters")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 2.0**53 + 2])
def test_numbers_are_finite_and_exact(number: float) -> None:
    assert admit(SIGNUP, tokens=2.0**53) is None
    assert admit(SIGNUP, tokens=number) == ("tokens", "is not a finite number within 2**53")


def test_times_have_an_offset_and_lie_within_the_calendar() -> None:
    first, last = TIME_YEARS
    assert admit(SIGNUP, born=datetime(first, 1, 1, tzinfo=UTC)) is None
    assert admit(SIGNUP, born=datetime(last, 12, 31, tzinfo=UTC)) is None
    for year in (first - 1, last + 1):
        fault = admit(SIGNUP, born=datetime(year, 6, 1, tzinfo=UTC))
        assert fault == ("born", f"is not between the years {first} and {last}")
    naive = admit(SIGNUP, born=datetime(2000, 1, 1))  # noqa: DTZ001 - the fault in question
    assert naive is not None
    assert "no offset" in naive[1]


def test_identifiers_have_nothing_hidden_in_them_and_texts_may() -> None:
    fault = admit(SIGNUP, device="d\u2066")
    assert fault == ("device", "has a bidirectional control (U+2066)")
    assert admit(SIGNUP, device="Ger\u00e4t 5") is None
    assert admit(SIGNUP, plan="\u2066\0") is None


def test_a_semantic_type_is_parsed_and_gives_its_own_reason() -> None:
    assert admit(SIGNUP, ip="2001:db8::1") is None
    fault = admit(SIGNUP, ip="10.0.0.0/8")
    assert fault == ("ip", "is a network, not an address")
