"""Phone numbers, by the numbering plans of Google's libphonenumber (the package phonenumbers)."""

from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from fairgate.ingest.identifiers.text import refuse_hidden
from fairgate.ingest.identifiers.value import BadValue

_LONGEST = 64
_LONGEST_E164 = 15  # digits, country code included: ITU-T E.164, 6.2.1
_PLUS = ("+", "\N{FULLWIDTH PLUS SIGN}")
_FAULTS = {
    NumberParseException.INVALID_COUNTRY_CODE: "has no country code that is in use",
    NumberParseException.TOO_SHORT_AFTER_IDD: "is too short for a phone number",
    NumberParseException.TOO_SHORT_NSN: "is too short for a phone number",
    NumberParseException.TOO_LONG: "is too long for a phone number",
}
_LINES = {
    PhoneNumberType.FIXED_LINE: "fixed",
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed or mobile",
    PhoneNumberType.TOLL_FREE: "toll free",
    PhoneNumberType.PREMIUM_RATE: "premium rate",
    PhoneNumberType.SHARED_COST: "shared cost",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.PERSONAL_NUMBER: "personal",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "company",
    PhoneNumberType.VOICEMAIL: "voicemail",
    PhoneNumberType.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class Phone:
    """A number in international form. `value` is E.164 (+442079460018), without an extension.

    `country` is ISO 3166 alpha-2; None for numbers of no country (satellite, international freephone) and for those
    whose country the plan can't tell. `valid`: the number is one that its numbering plan gives out. `line`: fixed,
    mobile, fixed or mobile (where the plan doesn't tell, as in North America), voip, toll free, premium rate,
    shared cost, personal, pager, company, voicemail, or unknown.
    """

    raw: str
    value: str
    country: str | None
    valid: bool
    line: str


@lru_cache(maxsize=16_384)
def parse(raw: str) -> Phone:
    """The number; BadValue where it can't be one, or isn't in international form: a plus and the country code first."""
    if len(raw) > _LONGEST:
        raise BadValue(f"has more than {_LONGEST} characters")
    if not raw:
        raise BadValue("is empty")
    refuse_hidden(raw)
    if not raw.startswith(_PLUS):
        raise BadValue("isn't in international form: it must begin with + and the country code")
    number, value = _read(raw)
    while not phonenumbers.is_valid_number(number) and len((again := _read(value))[1]) < len(value):
        number, value = again  # each reading of a number that isn't valid may take one more zero for a trunk prefix
    if len(value) > _LONGEST_E164 + 1:
        raise BadValue(_FAULTS[NumberParseException.TOO_LONG])
    region = phonenumbers.region_code_for_number(number)
    return Phone(
        raw=raw,
        value=value,
        country=None if region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY else region,
        valid=phonenumbers.is_valid_number(number),
        line=_LINES[phonenumbers.number_type(number)],
    )


def _read(raw: str) -> tuple[phonenumbers.PhoneNumber, str]:
    try:
        number = phonenumbers.parse(raw, region=None)
    except NumberParseException as error:
        raise BadValue(_FAULTS.get(error.error_type, "is no phone number")) from error
    return number, phonenumbers.format_number(number, PhoneNumberFormat.E164)
