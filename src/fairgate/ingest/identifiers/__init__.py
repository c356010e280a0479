"""Identifiers: the texts that say who is behind an event, in one spelling each and with the parts a rule may use.

`TYPES` has every semantic type by the name a pack gives it. A `parse` function takes the text as sent and returns its
value, or raises `BadValue` with the reason why the text can't be one.
"""

from collections.abc import Mapping
from types import MappingProxyType

from fairgate.ingest.identifiers import email, ip, phone, timezone, user_agent
from fairgate.ingest.identifiers.email import Email
from fairgate.ingest.identifiers.ip import Ip
from fairgate.ingest.identifiers.phone import Phone
from fairgate.ingest.identifiers.timezone import TimeZone, offset_minutes
from fairgate.ingest.identifiers.user_agent import UserAgent
from fairgate.ingest.identifiers.value import BadValue, Value, semantic_type
from fairgate.language.semantic import SemanticType

__all__ = [
    "TYPES",
    "BadValue",
    "Email",
    "Ip",
    "Phone",
    "TimeZone",
    "UserAgent",
    "Value",
    "offset_minutes",
]

TYPES: Mapping[str, SemanticType] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            semantic_type("email", "an e-mail address", email.parse, Email, "raw value local tag base skeleton"),
            semantic_type("ip", "an IP address", ip.parse, Ip, "raw value"),
            semantic_type("phone", "a phone number in international form", phone.parse, Phone, "raw value"),
            semantic_type("user_agent", "an HTTP user agent", user_agent.parse, UserAgent, "raw value"),
            semantic_type("timezone", "a time zone by its IANA name", timezone.parse, TimeZone, ""),
        )
    }
)
