"""The functions that rules may call: one entry each. Regular expressions (RE2) take linear time, whatever the input."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from zoneinfo import ZoneInfo

import re2

from fairgate.domain.windows import DAY, HOUR, SECOND

#: Answers remembered for each pattern and list of networks, for texts no longer than this: what recurs (user agents,
#: domains) is short, and hostile input can fill no more than about a megabyte for each.
_REMEMBERED = 1 << 12
_SHORT = 256
#: Bytes that RE2 may use for one pattern.
_PATTERN_MEMORY = 1 << 20


@dataclass(frozen=True, slots=True)
class Function:
    """A function: parameter types, result type, and `make`, which prepares it for its constant arguments.

    The last `constants` arguments are literals (with `variadic`, any number of them); `make` raises ValueError for one
    that doesn't do, saying why. What it returns takes the other arguments, none of them missing. `plain`, if there is
    one, is a Python expression over {0}, {1} that means the same and is quicker.
    """

    name: str
    about: str
    parameters: tuple[str, ...]
    result: str
    make: Callable[..., Callable[..., object]]
    constants: int = 0
    variadic: bool = False
    plain: str = ""


def _matches(pattern: str) -> Callable[[str], bool]:
    found = _compiled(pattern).Match
    remembered: Callable[[str], bool] = lru_cache(_REMEMBERED)(lambda text: found(text) is not None)
    return lambda text: remembered(text) if len(text) <= _SHORT else found(text) is not None


def _compiled(pattern: str) -> re2.Set:
    """The pattern as a set of one: it answers yes or no, twice to six times quicker than a search that says where."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_MEMORY
    compiled = re2.Set.SearchSet(options)
    try:
        re2.compile(pattern, options)  # its errors have a reason; a set's have none
        compiled.Add(pattern)
        compiled.Compile()
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else "it is too large"
        raise ValueError(f"RE2 can't read this pattern: {reason}") from error
    return compiled


def _cidr(*networks: str) -> Callable[[str], bool]:
    parsed = tuple(ip_network(network) for network in networks)

    def inside(text: str) -> bool:
        address = ip_address(text)
        return any(address in network for network in parsed if network.version == address.version)

    return lru_cache(_REMEMBERED)(inside)


def _hour_in(time: int, zone: str) -> float:
    found = _zone(zone)
    try:
        return datetime.fromtimestamp(time // SECOND, UTC).astimezone(found).hour if found else math.nan
    except OverflowError:  # within a day of the years 1 or 9999
        return math.nan


@lru_cache(1_024)
def _zone(name: str) -> ZoneInfo | None:
    """None where there is no such zone; remembered, because looking for one that isn't there reads the disk."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def _floor(value: float) -> float:
    return math.floor(value) if math.isfinite(value) else value


def _log(value: float) -> float:
    return math.log(value) if value > 0 else math.nan


_TABLE = (
    Function("lower", "text in lower case", ("text",), "text", lambda: str.lower, plain="{0}.lower()"),
    Function("upper", "text in upper case", ("text",), "text", lambda: str.upper, plain="{0}.upper()"),
    Function("length", "how many characters a text has", ("text",), "number", lambda: len, plain="len({0})"),
    Function(
        name="contains",
        about="whether a text has another in it",
        parameters=("text", "text"),
        result="bool",
        make=lambda: lambda text, part: part in text,
        plain="({1} in {0})",
    ),
    Function(
        name="starts_with",
        about="whether a text starts with another",
        parameters=("text", "text"),
        result="bool",
        make=lambda: str.startswith,
        plain="{0}.startswith({1})",
    ),
    Function(
        name="ends_with",
        about="whether a text ends with another",
        parameters=("text", "text"),
        result="bool",
        make=lambda: str.endswith,
        plain="{0}.endswith({1})",
    ),
    Function(
        name="matches",
        about="whether a regular expression (RE2 syntax, a constant) is found anywhere in a text",
        parameters=("text", "text"),
        result="bool",
        make=_matches,
        constants=1,
    ),
    Function(
        name="cidr",
        about='written `ip in cidr("10.0.0.0/8", ...)`: whether an address is in one of the networks (constants)',
        parameters=("text", "text"),
        result="bool",
        make=_cidr,
        constants=1,
        variadic=True,
    ),
    Function(
        name="hour",
        about="the hour of a time, 0 to 23, UTC",
        parameters=("time",),
        result="number",
        make=lambda: lambda time: time // HOUR % 24,
        plain=f"({{0}} // {HOUR} % 24)",
    ),
    Function(
        name="weekday",
        about="the day of the week of a time, Monday 0 to Sunday 6, UTC",
        parameters=("time",),
        result="number",
        make=lambda: lambda time: (time // DAY + 3) % 7,
        plain=f"(({{0}} // {DAY} + 3) % 7)",
    ),
    Function(
        name="day",
        about="whole days from 1970-01-01 UTC to a time",
        parameters=("time",),
        result="number",
        make=lambda: lambda time: time // DAY,
        plain=f"({{0}} // {DAY})",
    ),
    Function(
        name="hour_in",
        about="the hour of a time in an IANA time zone, 0 to 23; missing where there is no such zone or hour",
        parameters=("time", "text"),
        result="number",
        make=lambda: _hour_in,
    ),
    Function("abs", "a number without its sign", ("number",), "number", lambda: abs, plain="abs({0})"),
    Function("floor", "the whole number at or below", ("number",), "number", lambda: _floor),
    Function("log", "the natural logarithm; missing at 0 and below", ("number",), "number", lambda: _log),
    Function("min", "the smaller of two numbers", ("number", "number"), "number", lambda: min, plain="min({0}, {1})"),
    Function("max", "the larger of two numbers", ("number", "number"), "number", lambda: max, plain="max({0}, {1})"),
)

FUNCTIONS: Mapping[str, Function] = MappingProxyType({function.name: function for function in _TABLE})
