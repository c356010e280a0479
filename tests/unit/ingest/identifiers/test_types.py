"""What holds for every identifier, whatever text comes in."""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.ingest.identifiers import TYPES, BadValue, Email, Ip, Phone, TimeZone, UserAgent, Value, ip, lookalikes
from fairgate.ingest.identifiers.providers import PROVIDERS
from fairgate.ingest.identifiers.value import semantic_type

REFERENCE = Path(__file__).parents[4] / "docs" / "reference" / "identifiers.md"
SAMPLES: Mapping[str, tuple[type[Value], str]] = {
    "email": (Email, "bob@example.com"),
    "ip": (Ip, "1.1.1.1"),
    "phone": (Phone, "+14155552671"),
    "user_agent": (UserAgent, "curl/8.4.0"),
    "timezone": (TimeZone, "UTC"),
}

ANY_CHARACTER = st.characters(exclude_categories=())  # lone surrogates too
DOMAINS = (
    "gmail.com", "googlemail.com", "YAHOO.com", "outlook.com", "proton.me", "me.com", "x.fastmail.com", "corp.example",
    "b\u00fccher.example", "xn--bcher-kva.example", "gm\u0430il.com", "\u4f8b\u3048\u3002\u30c6\u30b9\u30c8",
    "localhost",
)  # fmt: skip
BROWSER_WORDS = (
    "Mozilla/5.0", "(Linux;", "Android 14;", "SM-", ")", "Chrome/", "curl", "SmartWatch (", ";", "Build/", "bot", "1.2",
    "_", "",
)  # fmt: skip
ZONES = ("Europe/Paris", "EUROPE/PARIS", "utc", "GMT+0", "Etc/GMT-14", "../../etc/passwd", "Europe")
# Characters that grow, shrink or change under lower case or NFKC, in an order that a wrong normalisation trips over.
TRICKY = "aZ0.+-_\u0130\u00df\u03a3\u0345\u0430\u212a\u00bd\uff20\ufb01\u2024"
LIKELY = {
    "email": st.builds(
        "{}@{}".format, st.text(st.one_of(st.sampled_from(TRICKY), ANY_CHARACTER)), st.sampled_from(DOMAINS)
    ),
    "ip": st.one_of(st.ip_addresses().map(str), st.text("0123456789abcdef:.%/[]", max_size=45)),
    "phone": st.text("0123456789 ()-/.;extABC", max_size=30).map("+{}".format),
    "user_agent": st.lists(st.sampled_from(BROWSER_WORDS)).map(" ".join),
    "timezone": st.sampled_from(ZONES),
}
HOSTILE = {
    "empty": "",
    "64 KB": "a" * 65_536,
    "64 KB of @": "@" * 65_536,
    "64 KB of digits": "+" + "1" * 65_536,
    "NUL": "bob\0@example.com",
    "right-to-left override": "bob\u202emoc.elpmaxe@evil.com",
    "zero-width joiner": "b\u200dob@example.com",
    "lone surrogate": "bob\ud800@example.com",
    "line break": "bob@example.com\r\nBcc: all@example.com",
    "combining marks": "a" + "\u0301" * 200 + "@example.com",
    "ligature that grows eighteenfold": "\ufdfa" * 200 + "@example.com",
}


def value_or_reason(name: str, raw: str) -> Value | str:
    """The parsed text, or the reason; any other error passes through and fails the test."""
    try:
        parsed = TYPES[name].parse(raw)
    except BadValue as error:
        return error.reason
    assert isinstance(parsed, SAMPLES[name][0])
    return parsed


@pytest.mark.parametrize("name", TYPES)
@given(data=st.data())
def test_a_value_is_its_own_canonical_form(name: str, data: st.DataObject) -> None:
    raw = data.draw(st.one_of(LIKELY[name], st.text(ANY_CHARACTER)))
    parsed = value_or_reason(name, raw)
    if isinstance(parsed, str):
        assert parsed
        return
    again = value_or_reason(name, parsed.value)
    assert not isinstance(again, str)
    assert (parsed.raw, again.value) == (raw, parsed.value)
    assert parsed.value.encode().decode() == parsed.value  # it can be stored


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_answered_at_once(name: str, text: str) -> None:
    start = time.perf_counter()
    reason = value_or_reason(name, text)
    assert time.perf_counter() - start < 1
    if isinstance(reason, str):
        assert reason.isascii()
        assert reason.isprintable()
        assert len(reason) < 100


@pytest.mark.parametrize("name", TYPES)
@given(raw=st.text(ANY_CHARACTER))
def test_a_reason_never_repeats_the_text(name: str, raw: str) -> None:
    reason = value_or_reason(name, f"q7{raw}q7")
    assert not isinstance(reason, str) or "q7" not in reason


@pytest.mark.parametrize("name", TYPES)
def test_fields_are_the_attributes_of_the_value(name: str) -> None:
    value_class, sample = SAMPLES[name]
    assert dataclasses.is_dataclass(value_class)
    assert list(TYPES[name].fields) == [field.name for field in dataclasses.fields(value_class)]
    wanted = {"text": str, "number": int, "bool": bool}
    for part, kind in TYPES[name].fields.items():
        value = getattr(TYPES[name].parse(sample), part)
        assert value is None or type(value) is wanted[kind]


@pytest.mark.parametrize("name", TYPES)
def test_a_value_cannot_be_changed(name: str) -> None:
    parsed = TYPES[name].parse(SAMPLES[name][1])
    with pytest.raises(dataclasses.FrozenInstanceError):
        parsed.value = "x"  # type: ignore[attr-defined]
    assert not hasattr(parsed, "__dict__")


def test_a_part_without_a_kind_is_refused() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Odd:
        raw: str
        value: str
        parts: tuple[str, ...]

    with pytest.raises(KeyError):
        semantic_type("odd", "an odd one", lambda raw: Odd(raw, raw, ()), Odd, "")


def test_a_revealing_part_that_is_no_part_is_refused() -> None:
    with pytest.raises(KeyError, match="local"):
        semantic_type("ip", "an IP address", ip.parse, Ip, "raw local")


@pytest.mark.parametrize("name", TYPES)
def test_the_reference_page_has_a_row_for_every_part(name: str) -> None:
    _, _, section = REFERENCE.read_text(encoding="utf-8").partition(f"\n## `{name}`")
    section = section.partition("\n## ")[0]
    for part, kind in TYPES[name].fields.items():
        assert f"\n| `{part}` | {kind} |" in section


def test_the_reference_page_names_every_look_alike_and_every_provider() -> None:
    page = REFERENCE.read_text(encoding="utf-8")
    assert not [hex(letter) for letter in lookalikes._TWINS if f" {chr(letter)}" not in page.replace("(", " ")]
    assert not [provider.name for provider in PROVIDERS if f"\n| {provider.name} " not in page]
