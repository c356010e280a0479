"""Where people are: countries and their operators, and the lines that they use."""

from dataclasses import dataclass, replace
from random import Random

from fairgate.domain.windows import HOUR
from fairgate.simulate.draws import chance
from fairgate.simulate.identities import name_of


@dataclass(frozen=True, slots=True)
class Country:
    """A country with its hours from UTC, the operators its people use, and the first of its four /16 of addresses."""

    code: str
    timezone: str
    offset: float
    operators: tuple[str, ...]
    block: int


def _countries() -> tuple[Country, ...]:
    rows = (
        ("US", "America/New_York", -5), ("BR", "America/Sao_Paulo", -3), ("GB", "Europe/London", 0),
        ("DE", "Europe/Berlin", 1), ("NL", "Europe/Amsterdam", 1), ("PL", "Europe/Warsaw", 1),
        ("NG", "Africa/Lagos", 1), ("IN", "Asia/Kolkata", 5.5), ("JP", "Asia/Tokyo", 9), ("AU", "Australia/Sydney", 11),
    )  # fmt: skip
    return tuple(
        Country(code, zone, offset, tuple(str(64600 + 10 * index + operator) for operator in range(4)), 64 + 4 * index)
        for index, (code, zone, offset) in enumerate(rows)
    )


COUNTRIES = _countries()
#: Operators that rent out servers, and the country their addresses are registered in.
HOSTING = {"64496": "US", "64497": "DE", "64498": "NL", "64499": "US"}
BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile Safari/604",
)
PROGRAMS = ("OpenAI/Python 2.8.0", "python-httpx/0.28.1", "axios/1.12.2", "curl/8.10.1", "Go-http-client/2.0")

#: How much people do in each hour of their day: little at night, most in the forenoon and the evening.
_RHYTHM = (2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 13, 12, 10, 11, 12, 12, 11, 10, 9, 10, 11, 10, 7, 4)


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a request comes from, as the CDN in front tells it. A program has neither device nor time zone."""

    ip: str
    asn: str
    country: str
    user_agent: str | None
    tls_fingerprint: str | None
    bot_score: float | None
    timezone: str | None = None
    device: str | None = None


def household(rng: Random, country: Country, *, program: bool = False) -> Seat:
    """A line at home: an address of its own, one in six of version 6."""
    operator, third = rng.choice(country.operators[:2]), rng.randrange(1, 256)
    if chance(rng, 1 / 6):
        ip = f"2001:db8:{(country.block << 8) + third:x}:{rng.randrange(1, 65536):x}::{rng.randrange(2, 99):x}"
    else:
        ip = f"100.{country.block + rng.randrange(1, 4)}.{third}.{rng.randrange(1, 255)}"
    return _seat(rng, ip, operator, country, program=program)


def telephone(rng: Random, country: Country) -> Seat:
    """A mobile line: one of the six addresses that all of the operator's customers share."""
    operator = rng.randrange(2, 4)
    seat = _seat(rng, f"100.{country.block}.{operator}.{rng.randrange(1, 7)}", country.operators[operator], country)
    return replace(seat, user_agent=BROWSERS[3])


def server(rng: Random, ip: str, asn: str) -> Seat:
    """A rented server."""
    return Seat(ip, asn, HOSTING[asn], rng.choice(PROGRAMS), f"t13d{rng.choice(('1516h2', '1010h1', '1715h1'))}", 0.95)


def _seat(rng: Random, ip: str, asn: str, country: Country, *, program: bool = False) -> Seat:
    """One in front of which a person sits, or a program that a person runs there."""
    if program:
        return Seat(ip, asn, country.code, rng.choice(PROGRAMS), "t13d1010h1", 0.9)
    device = name_of(rng, "dev")
    score = round(rng.betavariate(1.2, 12.0), 3)
    return Seat(ip, asn, country.code, rng.choice(BROWSERS), "t13d1516h2", score, country.timezone, device)


def waking(rng: Random, start: int, offset: float) -> int:
    """A time of the day when somebody in that zone begins to do something."""
    first = int(start // HOUR + offset)
    weights = [_RHYTHM[(first + hour) % 24] for hour in range(24)]
    return start + rng.choices(range(24), weights)[0] * HOUR + rng.randrange(HOUR)


def server_address(rng: Random) -> str:
    """One of the addresses that are rented out with a server."""
    return f"198.18.{rng.randrange(256)}.{rng.randrange(1, 255)}"
