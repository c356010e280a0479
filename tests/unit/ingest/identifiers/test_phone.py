import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.ingest.identifiers import BadValue, Phone
from fairgate.ingest.identifiers.phone import parse


@pytest.mark.parametrize(
    ("raw", "value", "country", "valid", "line"),
    [
        ("+1 (415) 555-2671", "+14155552671", "US", True, "fixed or mobile"),
        ("+442079460018", "+442079460018", "GB", True, "fixed"),
        ("+44 20 7946 0018 ext. 12", "+442079460018", "GB", True, "fixed"),
        ("+49 1511 2345678", "+4915112345678", "DE", True, "mobile"),
        ("+39 06 1234567", "+39061234567", "IT", True, "fixed"),
        ("+44 56 0000 0000", "+445600000000", "GB", True, "voip"),
        ("+1 800 555 0199", "+18005550199", "US", True, "toll free"),
        ("+800 1234 5678", "+80012345678", None, True, "toll free"),
        ("+7 912 345-67-89", "+79123456789", "RU", True, "mobile"),
        ("+1 415 55", "+141555", None, False, "unknown"),
        ("+491234567890123", "+491234567890123", "DE", False, "unknown"),
        ("+49 00459912", "+49459912", "DE", False, "unknown"),
        ("\uff0b\uff11 415 555 2671", "+14155552671", "US", True, "fixed or mobile"),
        ("+1 415 555 \u0662\u0666\u0667\u0661", "+14155552671", "US", True, "fixed or mobile"),
    ],
)
def test_examples(raw: str, value: str, country: str | None, valid: bool, line: str) -> None:
    assert parse(raw) == Phone(raw, value, country, valid, line)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "is empty"),
        ("4155552671", "isn't in international form: it must begin with + and the country code"),
        ("0044 20 7946 0018", "isn't in international form: it must begin with + and the country code"),
        (" +14155552671", "isn't in international form: it must begin with + and the country code"),
        ("+", "is no phone number"),
        ("+hello", "is no phone number"),
        ("+999 123456", "has no country code that is in use"),
        ("+1 2", "is no phone number"),
        ("+49 1", "is too short for a phone number"),
        ("+49" + "1" * 14, "is too long for a phone number"),
        ("+49" + "1" * 30, "is too long for a phone number"),
        ("+1" + "4" * 63, "has more than 64 characters"),
        ("+1415555\u202e2671", "has a bidirectional control (U+202E)"),
        ("+1415555\n2671", "has a control character (U+000A)"),
    ],
)
def test_what_is_no_number_is_refused_with_its_reason(raw: str, reason: str) -> None:
    with pytest.raises(BadValue) as refused:
        parse(raw)
    assert refused.value.reason == reason


@given(
    digits=st.integers(0, 9_999_999).map("{:07}".format),
    gaps=st.lists(st.sampled_from(["", " ", "-", ".", "/", " ("]), min_size=7, max_size=7),
)
def test_punctuation_never_matters(digits: str, gaps: list[str]) -> None:
    written = "".join(gap + digit for gap, digit in zip(gaps, digits, strict=True))
    assert parse(f"+1415{written}").value == parse(f"+1415{digits}").value == f"+1415{digits}"
